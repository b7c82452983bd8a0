//! From a fresh process to one that can assemble sandboxes, and the report of what this host gives.

use crate::args::Args;
use crate::compiled::compiled;
use crate::descriptors::{self, TooFew};
use crate::identity::Identity;
use faas_protocol::launcher::{FromLauncher, Host};
use faas_sandbox_linux::cgroup::{self, CheapMoves, Controller, Tree, Version};
use faas_sandbox_linux::root::procfs::{self, Mask};
use faas_sandbox_linux::root::{self, RunnerFile, Template, TemplateError};
use faas_sandbox_linux::slot::Slot;
use faas_sandbox_linux::{caps, landlock, packet, sealed, seccomp, sys};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

/// Init, built before this program.
const INIT: &[u8] = include_bytes!(env!("FAAS_INIT"));

/// What runs user code, by the contract.
const RUNNERS: [RunnerFile<'static>; 6] = [
    source("start.py", include_bytes!("../../../runtimes/python/start.py")),
    source("runner.js", include_bytes!("../../../runtimes/javascript/runner.js")),
    source("ahead.js", include_bytes!("../../../runtimes/javascript/ahead.js")),
    source("handler.js", include_bytes!("../../../runtimes/javascript/handler.js")),
    source("shared.js", include_bytes!("../../../runtimes/javascript/shared.js")),
    // Built before this program, as init is.
    RunnerFile { name: "cgi", content: include_bytes!(env!("FAAS_CGI_RUNNER")), executable: true },
];

/// The Python runner, which is compiled where that is possible, and its file names then.
const PYTHON: [(RunnerFile<'static>, &str); 6] = [
    (source("runner.py", include_bytes!("../../../runtimes/python/runner.py")), "runner.pyc"),
    (source("leave.py", include_bytes!("../../../runtimes/python/leave.py")), "leave.pyc"),
    (source("ahead.py", include_bytes!("../../../runtimes/python/ahead.py")), "ahead.pyc"),
    (source("prepare.py", include_bytes!("../../../runtimes/python/prepare.py")), "prepare.pyc"),
    (source("handler.py", include_bytes!("../../../runtimes/python/handler.py")), "handler.pyc"),
    (source("shared.py", include_bytes!("../../../runtimes/python/shared.py")), "shared.pyc"),
];

const fn source(name: &'static str, content: &'static [u8]) -> RunnerFile<'static> {
    RunnerFile { name, content, executable: false }
}

/// What compiles the Python runner, and runs it.
pub(crate) const PYTHON_INTERPRETER: &str = "/usr/bin/python3";

/// Languages and where their interpreters must be: absolute, so that no `PATH` decides.
const INTERPRETERS: [(&str, &str); 4] = [
    ("python", PYTHON_INTERPRETER),
    ("javascript", "/usr/bin/node"),
    ("bash", "/usr/bin/bash"),
    ("php", "/usr/bin/php-cgi"),
];

/// Everything a running launcher holds.
pub(crate) struct Running {
    pub(crate) server: OwnedFd,
    pub(crate) identity: Identity,
    pub(crate) slot: Slot,
    pub(crate) tree: Tree,
    /// Held, never used.
    pub(crate) _cheap_moves: Option<CheapMoves>,
    pub(crate) init: OwnedFd,
    pub(crate) masks: Vec<Mask>,
    pub(crate) seal: seccomp::Program,
    /// The seal of zygotes and of what is forked from them.
    pub(crate) zygote_seal: seccomp::Program,
    pub(crate) landlock: Option<landlock::Rules>,
    pub(crate) host: Host,
    /// The directory of all installed packages.
    pub(crate) packages: Option<OwnedFd>,
}

impl Running {
    /// Who zygotes are, and who owns the user namespaces of sandboxes: nobody else is.
    pub(crate) fn zygote_uid(&self) -> u32 {
        match self.identity {
            Identity::Root => self.slot.zygote_uid(),
            // The only id of the launcher's own namespace.
            Identity::Rootless { .. } => 0,
        }
    }
}

/// The launcher cannot work here; the server was told why.
pub(crate) struct Refused;

