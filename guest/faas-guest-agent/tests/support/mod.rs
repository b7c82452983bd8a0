//! The host's side of a conversation with the real init binary, outside a sandbox.
//!
//! Every wait is bounded by [`BOUND`]; init and everything it started end with [`Init`].

use std::fs::{self, File};
use std::io::{IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use faas_protocol::VERSION;
use faas_protocol::control::{FromInit, Spawn, ToInit};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketFlags, SocketType, recvmsg,
    send, socketpair,
};

/// How long anything may take.
pub(crate) const BOUND: Duration = Duration::from_secs(20);

const BINARY: &str = env!("CARGO_BIN_EXE_faas-guest-agent");

/// An init that runs, and the host's end of its control socket.
pub(crate) struct Init {
    child: Child,
    control: Option<OwnedFd>,
    /// The root of an isolated one.
    _root: Option<Directory>,
}

/// A program that runs: its call, pid and the host's ends.
pub(crate) struct Program {
    pub(crate) call: u32,
    pub(crate) pid: u32,
    pub(crate) stdin: Option<File>,
    pub(crate) stdout: File,
    pub(crate) stderr: File,
    pub(crate) socket: Option<File>,
}

impl Init {
    /// As an ordinary child process, with the host's own file system, already greeted.
    pub(crate) fn start() -> Self {
        Self::start_with("", "").greeted()
    }

    /// As an ordinary child process, not greeted: shell commands `before` it run in the shell that
    /// becomes it, and `wrapper` is a command that executes it.
    pub(crate) fn start_with(before: &str, wrapper: &str) -> Self {
        Self::start_binary(Path::new(BINARY), before, wrapper)
    }

    /// The same with a copy of the binary.
    pub(crate) fn start_binary(binary: &Path, before: &str, wrapper: &str) -> Self {
        let script = format!("{before} exec {wrapper} \"$0\" 3<&0 0</dev/null");
        Self::spawn(Command::new("/bin/sh").args(["-c", &script]).arg(binary), None)
    }

    /// As pid 1 of namespaces of its own, without capabilities, with a root that has the two areas (`/workspace` has room
    /// for 256 KiB). `None`, with a printed reason, where this user may not make such namespaces.
    pub(crate) fn start_isolated(test: &str) -> Option<Self> {
        let probe = Command::new("unshare").args(["--user", "--map-root-user", "--mount", "true"]).output();
        if !probe.as_ref().is_ok_and(|output| output.status.success()) {
            let _ = writeln!(std::io::stderr(), "SKIP {test}: user namespaces are not available here: {probe:?}");
            return None;
        }
        let directory = Directory::new();
        let root = directory.path();
        for name in ["usr", "workspace", "code", "tmp", "proc", "dev", "dev/shm", "etc"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        for name in ["bin", "lib", "lib64", "sbin"] {
            std::os::unix::fs::symlink(format!("usr/{name}"), root.join(name)).unwrap();
        }
        fs::copy(BINARY, root.join("init")).unwrap();
        fs::write(root.join("dev/null"), "").unwrap();
        let script =
            "set -e; cd \"$0\"; mount --rbind /usr usr; mount --rbind /dev/null dev/null; mount -t proc proc proc;
            mount -t tmpfs -o size=256k workspace workspace; mount -t tmpfs -o size=256k code code;
            exec chroot . /usr/bin/setpriv --bounding-set=-all --inh-caps=-all --no-new-privs /init 3<&0 0</dev/null";
        let mut command = Command::new("unshare");
        command.args([
            "--user",
            "--map-root-user",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "/bin/sh",
            "-c",
            script,
        ]);
        Some(Self::spawn(command.arg(root), Some(directory)).greeted())
    }

    fn spawn(command: &mut Command, root: Option<Directory>) -> Self {
        let (host, inside) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        set_socket_timeout(&host, Timeout::Recv, Some(BOUND)).unwrap();
        let child = command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::from(inside)).spawn();
        Self { child: child.unwrap(), control: Some(host), _root: root }
    }

    /// Opens the conversation.
    pub(crate) fn greeted(mut self) -> Self {
        assert_eq!(self.hear(), FromInit::Ready { version: VERSION });
        self.say(&ToInit::Hello { version: VERSION });
        self
    }

