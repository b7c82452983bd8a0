//! The minimal root, built once in memory.
//!
//! `/usr` read-only without `/usr/local`, a synthetic `/etc`, five harmless devices, the runners.
//! Nothing in it can be written once [`Template::enter`] returns.

use super::{CODE, PACKAGES_ROOT, RUNNERS, SANDBOX_ROOT, WORKSPACE, pivot};
use crate::sys::mount_read_only;
use rustix::fd::AsRawFd;
use rustix::fs::{FileType, Mode, OFlags, makedev};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags};
use rustix::thread::UnshareFlags;
use std::ffi::CString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// A runner's source or program, placed under `/opt/faas`.
#[derive(Debug, Clone, Copy)]
pub struct RunnerFile<'a> {
    /// File name.
    pub name: &'a str,
    /// Content.
    pub content: &'a [u8],
    /// Whether it is a program.
    pub executable: bool,
}

/// A step of building the root that failed.
#[derive(Debug, thiserror::Error)]
#[error("building the sandboxes' root failed at {step}: {errno}")]
pub struct TemplateError {
    /// What was being done.
    pub step: String,
    /// The kernel's answer.
    pub errno: Errno,
}

/// How to build the root.
#[derive(Debug)]
pub struct Template<'a> {
    /// An existing directory; only the launcher's own mount namespace changes.
    pub scratch: &'a Path,
    /// Whether the caller may make device nodes; otherwise the host's are bound.
    pub real_root: bool,
    /// An absolute path of the host's: the directory of all installed packages.
    pub packages: Option<&'a Path>,
    /// The runners.
    pub runners: &'a [RunnerFile<'a>],
}

/// Devices with their numbers (`Documentation/admin-guide/devices.txt`): harmless to everybody.
const DEVICES: [(&str, u32, u32); 5] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9)];

/// Directories of the sandboxes' root that hold nothing yet.
const EMPTY: [&str; 9] = ["proc", "dev", "tmp", "workspace", "code", "opt", "opt/faas", "opt/empty", "packages"];
/// Where Node looks for modules last, whatever asks for them and from wherever.
const NODE_MODULES: (&str, &str) = ("node_modules", "packages/node_modules");
/// Directories of the launcher's own root: for the host's `/proc`, for writable areas being made,
/// for packages, and for the sandboxes' root.
const OUTER: [&str; 4] = ["proc", "mnt", "packages", "sandbox"];

/// Where top-level program directories may be links into `/usr`.
const PROGRAM_DIRECTORIES: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

const PASSWD: &str = "\
root:x:0:0:root:/:/usr/sbin/nologin
user:x:1000:1000:user:/workspace:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
";
const GROUP: &str = "root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n";
const HOSTS: &str = "127.0.0.1 localhost sandbox\n::1 localhost sandbox\n";
const NSSWITCH: &str = "passwd: files\ngroup: files\nhosts: files dns\n";

/// Gives the calling process a mount namespace of its own, from which nothing spreads.
///
/// # Errors
/// Names the step.
pub fn private_mounts() -> Result<(), TemplateError> {
    step("mount namespace", crate::sys::unshare(UnshareFlags::NEWNS))?;
    step(
        "private propagation",
        rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC),
    )
}