struct Refusal {
    reason: String,
    fix: &'static str,
}

const REPORT: &str = "this is not expected; please report it with the output of `faas doctor --json`";

fn refusal(reason: &str, errno: Errno, fix: &'static str) -> Refusal {
    Refusal { reason: format!("{reason}: {errno}"), fix }
}

/// Starts the launcher in the calling process, whose standard input is the server's socket.
pub(crate) fn start() -> Result<Running, Refused> {
    let server = take_server_socket().map_err(|_| Refused)?;
    match establish(&server) {
        Ok(parts) => Ok(parts.with_server(server)),
        Err(refusal) => {
            let message = FromLauncher::Refused { reason: refusal.reason, fix: refusal.fix.to_owned() };
            if let Ok(frame) = message.encode() {
                // The server may be gone; it then needs no reason.
                let _ = packet::send(server.as_fd(), &frame, &[]);
            }
            Err(Refused)
        }
    }
}

fn take_server_socket() -> Result<OwnedFd, Errno> {
    let socket = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    let null = rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    sys::dup_onto(null.as_fd(), 0)?;
    Ok(socket)
}

struct Parts {
    identity: Identity,
    slot: Slot,
    tree: Tree,
    cheap_moves: Option<CheapMoves>,
    init: OwnedFd,
    masks: Vec<Mask>,
    landlock: Option<landlock::Rules>,
    host: Host,
    packages: Option<OwnedFd>,
}

impl Parts {
    fn with_server(self, server: OwnedFd) -> Running {
        let Self { identity, slot, tree, cheap_moves, init, masks, landlock, host, packages } = self;
        Running {
            server,
            identity,
            slot,
            tree,
            _cheap_moves: cheap_moves,
            init,
            masks,
            seal: seccomp::seal(),
            zygote_seal: seccomp::seal_traced(),
            landlock,
            host,
            packages,
        }
    }
}

fn establish(server: &OwnedFd) -> Result<Parts, Refusal> {
    let args = Args::parse(std::env::args_os())
        .ok_or_else(|| Refusal { reason: "the launcher's arguments are malformed".to_owned(), fix: REPORT })?;
    detach().map_err(|errno| refusal("leaving the server's session failed", errno, REPORT))?;
    let identity = Identity::establish().map_err(|errno| {
        if caps::is_host_uid_zero() {
            return refusal(
                "this is root without the capabilities SYS_ADMIN, SETUID, SETGID, CHOWN, KILL and MKNOD",
                errno,
                "start it with them, or as an ordinary user",
            );
        }
        refusal(
            "this user may not make user namespaces",
            errno,
            "run as root, or allow them: sysctl -w user.max_user_namespaces=15000 \
             (and kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0 where they exist)",
        )
    })?;
    let slots = open_slots(&args.runtime_dir)?;
    let failed = |error: &TemplateError| Refusal { reason: error.to_string(), fix: REPORT };
    root::private_mounts().map_err(|error| failed(&error))?;
    let cheap_moves = cgroup::favor_dynamic_moves(&args.runtime_dir);
    let (slot, tree, reconciled) = take_slot(identity, &slots)?;
    descriptors::allow(args.max_sandboxes, &tree).map_err(|TooFew { needed, limit }| Refusal {
        reason: format!(
            "so many sandboxes at once (max_sandboxes, those made ahead and those of builds: {}) take {needed} open \
             files, and the limit is {limit}",
            args.max_sandboxes
        ),
        fix: "raise it with `ulimit -Hn`, or lower max_sandboxes",
    })?;
    let init = sealed::sealed_file("faas-init", INIT)
        .map_err(|errno| refusal("sealing init in memory failed", errno, REPORT))?;
    let masks = proc_masks();
    let is_root = identity == Identity::Root;
    let sources = PYTHON.map(|(file, _)| file);
    let compiled = compiled(&sources, &args.runtime_dir, is_root.then(|| slot.sandbox_uid(1))).unwrap_or_default();
    let compiled = PYTHON.iter().zip(&compiled);
    let compiled = compiled.map(|((_, name), content)| RunnerFile { name, content, executable: false });
    let template = Template {
        scratch: &args.runtime_dir,
        real_root: is_root,
        packages: args.packages.as_deref(),
        runners: &RUNNERS.into_iter().chain(sources).chain(compiled).collect::<Vec<_>>(),
    };
    let runtimes = interpreters();
    let memory_bytes = total_memory();
    template.enter().map_err(|error| failed(&error))?;
    let packages = args.packages.is_some().then(root::packages::root).transpose();
    let packages = packages.map_err(|errno| refusal("opening the directory of packages failed", errno, REPORT))?;
    let landlock = landlock::Rules::prepare();
    identity.reduce().map_err(|errno| refusal("dropping capabilities failed", errno, REPORT))?;
    seccomp::base().install().map_err(|errno| {
        refusal("installing a seccomp filter failed", errno, "run a kernel with CONFIG_SECCOMP_FILTER")
    })?;
    let report = Report { identity, tree: &tree, landlock: landlock.is_some() };
    let host = Host {
        version: faas_protocol::VERSION,
        root: identity == Identity::Root,
        server_uid: if identity == Identity::Root { slot.server_uid() } else { 0 },
        layers: report.layers(),
        limits: report.limits(),
        missing: report.missing(),
        runtimes,
        memory_bytes,
        cpu_milli: processors().saturating_mul(1000),
        pids: 4_194_304,
        max_sandboxes: args.max_sandboxes,
        reconciled,
        packages: packages.is_some(),
    };
    let hello = FromLauncher::Hello(host.clone())
        .encode()
        .map_err(|error| Refusal { reason: error.to_string(), fix: REPORT })?;
    packet::send(server.as_fd(), &hello, &[]).map_err(|errno| refusal("the server is gone", errno, REPORT))?;
    Ok(Parts { identity, slot, tree, cheap_moves, init, masks, landlock, host, packages })
}

