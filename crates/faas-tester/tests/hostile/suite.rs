//! What all trials share: a copy of the binary and the programs that every user can read, and the
//! two users the attacks run as.

use crate::host;
use crate::pace::Pace;
use crate::report;
use crate::served::{Served, Servers};
use crate::trial::Way;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Who starts the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Identity {
    /// The superuser.
    Root,
    /// A user no process, file or password entry has ever had; the suite's own user when not root.
    Ordinary,
}

impl Identity {
    /// Both, in the table's order.
    pub(crate) const ALL: [Self; 2] = [Self::Root, Self::Ordinary];

    /// The name in a trial's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Ordinary => "ordinary",
        }
    }
}

/// How long a server may take to end.
const SERVER_ENDS: Duration = Duration::from_secs(20);

/// Made once, taken back by [`Suite::finish`], or as far as possible when dropped.
pub(crate) struct Suite {
    stage: PathBuf,
    faas: PathBuf,
    programs: PathBuf,
    root: bool,
    uid: u32,
    delegated: bool,
    pace: Pace,
    servers: Servers,
    /// Why the ordinary user cannot be used.
    no_ordinary: Option<String>,
}

impl Suite {
    /// Copies what is needed where everybody can read it and prepares the identities.
    pub(crate) fn prepare(identities: &[Identity]) -> Result<Self, String> {
        let root = host::own_uid() == 0;
        let pace = Pace::from_environment()?;
        let stage = std::env::temp_dir().join(format!("faas-hostile-{}", random_word()?));
        make_directory(&stage, 0o755)?;
        make_directory(&stage.join("marks"), 0o777)?;
        make_directory(&stage.join("programs"), 0o755)?;
        let mut suite = Self {
            faas: stage.join("faas"),
            programs: programs_directory(),
            stage,
            root,
            uid: host::own_uid(),
            delegated: false,
            pace,
            servers: Servers::new(),
            no_ordinary: None,
        };
        copy(&binary()?, &suite.faas, 0o755)?;
        suite.stage_programs()?;
        if identities.contains(&Identity::Ordinary) && root {
            suite.make_ordinary()?;
        }
        for identity in Identity::ALL {
            let home = suite.home(identity);
            make_directory(&home, 0o700)?;
            if root && identity == Identity::Ordinary {
                chown(&home, Some(suite.uid), Some(suite.uid))
                    .map_err(|e| format!("cannot give {} away: {e}", home.display()))?;
            }
        }
        // What a first run leaves for later ones (a mounted hierarchy, a parent cgroup) belongs to the baseline.
        for identity in identities {
            if let Some(reason) = suite.why_not(*identity)
                && std::env::var_os("CI").is_some_and(|value| value == "true")
            {
                return Err(format!(
                    "continuous integration runs as both users, but not as {}: {reason}",
                    identity.name()
                ));
            }
            if suite.why_not(*identity).is_none() {
                let warm = suite.command(*identity).args(["run", "-c", "pass"]).output();
                match warm {
                    Ok(output) if output.status.success() => {}
                    Ok(output) => report::line(&format!(
                        "note: the first run as {} failed: {}",
                        identity.name(),
                        String::from_utf8_lossy(&output.stderr).trim()
                    )),
                    Err(problem) => return Err(format!("cannot start {}: {problem}", suite.faas.display())),
                }
            }
        }
        Ok(suite)
    }

    /// The directory of this run.
    pub(crate) fn stage(&self) -> &Path {
        &self.stage
    }

    /// How slow this machine is.
    pub(crate) fn pace(&self) -> Pace {
        self.pace
    }

    /// The copied binary.
    pub(crate) fn faas(&self) -> &Path {
        &self.faas
    }

    /// Where the programs were found; the golden list lives there.
    pub(crate) fn programs(&self) -> &Path {
        &self.programs
    }

