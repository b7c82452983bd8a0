//! What a launcher has, and shells and zygotes as it makes them.

use crate::init::READY;
use faas_sandbox_linux::assemble::{self, INNER_ID, StandIn};
use faas_sandbox_linux::cgroup::{self, CheapMoves, Leaf, Limits, Tree};
use faas_sandbox_linux::root::{self, Template};
use faas_sandbox_linux::stem::{self, Hatching, Parked, Shell, StartError, Started, Stem, Waiter, ZygotePlan};
use faas_sandbox_linux::sys::{CloneFlags, Cloned};
use faas_sandbox_linux::{landlock, packet, sealed, seccomp};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::pipe::PipeFlags;
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal};
use rustix::thread::{CapabilitySet, CapabilitySets};
use std::ffi::CString;
use std::time::Duration;

/// How long anything may take that is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Warms up, parks, and then runs what it is sent.
pub(crate) const ZYGOTE: &str = "\
import os, signal, sys, threading, ctypes, errno, mmap, socket
shared = [0]
seen = []
signal.signal(signal.SIGUSR1, lambda *_: seen.append('USR1'))
os.kill(os.getpid(), signal.SIGSTOP)
code = b''
while part := os.read(3, 65536):
    code += part
exec(code.decode())
";

/// Shells' limits, where a test wants no others.
pub(crate) const LIMITS: Limits = Limits { memory_bytes: 256 << 20, pids: 64, cpu_milli: 1000 };

/// A launcher, as far as sandboxes can tell.
pub(crate) struct World {
    pub(crate) waiter: Waiter,
    pub(crate) landlock: Option<landlock::Rules>,
    pub(crate) tree: Tree,
    seal: seccomp::Program,
    traced: seccomp::Program,
    init: OwnedFd,
    scratch: (OwnedFd, String),
    /// Zygotes' user; sandboxes' users follow.
    uid: u32,
    rootless: bool,
    _cheap_moves: Option<CheapMoves>,
}

/// A shell and its conversation with its init.
pub(crate) struct TestShell<'a> {
    world: &'a World,
    pub(crate) pid: i32,
    pub(crate) init: OwnedFd,
    pub(crate) control: OwnedFd,
    pub(crate) leaf: Leaf,
    pub(crate) stand_in: StandIn,
    pub(crate) landlock: bool,
    /// Whether what is started in it has a stem.
    pub(crate) stem: bool,
}

/// A program that was started: what it runs is written to `code`, what it prints read from `output`.
pub(crate) struct Program {
    pub(crate) number: u32,
    pub(crate) stem: Option<Stem>,
    pub(crate) code: OwnedFd,
    pub(crate) output: OwnedFd,
}

/// Waits until one can be read.
pub(crate) fn poll(descriptors: &[BorrowedFd<'_>]) {
    let mut polled: Vec<_> = descriptors.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    rustix::event::poll(&mut polled, None).expect("something to read");
}

/// Waits until it can be read, within [`PATIENCE`].
pub(crate) fn patiently(fd: BorrowedFd<'_>) {
    let limit = Timespec::try_from(PATIENCE).expect("a time");
    let ready = rustix::event::poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&limit));
    assert_eq!(ready, Ok(1), "nothing came for {PATIENCE:?}");
}

/// The next message of a conversation.
pub(crate) fn receive(from: BorrowedFd<'_>) -> String {
    patiently(from);
    let mut text = [0_u8; 256];
    let received = packet::receive(from, &mut text).expect("a message");
    String::from_utf8_lossy(&text[..received.length]).into_owned()
}

impl World {
    /// Becomes a launcher of real root.
    pub(crate) fn enter() -> Self {
        Self::build(false)
    }

    /// Becomes a launcher of an ordinary user.
    pub(crate) fn enter_rootless() -> Self {
        Self::build(true)
    }