/// Out of the server's session and process group, so that a terminal's Ctrl-C reaches the server
/// only, which then ends sandboxes in order.
fn detach() -> Result<(), Errno> {
    rustix::thread::set_name(c"faas-launcher")?;
    rustix::process::setsid()?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    // So that no key of the starter's session is in a sandbox's reach; a kernel may have none.
    let _ = sys::join_new_session_keyring();
    rustix::process::chdir("/")
}

/// Opens the directory of slots, making it if needed. It must belong to this user and nobody else
/// may write to it: whoever can, could name pids to be killed.
fn open_slots(runtime_dir: &Path) -> Result<OwnedFd, Refusal> {
    let refuse = |error: &std::io::Error| Refusal {
        reason: format!("the runtime directory {} cannot be used: {error}", runtime_dir.display()),
        fix: "set FAAS_RUNTIME_DIR to a directory that only this user can write",
    };
    let slots = runtime_dir.join("slots");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&slots).map_err(|error| refuse(&error))?;
    let uid = rustix::process::geteuid().as_raw();
    for dir in [runtime_dir, &slots] {
        let metadata = fs::symlink_metadata(dir).map_err(|error| refuse(&error))?;
        if !metadata.is_dir() || metadata.uid() != uid || metadata.permissions().mode() & 0o022 != 0 {
            return Err(refuse(&std::io::Error::other("it belongs to, or can be written by, somebody else")));
        }
    }
    rustix::fs::open(&slots, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())
        .map_err(|errno| refuse(&errno.into()))
}