    /// A program, staged; Python attacks carry the prelude in front.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.stage.join("programs").join(name)
    }

    /// The identity's own directory.
    pub(crate) fn home(&self, identity: Identity) -> PathBuf {
        self.stage.join(format!("home-{}", identity.name()))
    }

    /// Why nothing can run as this identity here.
    pub(crate) fn why_not(&self, identity: Identity) -> Option<String> {
        match identity {
            Identity::Root if !self.root => Some("not root".into()),
            Identity::Root => None,
            Identity::Ordinary => self.no_ordinary.clone(),
        }
    }

    /// The platform's binary, to be run as this identity with a clean environment.
    pub(crate) fn command(&self, identity: Identity) -> Command {
        self.command_through(identity, &[])
    }

    /// Like [`Suite::command`], started by another program.
    pub(crate) fn command_through(&self, identity: Identity, through: &[&std::ffi::OsStr]) -> Command {
        let faas = self.faas.as_os_str();
        let words: Vec<&std::ffi::OsStr> = through.iter().copied().chain([faas]).collect();
        let mut command = if identity == Identity::Ordinary && self.root {
            let mut command = self.in_the_delegated_cgroup();
            command.arg(format!("--reuid={}", self.uid)).arg(format!("--regid={}", self.uid));
            command.args(["--clear-groups", "--inh-caps=-all", "--"]).args(&words);
            command
        } else {
            let mut command = Command::new(words[0]);
            command.args(&words[1..]);
            command
        };
        command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("HOME", self.home(identity)).current_dir(&self.stage).stdin(std::process::Stdio::null());
        if identity == Identity::Ordinary {
            command.env("XDG_RUNTIME_DIR", self.home(identity));
        }
        command
    }

    /// `setpriv`, where cgroup v2 is: from the cgroup that belongs to the ordinary user, who could not move
    /// there by itself.
    fn in_the_delegated_cgroup(&self) -> Command {
        let shell = format!("/sys/fs/cgroup/faas-user-{}/shell/cgroup.procs", self.uid);
        if Path::new(&shell).exists() {
            let mut command = Command::new("sh");
            command.args(["-c", r#"echo $$ > "$0" && exec setpriv "$@""#, &shell]);
            command
        } else {
            Command::new("setpriv")
        }
    }

    /// The server that starts programs in this way; `None` where `faas run` does it alone.
    pub(crate) fn served(&self, way: Way) -> Result<Option<&Served>, String> {
        let Way { identity, start } = way;
        self.servers.get(start, identity, || {
            let directory = self.stage.join(format!("server-{}-{}", start.name(), identity.name()));
            make_directory(&directory, 0o755)?;
            if self.root && identity == Identity::Ordinary {
                chown(&directory, Some(self.uid), Some(self.uid))
                    .map_err(|e| format!("cannot give {} away: {e}", directory.display()))?;
            }
            Served::begin(self.command(identity), &directory, start)
        })
    }

    /// Ends the servers, and takes back the ordinary user's cgroups and the directory.
    pub(crate) fn finish(mut self) -> Result<(), String> {
        self.servers.stop(self.pace.longer(SERVER_ENDS))?;
        let undelegated = self.undelegate();
        fs::remove_dir_all(&self.stage).map_err(|e| format!("cannot remove {}: {e}", self.stage.display()))?;
        undelegated
    }

    fn stage_programs(&self) -> Result<(), String> {
        let prelude = read(&self.programs.join("prelude.py"))?;
        let entries = fs::read_dir(&self.programs)
            .map_err(|e| format!("cannot list {} (set FAAS_HOSTILE_DIR): {e}", self.programs.display()))?;
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !entry.path().is_file() {
                continue;
            }
            let mut text = read(&entry.path())?;
            if name.ends_with(".py") && (name.starts_with("row_") || name == "ratchet.py") {
                text.insert_str(0, &prelude);
            }
            write(&self.program(&name), text.as_bytes(), 0o644)?;
        }
        Ok(())
    }

    fn make_ordinary(&mut self) -> Result<(), String> {
        if Command::new("setpriv").arg("--version").output().is_err() {
            self.no_ordinary = Some("setpriv is not installed".into());
            return Ok(());
        }
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let taken = |uid: u32| {
            passwd.lines().any(|line| line.split(':').nth(2) == Some(uid.to_string().as_str()))
                || host::processes()
                    .iter()
                    .any(|pid| fs::metadata(format!("/proc/{pid}")).is_ok_and(|data| data.uid() == uid))
        };
        loop {
            self.uid = 200_000 + random_number()? % 700_000;
            if !taken(self.uid) {
                break;
            }
        }
        self.delegate()
    }

    /// Gives the ordinary user cgroups of its own, as an administrator would.
    fn delegate(&mut self) -> Result<(), String> {
        self.delegated = true;
        self.doctor("--fix").or_else(|problem| {
            report::line(&format!("note: {problem}"));
            Ok(())
        })
    }

    /// Undoes [`Suite::delegate`]; repeating it does nothing.
    fn undelegate(&mut self) -> Result<(), String> {
        if std::mem::take(&mut self.delegated) { self.doctor("--unfix") } else { Ok(()) }
    }

    fn doctor(&self, flag: &str) -> Result<(), String> {
        let output = Command::new(&self.faas).args(["doctor", flag, "--user", &self.uid.to_string()]).output();
        match output {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => Err(format!(
                "faas doctor {flag} --user {} failed: {}",
                self.uid,
                String::from_utf8_lossy(&output.stderr).trim()
            )),
            Err(problem) => Err(format!("faas doctor {flag} did not start: {problem}")),
        }
    }
}