    fn build(rootless: bool) -> Self {
        let process = std::process::id();
        let uid = 1_900_000_000 + process % 100_000 * 1000;
        let init =
            sealed::sealed_file("faas-init", &std::fs::read("/proc/self/exe").expect("this program")).expect("memory");
        let name = format!("faas-stem-{process}");
        let scratch = std::env::temp_dir().join(&name);
        std::fs::create_dir(&scratch).expect("a directory");
        let temporary = rustix::fs::open(std::env::temp_dir(), rustix::fs::OFlags::PATH, rustix::fs::Mode::empty());
        let temporary = temporary.expect("the directory of temporary files");
        if rootless {
            std::os::unix::fs::chown(&scratch, Some(uid), Some(uid)).expect("an owner");
            become_ordinary(uid);
        }
        root::private_mounts().expect("mounts of our own");
        let cheap_moves = (!rootless).then(|| cgroup::favor_dynamic_moves(&scratch)).flatten();
        // It remembers the kernel's answer there, for the next launcher; this directory has none.
        let _ = std::fs::remove_file(scratch.join("cheap-moves"));
        let read = |path: &str| std::fs::read_to_string(path).expect("a file of /proc");
        let found = if rootless {
            cgroup::Found::default()
        } else {
            cgroup::find(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"), None)
        };
        let tree = Tree::open(&name, found).expect("cgroups");
        let template = Template { scratch: &scratch, real_root: !rootless, packages: None, runners: &[] };
        template.enter().expect("the sandboxes' root");
        let landlock = landlock::Rules::prepare();
        if !rootless {
            reduce();
        }
        seccomp::base().install().expect("the base filter");
        Self {
            waiter: Waiter::new().expect("signals of children"),
            landlock,
            tree,
            seal: seccomp::seal(),
            traced: seccomp::seal_traced(),
            init,
            scratch: (temporary, name),
            uid: if rootless { 0 } else { uid },
            rootless,
            _cheap_moves: cheap_moves,
        }
    }

    /// Begins a zygote of this program, with a pipe for each of its first descriptors.
    pub(crate) fn hatch(&self, program: &[&str]) -> Hatching {
        let (input, _) = pipe();
        let (_kept, output) = pipe();
        let error = std::io::stderr();
        let argv: Vec<CString> = program.iter().map(|word| CString::new(*word).expect("a word")).collect();
        let plan = ZygotePlan {
            seal: &self.traced,
            uid: self.uid,
            argv: &argv,
            env: &[c"PATH=/usr/bin:/bin".to_owned(), c"LANG=C.UTF-8".to_owned()],
            // What goes wrong in it is to be seen.
            stdio: [input.as_fd(), output.as_fd(), error.as_fd()],
        };
        stem::hatch(&plan).expect("a process")
    }

    /// A parked zygote of Python with this source.
    pub(crate) fn python(&self, source: &str) -> Parked {
        self.park(self.hatch(&["/usr/bin/python3", "-I", "-S", "-c", source])).expect("a zygote")
    }

    /// Waits for what becomes of it.
    pub(crate) fn park(&self, mut hatching: Hatching) -> Result<Parked, stem::HatchError> {
        loop {
            if let Some(parked) = hatching.look(&self.waiter)? {
                return Ok(parked);
            }
            patiently(self.waiter.descriptor());
            self.waiter.quiet();
        }
    }

    pub(crate) fn shell(&self) -> TestShell<'_> {
        self.shell_with(&LIMITS)
    }

    /// A shell in the network that this process is in.
    pub(crate) fn shell_in_our_network(&self) -> TestShell<'_> {
        self.assemble(&LIMITS, CloneFlags::SANDBOX)
    }

    /// The user of its zygotes.
    pub(crate) fn zygotes(&self) -> u32 {
        self.uid
    }

    /// A shell with a network of its own.
    pub(crate) fn shell_with(&self, limits: &Limits) -> TestShell<'_> {
        self.assemble(limits, CloneFlags::SHELL)
    }

    /// A shell, assembled as every sandbox is, whose init is ready.
    fn assemble(&self, limits: &Limits, namespaces: CloneFlags) -> TestShell<'_> {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let leaf = self.tree.create(&format!("shell-{number}"), limits).expect("a cgroup");
        let (control, theirs) = packet::pair().expect("sockets");
        let (go, told) = pipe();
        let rules = self.landlock.clone();
        let (pid, init) = match stem::clone_as_owner(self.uid, namespaces, leaf.birthplace()).expect("a child") {
            Cloned::Child => {
                drop(told);
                assemble::run(&assemble::Plan {
                    go: go.as_fd(),
                    control: theirs.as_fd(),
                    init: self.init.as_fd(),
                    masks: &[],
                    seal: &self.seal,
                    landlock: rules.as_ref(),
                    disk_bytes: 1 << 20,
                    inodes: 100,
                    packages: None,
                    stand_in: StandIn::default(),
                    fail_at: None,
                })
            }
            Cloned::Parent { pid, pidfd } => (pid, pidfd),
        };
        let outer = if self.rootless { 0 } else { self.uid + 1 + number % 900 };
        for file in ["uid_map", "gid_map"] {
            std::fs::write(format!("/proc/{pid}/{file}"), format!("{INNER_ID} {outer} 1")).expect("an id map");
        }
        leaf.place(pid).expect("a place");
        rustix::io::write(&told, b"g").expect("a child that waits");
        drop((theirs, go));
        assert_eq!(receive(control.as_fd()), READY);
        TestShell { world: self, pid, init, control, leaf, stand_in: StandIn::default(), landlock: true, stem: false }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.tree.remove();
        let (directory, name) = &self.scratch;
        let _ = rustix::fs::unlinkat(directory, name.as_str(), rustix::fs::AtFlags::REMOVEDIR);
    }
}