/// Takes a slot and its cgroups, and ends what dead launchers left. Returns how many sandboxes of
/// theirs were still alive.
fn take_slot(identity: Identity, slots: &OwnedFd) -> Result<(Slot, Tree, u32), Refusal> {
    let mountinfo = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let memberships = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut first = 0;
    let mut attempts = 0;
    let (slot, tree, left) = loop {
        let (slot, left) = Slot::take(slots, first).map_err(|errno| refusal("taking a slot failed", errno, REPORT))?;
        left.cgroups.iter().for_each(|path| cgroup::remove_path(path));
        let found = cgroup::find(&mountinfo, &memberships, identity.owner());
        match Tree::open(&slot.directory_name(), found) {
            Ok(tree) => break (slot, tree, left),
            // A launcher with another runtime directory has this name.
            Err(Errno::WOULDBLOCK) => first = slot.index() + 1,
            // A launcher that ended removed the common directory because it was empty, just now.
            Err(Errno::NOENT | Errno::NODEV) if attempts < 100 => attempts += 1,
            Err(errno) => return Err(refusal("making this launcher's cgroups failed", errno, REPORT)),
        }
    };
    tree.reconcile();
    slot.record_cgroups(&tree.paths())
        .map_err(|errno| refusal("recording this launcher's cgroups failed", errno, REPORT))?;
    let reaped = slot
        .reap_dead(|left| left.cgroups.iter().for_each(|path| cgroup::remove_path(path)))
        .map_err(|errno| refusal("ending what dead launchers left failed", errno, REPORT))?;
    let ended = left.ended + reaped;
    Ok((slot, tree, ended))
}

fn proc_masks() -> Vec<Mask> {
    let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok).filter_map(|entry| {
        let metadata = entry.metadata().ok()?;
        Some(procfs::Entry {
            name: entry.file_name().to_string_lossy().into_owned(),
            directory: metadata.is_dir(),
            open: metadata.permissions().mode() & 0o007 != 0,
        })
    });
    procfs::masks(entries)
}

fn interpreters() -> Vec<(String, String)> {
    INTERPRETERS
        .into_iter()
        .filter(|(_, path)| {
            // Everybody must be able to run it, and it must be where sandboxes can see it.
            fs::canonicalize(path).is_ok_and(|real| {
                (real.starts_with("/usr") || real.starts_with("/bin"))
                    && fs::metadata(&real)
                        .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o005 == 0o005)
            })
        })
        .map(|(language, path)| (language.to_owned(), path.to_owned()))
        .collect()
}

fn total_memory() -> u64 {
    fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        })
        .map_or(0, |kibibytes| kibibytes * 1024)
}

fn processors() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(u32::MAX))
}

struct Report<'a> {
    identity: Identity,
    tree: &'a Tree,
    landlock: bool,
}

impl Report<'_> {
    fn layers(&self) -> Vec<String> {
        let mut layers = vec!["user", "pid", "mount", "net", "ipc", "uts", "cgroup", "seccomp"];
        if self.landlock {
            layers.push("landlock");
        }
        if self.identity == Identity::Root {
            layers.push("distinct_uid");
        }
        layers.into_iter().map(str::to_owned).collect()
    }

    fn limits(&self) -> Vec<(String, String)> {
        let mut limits = vec![("disk", "tmpfs")];
        for (name, controller) in LIMITED {
            match self.tree.offers(controller) {
                Some(Version::One) => limits.push((name, "cgroup1")),
                Some(Version::Two) => limits.push((name, "cgroup2")),
                None if controller == Controller::Pids && self.rlimit_counts_processes() => {
                    limits.push((name, "rlimit"));
                }
                None => {}
            }
        }
        limits.into_iter().map(|(name, by)| (name.to_owned(), by.to_owned())).collect()
    }

    /// The kernel counts processes per user and user namespace, and every sandbox has a namespace
    /// of its own; only real root's own uid would be exempt, and no sandbox has it.
    fn rlimit_counts_processes(&self) -> bool {
        self.identity != Identity::Root
    }

    fn missing(&self) -> Vec<(String, String, String)> {
        let enforced = self.limits();
        LIMITED
            .into_iter()
            .filter(|(name, _)| !enforced.iter().any(|(limit, _)| limit == name))
            .map(|(name, controller)| {
                let why = format!("no usable cgroup with the {} controller", controller.as_str());
                let fix = match self.identity {
                    Identity::Root => "mount the cgroup file systems under /sys/fs/cgroup".to_owned(),
                    Identity::Rootless { uid } => format!("sudo faas doctor --fix --user {uid}"),
                };
                (name.to_owned(), why, fix)
            })
            .collect()
    }
}

/// Limits a cgroup controller enforces.
const LIMITED: [(&str, Controller); 3] =
    [("memory", Controller::Memory), ("pids", Controller::Pids), ("cpu", Controller::Cpu)];
