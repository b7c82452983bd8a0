//! This test program run again as an ordinary user.

#![expect(clippy::print_stderr, reason = "a test that cannot run here says so")]

use faas_executor_process::{delegate, undelegate};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Uids nobody on a test machine has; each test its own.
const WITH_CGROUPS: u32 = 912_345;
const WITHOUT_CGROUPS: u32 = 912_346;

#[test]
fn ordinary_user_with_delegated_cgroups() {
    run_again_as(WITH_CGROUPS, true);
}

#[test]
fn ordinary_user_without_cgroups() {
    run_again_as(WITHOUT_CGROUPS, false);
}

/// A place the user can execute this program from and keep its state in.
struct Home {
    dir: PathBuf,
    uid: u32,
    delegated: bool,
}

impl Home {
    fn make(uid: u32, delegated: bool) -> Self {
        let dir = std::env::temp_dir().join(format!("faas-conformance-{uid}-{}", std::process::id()));
        std::fs::create_dir(&dir).expect("a directory");
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).expect("permissions");
        std::fs::copy(std::env::current_exe().expect("this program"), dir.join("again")).expect("a copy");
        std::fs::create_dir(dir.join("home")).expect("a home");
        chown(dir.join("home"), Some(uid), Some(uid)).expect("an owner");
        if delegated {
            delegate(&uid.to_string()).expect("cgroups");
        }
        Self { dir, uid, delegated }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.delegated {
            undelegate(&self.uid.to_string()).expect("no cgroups");
        }
        std::fs::remove_dir_all(&self.dir).expect("no directory");
    }
}

fn run_again_as(uid: u32, delegated: bool) {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIP: only root can become another user");
        return;
    }
    let home = Home::make(uid, delegated);
    // On cgroup v2 a process must already be in the user's cgroup; root puts it there.
    let shell = format!("/sys/fs/cgroup/faas-user-{uid}/shell/cgroup.procs");
    let enter = if delegated && Path::new(&shell).exists() { format!("echo $$ > {shell} && ") } else { String::new() };
    let user = format!("exec setpriv --reuid={uid} --regid={uid} --clear-groups --inh-caps=-all -- \"$@\"");
    let output = Command::new("/bin/sh")
        .args(["-c", &format!("{enter}{user}"), "sh"])
        .arg(home.dir.join("again"))
        .args(["--skip", "ordinary_user", "--test-threads", "2"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .env("HOME", home.dir.join("home"))
        .env("XDG_RUNTIME_DIR", home.dir.join("home"))
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains(" passed; 0 failed"), "{text}");
}