impl TestShell<'_> {
    /// Starts a program in it.
    pub(crate) fn start(&self, zygote: &mut Parked) -> Program {
        self.try_start(zygote, None, PATIENCE).expect("a program")
    }

    pub(crate) fn try_start(
        &self,
        zygote: &mut Parked,
        fault: Option<stem::Fault>,
        bound: Duration,
    ) -> Result<Program, StartError> {
        let (input, _) = pipe();
        let (output, theirs) = pipe();
        let (read_code, code) = pipe();
        let shell = Shell {
            init: self.init.as_fd(),
            descriptors: [input.as_fd(), theirs.as_fd(), theirs.as_fd(), read_code.as_fd()],
            leaf: &self.leaf,
            landlock: self.world.landlock.as_ref().filter(|_| self.landlock),
            stand_in: self.stand_in,
            stem: self.stem,
            bound,
            fault,
        };
        let Started { number, stem } = zygote.start(&self.world.waiter, &shell)?;
        Ok(Program { number, stem, code, output })
    }

    /// What a program prints that runs this code to its end.
    pub(crate) fn run(&self, zygote: &mut Parked, code: &str) -> String {
        self.start(zygote).run(code)
    }

    /// What its init says next.
    pub(crate) fn said(&self) -> String {
        receive(self.control.as_fd())
    }
}

impl Drop for TestShell<'_> {
    fn drop(&mut self) {
        let _ = pidfd_send_signal(&self.init, Signal::KILL);
        let _ = rustix::process::waitid(WaitId::PidFd(self.init.as_fd()), WaitIdOptions::EXITED);
        // Busy for moments after the last process is gone.
        while !self.world.tree.remove_leaf(&self.leaf) {
            std::thread::yield_now();
        }
    }
}

impl Program {
    /// What it prints, once it has run this code.
    pub(crate) fn run(self, code: &str) -> String {
        self.send(code);
        // What has a stem keeps it until it has ended.
        let Self { code, output, stem: _stem, .. } = self;
        drop(code);
        let mut printed = Vec::new();
        let mut part = [0_u8; 4096];
        loop {
            patiently(output.as_fd());
            match rustix::io::read(&output, &mut part).expect("output") {
                0 => return String::from_utf8(printed).expect("text").trim_end().to_owned(),
                length => printed.extend_from_slice(&part[..length]),
            }
        }
    }

    /// Sends a part of its code.
    pub(crate) fn send(&self, code: &str) {
        assert_eq!(rustix::io::write(&self.code, code.as_bytes()), Ok(code.len()));
    }
}

fn pipe() -> (OwnedFd, OwnedFd) {
    rustix::pipe::pipe_with(PipeFlags::CLOEXEC).expect("a pipe")
}

/// What a launcher of real root keeps. Nothing of it allows tracing.
fn reduce() {
    rustix::thread::set_thread_groups(&[]).expect("no groups");
    let kept = CapabilitySet::SYS_ADMIN
        | CapabilitySet::DAC_OVERRIDE
        | CapabilitySet::SETUID
        | CapabilitySet::SETGID
        | CapabilitySet::KILL
        | CapabilitySet::NET_ADMIN;
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets).expect("fewer capabilities");
}

/// An ordinary user, root of its own user namespace.
fn become_ordinary(uid: u32) {
    let (user, group) = (rustix::process::Uid::from_raw(uid), rustix::process::Gid::from_raw(uid));
    rustix::thread::set_thread_groups(&[]).expect("no groups");
    rustix::thread::set_thread_res_gid(group, group, group).expect("a group");
    rustix::thread::set_thread_res_uid(user, user, user).expect("a user");
    // Another user's process would have files in /proc that are root's.
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::Dumpable).expect("our own files");
    faas_sandbox_linux::sys::unshare(rustix::thread::UnshareFlags::NEWUSER).expect("a user namespace");
    std::fs::write("/proc/self/setgroups", "deny").expect("no groups");
    std::fs::write("/proc/self/uid_map", format!("0 {uid} 1")).expect("an id map");
    std::fs::write("/proc/self/gid_map", format!("0 {uid} 1")).expect("an id map");
}

/// Processes whose parent, or tracer, is this one: (pid, whether it is a zombie).
pub(crate) fn relatives(of: u32) -> Vec<(i32, bool)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
        let Ok(status) = std::fs::read_to_string(entry.path().join("status")) else { continue };
        let field =
            |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(|text| text.trim().to_owned());
        let related = ["PPid:", "TracerPid:"].into_iter().any(|name| field(name) == Some(of.to_string()));
        if related {
            found.push((pid, field("State:").is_some_and(|state| state.starts_with('Z'))));
        }
    }
    found.sort_unstable();
    found
}