    /// The pid the host knows init by. Not for an isolated one.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn say(&mut self, message: &ToInit) {
        self.say_raw(&message.encode().unwrap());
    }

    pub(crate) fn say_raw(&mut self, frame: &[u8]) {
        send(self.control.as_ref().unwrap(), frame, SendFlags::NOSIGNAL).unwrap();
    }

    /// The next message, which carries no descriptor.
    pub(crate) fn hear(&mut self) -> FromInit {
        let (message, descriptors) = self.hear_with_descriptors();
        assert!(descriptors.is_empty(), "{message:?} carries {} descriptors", descriptors.len());
        message
    }

    fn hear_with_descriptors(&mut self) -> (FromInit, Vec<OwnedFd>) {
        let mut buffer = vec![0; 256 * 1024];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let control = self.control.as_ref().unwrap();
        let length = recvmsg(control, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC).unwrap().bytes;
        let mut descriptors = Vec::new();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        (FromInit::decode(&buffer[..length]).unwrap(), descriptors)
    }

    /// Starts a program that must start.
    pub(crate) fn run(&mut self, spawn: Spawn) -> Program {
        let (expected, runner) = (spawn.call, spawn.runner);
        self.say(&ToInit::Spawn(spawn));
        let (message, descriptors) = self.hear_with_descriptors();
        let FromInit::Spawned { call, pid } = message else { panic!("not spawned: {message:?}") };
        assert_eq!(call, expected);
        assert_eq!(descriptors.len(), if runner { 4 } else { 3 });
        let mut ends = descriptors.into_iter().map(File::from);
        let mut end = || ends.next();
        Program { call, pid, stdin: end(), stdout: end().unwrap(), stderr: end().unwrap(), socket: end() }
    }

    /// Runs `script` in a shell to its end; gives what it printed.
    pub(crate) fn shell(&mut self, call: u32, script: &str) -> String {
        let program = self.run(spawn(call, &["/bin/sh", "-c", script]));
        let output = read_all(program.stdout);
        assert_eq!(self.hear(), FromInit::Exited { call, code: 0, signal: 0 }, "{}", read_all(program.stderr));
        output
    }

    /// The kernel's answer to a program that must not start.
    pub(crate) fn refused(&mut self, spawn: Spawn) -> i32 {
        let expected = spawn.call;
        self.say(&ToInit::Spawn(spawn));
        let message = self.hear();
        let FromInit::SpawnFailed { call, errno } = message else { panic!("not refused: {message:?}") };
        assert_eq!(call, expected);
        errno
    }

    pub(crate) fn put(&mut self, path: &str, append: bool, content: &[u8]) {
        let (path, content) = (path.as_bytes().to_vec(), content.to_vec());
        self.say(&ToInit::PutFile { path, executable: false, append, content });
    }

    /// Hangs up and gives init's end.
    pub(crate) fn hang_up(mut self) -> ExitStatus {
        self.control = None;
        self.wait()
    }

    /// Init's end, which must come by itself.
    pub(crate) fn wait(mut self) -> ExitStatus {
        let mut status = None;
        wait_for("init ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Init {
    fn drop(&mut self) {
        self.control = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A plain program in `/`, with an empty environment.
pub(crate) fn spawn(call: u32, argv: &[&str]) -> Spawn {
    let argv = argv.iter().map(|argument| argument.as_bytes().to_vec()).collect();
    Spawn { call, argv, env: Vec::new(), cwd: b"/".to_vec(), runner: false }
}

/// Everything until the other end is closed.
pub(crate) fn read_all(mut file: File) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let timeout = Timespec::try_from(BOUND).unwrap();
        let ready = poll(&mut [PollFd::from_borrowed_fd(file.as_fd(), PollFlags::IN)], Some(&timeout)).unwrap();
        assert_ne!(ready, 0, "nothing more came after {:?}", String::from_utf8_lossy(&bytes));
        match file.read(&mut buffer).unwrap() {
            0 => return String::from_utf8(bytes).unwrap(),
            length => bytes.extend_from_slice(&buffer[..length]),
        }
    }
}

/// Waits until something holds.
pub(crate) fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + BOUND;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

/// A directory for one test; gone with it.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("faas-init-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Pids of the processes whose parent is `parent`, zombies too.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let stat = |entry: &Path| fs::read_to_string(entry.join("stat")).ok();
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let pid = path.file_name()?.to_str()?.parse().ok()?;
            let stat = stat(&path)?;
            let ppid: u32 = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
            (ppid == parent).then_some(pid)
        })
        .collect()
}