impl Template<'_> {
    /// Builds the roots in the calling process's own mount namespace and moves into the outer one.
    ///
    /// # Errors
    /// Names the step. The process must exit then: its root is in an unknown state.
    pub fn enter(&self) -> Result<(), TemplateError> {
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        self.mount_tmpfs(self.scratch, "size=64k,nr_inodes=16,mode=0755", flags)?;
        for name in OUTER {
            io_step(name, fs::create_dir(self.scratch.join(name)))?;
        }
        // For the id maps of sandboxes, and because a user namespace may mount a `/proc` of its own
        // only where one can be seen in full.
        step("proc", rustix::mount::mount_bind_recursive("/proc", self.scratch.join("proc")))?;
        self.bind_packages()?;
        self.tmpfs("", "size=16m,nr_inodes=4096,mode=0755", flags)?;
        for name in EMPTY {
            io_step(name, fs::create_dir(self.path(name)))?;
        }
        io_step(NODE_MODULES.0, symlink(NODE_MODULES.1, self.path(NODE_MODULES.0)))?;
        self.programs()?;
        self.etc()?;
        self.devices()?;
        for runner in self.runners {
            let path = self.path(RUNNERS).join(runner.name);
            io_step(runner.name, fs::write(&path, runner.content))?;
            let mode = if runner.executable { 0o755 } else { 0o644 };
            io_step(runner.name, fs::set_permissions(&path, fs::Permissions::from_mode(mode)))?;
        }
        self.read_only(&self.path("dev"), false)?;
        self.read_only(&self.path(""), false)?;
        step("chdir", rustix::process::chdir(self.scratch))?;
        step("pivot_root", pivot::enter())?;
        step("read-only root", mount_read_only(c"/", false))
    }

    /// A path in the sandboxes' root.
    fn path(&self, name: &str) -> PathBuf {
        let relative = |path: &str| path.trim_start_matches('/').to_owned();
        self.scratch.join(relative(SANDBOX_ROOT)).join(relative(name))
    }

    fn tmpfs(&self, name: &str, options: &str, flags: MountFlags) -> Result<(), TemplateError> {
        self.mount_tmpfs(&self.path(name), options, flags)
    }

    fn mount_tmpfs(&self, path: &Path, options: &str, flags: MountFlags) -> Result<(), TemplateError> {
        let options = CString::new(options).map_err(|_| failed("options", Errno::INVAL))?;
        step("tmpfs", rustix::mount::mount("tmpfs", path, "tmpfs", flags, Some(options.as_c_str())))
    }

    /// The directory of all packages, which is the server's: its path is resolved once, and what it names
    /// is not a link.
    fn bind_packages(&self) -> Result<(), TemplateError> {
        let Some(source) = self.packages else { return Ok(()) };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let source = step("packages", rustix::fs::open(source, flags, Mode::empty()))?;
        let source = format!("/proc/self/fd/{}", source.as_raw_fd());
        let target = self.scratch.join(PACKAGES_ROOT.trim_start_matches('/'));
        step("packages", rustix::mount::mount_bind_recursive(source, &target))?;
        self.read_only(&target, true)
    }

    fn bind_read_only(&self, source: &str, name: &str) -> Result<(), TemplateError> {
        let target = self.path(name);
        io_step(name, fs::create_dir_all(&target))?;
        step(source, rustix::mount::mount_bind_recursive(source, &target))?;
        self.read_only(&target, true)
    }

    fn read_only(&self, target: &Path, recursive: bool) -> Result<(), TemplateError> {
        let path = CString::new(target.as_os_str().as_encoded_bytes()).map_err(|_| failed("path", Errno::INVAL))?;
        step("read-only", mount_read_only(&path, recursive))
    }

    fn programs(&self) -> Result<(), TemplateError> {
        self.bind_read_only("/usr", "usr")?;
        if self.path("usr/local").is_dir() {
            // What an administrator put there is nobody else's business.
            self.tmpfs("usr/local", "size=4k,nr_inodes=2,mode=0555", MountFlags::NOSUID | MountFlags::NODEV)?;
            self.read_only(&self.path("usr/local"), false)?;
        }
        for name in PROGRAM_DIRECTORIES {
            let host = Path::new("/").join(name);
            match fs::read_link(&host) {
                Ok(target) => io_step(name, symlink(target, self.path(name)))?,
                Err(_) if host.is_dir() => self.bind_read_only(&format!("/{name}"), name)?,
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn etc(&self) -> Result<(), TemplateError> {
        io_step("etc", fs::create_dir(self.path("etc")))?;
        for (name, text) in [
            ("passwd", PASSWD),
            ("group", GROUP),
            ("hosts", HOSTS),
            ("hostname", "sandbox\n"),
            ("nsswitch.conf", NSSWITCH),
            ("resolv.conf", ""),
        ] {
            io_step(name, fs::write(self.path("etc").join(name), text))?;
        }
        for name in ["ld.so.cache", "ld.so.conf"] {
            if let Ok(content) = fs::read(Path::new("/etc").join(name)) {
                io_step(name, fs::write(self.path("etc").join(name), content))?;
            }
        }
        if Path::new("/etc/alternatives").is_dir() {
            self.bind_read_only("/etc/alternatives", "etc/alternatives")?;
        }
        Ok(())
    }

    fn devices(&self) -> Result<(), TemplateError> {
        self.tmpfs("dev", "size=64k,nr_inodes=64,mode=0755", MountFlags::NOSUID | MountFlags::NOEXEC)?;
        for (name, major, minor) in DEVICES {
            let path = self.path("dev").join(name);
            if self.real_root {
                let mode = Mode::from_raw_mode(0o666);
                step(
                    name,
                    rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::CharacterDevice, mode, makedev(major, minor)),
                )?;
                // The process's umask does not get a say.
                io_step(name, fs::set_permissions(&path, fs::Permissions::from_mode(0o666)))?;
            } else {
                io_step(name, fs::write(&path, ""))?;
                step(name, rustix::mount::mount_bind(Path::new("/dev").join(name), &path))?;
                // Devices can be written all the same; the node itself cannot be changed.
                self.read_only(&path, false)?;
            }
        }
        for (name, target) in [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")] {
            io_step(name, symlink(target, self.path("dev").join(name)))?;
        }
        io_step("shm", fs::create_dir(self.path("dev/shm")))
    }
}

/// The paths a sandbox may read, for landlock.
pub(crate) const READABLE: [&str; 11] =
    ["/usr", "/etc", "/proc", RUNNERS, "/packages", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
/// The paths a sandbox may write, for landlock.
pub(crate) const WRITABLE: [&str; 4] = [WORKSPACE, "/tmp", CODE, "/dev/shm"];

fn failed(step: &str, errno: Errno) -> TemplateError {
    TemplateError { step: step.to_owned(), errno }
}

fn step<T>(name: &str, result: Result<T, Errno>) -> Result<T, TemplateError> {
    result.map_err(|errno| failed(name, errno))
}

fn io_step<T>(name: &str, result: std::io::Result<T>) -> Result<T, TemplateError> {
    result.map_err(|error| failed(name, Errno::from_io_error(&error).unwrap_or(Errno::IO)))
}