impl Drop for Suite {
    fn drop(&mut self) {
        // Reached without `finish` only when the suite itself stops early; there is nobody to tell.
        let _ = self.servers.stop(SERVER_ENDS);
        let _ = self.undelegate();
        let _ = fs::remove_dir_all(&self.stage);
    }
}

fn programs_directory() -> PathBuf {
    std::env::var_os("FAAS_HOSTILE_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("hostile-programs"), PathBuf::from)
}

/// `FAAS_BIN`, or the binary of this checkout, built in this test's own profile.
fn binary() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("FAAS_BIN") {
        return Ok(PathBuf::from(path));
    }
    let test = std::env::current_exe().map_err(|e| format!("cannot find this test's own path: {e}"))?;
    let profile = test.parent().and_then(Path::parent).ok_or("this test is not in a target directory: set FAAS_BIN")?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package", "faas-bin", "--bin", "faas"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    let status = cargo.status().map_err(|e| format!("cannot run cargo (set FAAS_BIN to a built faas): {e}"))?;
    if status.success() { Ok(profile.join("faas")) } else { Err("`cargo build --bin faas` failed".into()) }
}

/// What a run is known by from outside.
pub(crate) fn random_mark() -> Result<String, String> {
    random_word().map(|word| format!("faas-hostile-{word}"))
}

/// Eight hexadecimal digits nobody can guess.
pub(crate) fn random_word() -> Result<String, String> {
    random_number().map(|number| format!("{number:08x}"))
}

fn random_number() -> Result<u32, String> {
    use std::io::Read;
    let mut bytes = [0; 4];
    fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|e| format!("cannot read /dev/urandom: {e}"))?;
    Ok(u32::from_ne_bytes(bytes))
}

/// Makes a directory whose mode does not depend on the umask.
pub(crate) fn make_directory(path: &Path, mode: u32) -> Result<(), String> {
    fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
        .map_err(|e| format!("cannot make {}: {e}", path.display()))
}

/// Writes a file whose mode does not depend on the umask.
pub(crate) fn write(path: &Path, data: &[u8], mode: u32) -> Result<(), String> {
    fs::write(path, data)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
        .map_err(|e| format!("cannot write {}: {e}", path.display()))
}

/// Copies a file, with a mode of its own.
pub(crate) fn copy(from: &Path, to: &Path, mode: u32) -> Result<(), String> {
    fs::copy(from, to)
        .and_then(|_| fs::set_permissions(to, fs::Permissions::from_mode(mode)))
        .map_err(|e| format!("cannot copy {} to {}: {e}", from.display(), to.display()))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))
}
