//! Starts `faas` for a trial and watches the host until it has ended.

use crate::record::Run;
use crate::suite::{self, Identity, Suite};
use crate::watch::Watcher;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// One trial's surroundings: who attacks, and a directory of its own.
pub(crate) struct Scene<'a> {
    /// What all trials share.
    pub(crate) suite: &'a Suite,
    /// Who starts the sandbox.
    pub(crate) identity: Identity,
    directory: PathBuf,
    mark: PathBuf,
    runs: AtomicU32,
}

/// How long after the reply the last process may live.
const TEARDOWN: Duration = Duration::from_millis(1500);

/// How often the host is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What the command may take beyond the program's own time limit.
const OVERHEAD: Duration = Duration::from_secs(20);

impl<'a> Scene<'a> {
    /// Makes the trial's directory.
    pub(crate) fn new(suite: &'a Suite, identity: Identity, row: &str) -> Result<Self, String> {
        let name = format!("{row}-{}", identity.name());
        let directory = suite.stage().join(&name);
        suite::make_directory(&directory, 0o755)?;
        Ok(Self { suite, identity, directory, mark: suite.stage().join("marks").join(name), runs: AtomicU32::new(0) })
    }

    /// The trial's directory on the host: readable by all, writable by the suite only.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// A file that exists only if something from inside ran on the host.
    pub(crate) fn mark(&self) -> &Path {
        &self.mark
    }

    /// Fails when the mark was left.
    pub(crate) fn nothing_escaped(&self) -> Result<(), String> {
        if self.mark.exists() {
            Err(format!("code from inside ran on the host: {} exists", self.mark.display()))
        } else {
            Ok(())
        }
    }

    /// `faas run` of a staged program.
    pub(crate) fn program(&self, name: &str) -> Launch<'_> {
        self.script(&self.suite.program(name), if name.ends_with(".sh") { "bash" } else { "python" })
    }

    /// `faas run` of any file, in a language by name.
    pub(crate) fn script(&self, path: &Path, language: &str) -> Launch<'_> {
        Launch::new(self, "run").flag("--lang", language).tail([path.as_os_str().to_owned()])
    }

    /// `faas run` of code written to a file of this trial.
    pub(crate) fn code(&self, name: &str, code: &[u8], language: &str) -> Result<Launch<'_>, String> {
        let path = self.directory.join(name);
        suite::write(&path, code, 0o644)?;
        Ok(self.script(&path, language))
    }

    /// `faas exec` of a command.
    pub(crate) fn exec(&self, words: &[&str]) -> Launch<'_> {
        Launch::new(self, "exec").tail(["--"].iter().chain(words).map(OsString::from))
    }
}

/// A `faas` command being put together.
pub(crate) struct Launch<'a> {
    scene: &'a Scene<'a>,
    verb: &'static str,
    json: bool,
    terminal: bool,
    seconds: u32,
    look_every: Duration,
    flags: Vec<OsString>,
    tail: Vec<OsString>,
}

impl<'a> Launch<'a> {
    fn new(scene: &'a Scene<'a>, verb: &'static str) -> Self {
        Self {
            scene,
            verb,
            json: true,
            terminal: false,
            seconds: 20,
            look_every: LOOK_EVERY,
            flags: Vec::new(),
            tail: Vec::new(),
        }
    }

    fn tail(mut self, words: impl IntoIterator<Item = OsString>) -> Self {
        self.tail.extend(words);
        self
    }

    /// A flag with its value.
    pub(crate) fn flag(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.flags.push(name.into());
        self.flags.push(value.into());
        self
    }

    /// A flag joined to its value: one that starts with a dash is still a value.
    pub(crate) fn equals(mut self, name: &str, value: &str) -> Self {
        self.flags.push(format!("{name}={value}").into());
        self
    }

    /// A variable for the program.
    pub(crate) fn env(self, name: &str, value: &str) -> Self {
        self.flag("--env", format!("{name}={value}"))
    }

    /// A file for the program.
    pub(crate) fn file(self, path: &Path, destination: &str) -> Self {
        self.flag("--file", format!("{}:{destination}", path.display()))
    }

    /// The program's time limit, on a machine that is not slow.
    pub(crate) fn seconds(mut self, seconds: u32) -> Self {
        self.seconds = seconds;
        self
    }

    /// For one of many runs at once: each look at the host is at all of them.
    pub(crate) fn one_of_many(mut self) -> Self {
        self.look_every = LOOK_EVERY * 40;
        self
    }

    /// Without `--json`: what a person sees.
    pub(crate) fn plain(mut self) -> Self {
        self.json = false;
        self
    }

    /// Started from a terminal of its own instead of pipes.
    pub(crate) fn on_a_terminal(mut self) -> Self {
        self.terminal = true;
        self
    }

    /// Runs it to its end and demands that nothing of it is left a moment later.
    pub(crate) fn run(self) -> Result<Run, String> {
        let scene = self.scene;
        let number = scene.runs.fetch_add(1, Ordering::Relaxed);
        let out = scene.directory.join(format!("stdout-{number}"));
        let err = scene.directory.join(format!("stderr-{number}"));
        let mark = format!("faas-hostile-{}", suite::random_word()?);
        let helper = scene.suite.program("on-a-terminal.py");
        let pace = scene.suite.pace();
        let seconds = pace.longer(Duration::from_secs(self.seconds.into()));
        let through: Vec<&std::ffi::OsStr> =
            if self.terminal { vec!["python3".as_ref(), "-I".as_ref(), helper.as_os_str()] } else { Vec::new() };
        let mut command = scene.suite.command_through(scene.identity, &through);
        command.arg(self.verb);
        if self.json {
            command.arg("--json");
        }
        command.args(["--timeout", &seconds.as_secs().to_string()]);
        for (name, value) in [
            ("FAAS_HOSTILE_MARK", mark.clone()),
            ("FAAS_HOSTILE_MARK_FILE", scene.mark.display().to_string()),
            ("FAAS_HOSTILE_TIME_FACTOR", pace.factor().to_string()),
        ] {
            command.arg("--env").arg(format!("{name}={value}"));
        }
        command.args(&self.flags).args(&self.tail);
        // Files, not pipes: whatever keeps them open cannot hold this suite up.
        let create = |path: &Path| File::create(path).map_err(|e| format!("cannot make {}: {e}", path.display()));
        command.stdout(create(&out)?).stderr(create(&err)?);
        let begun = Instant::now();
        let mut child = command.spawn().map_err(|e| format!("cannot start {command:?}: {e}"))?;
        let every = pace.longer(self.look_every);
        let mut watcher = Watcher::new(mark, child.id());
        let bound = seconds + pace.longer(OVERHEAD);
        let ended = wait(&mut child, bound, every, || watcher.look());
        let elapsed = begun.elapsed();
        if ended.is_none() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let observed = watcher.finish();
        let left = observed.settle(pace.longer(TEARDOWN));
        let read = |path: &Path| fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()));
        let stderr = String::from_utf8_lossy(&read(&err)?).into_owned();
        let run = match ended {
            None => return Err(format!("faas did not end within {bound:?} and was killed; stderr: {stderr:?}")),
            Some(Err(problem)) => return Err(format!("cannot wait for faas: {problem}")),
            Some(Ok(status)) => Run { exit: status.code(), stdout: read(&out)?, stderr, elapsed, observed },
        };
        if run.stderr.contains("panicked at") {
            return Err(format!("faas panicked: {}", run.describe()));
        }
        left.map(|()| run)
    }
}

/// Waits for the end of a child, and calls `meanwhile` every so often; `None` when it did not end.
fn wait(
    child: &mut Child,
    bound: Duration,
    every: Duration,
    mut meanwhile: impl FnMut(),
) -> Option<std::io::Result<ExitStatus>> {
    let begun = Instant::now();
    loop {
        meanwhile();
        let now = Instant::now();
        let left = bound.checked_sub(now - begun)?;
        match ends_within(child, left.min(every)) {
            Ok(true) => return Some(child.wait()),
            Ok(false) => {}
            Err(problem) => return Some(Err(problem.into())),
        }
    }
}

/// Waits without looking again and again, which many of these at once would fill the machine with.
fn ends_within(child: &Child, bound: Duration) -> rustix::io::Result<bool> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(rustix::io::Errno::SRCH)?;
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    let bound = Timespec::try_from(bound).map_err(|_| rustix::io::Errno::INVAL)?;
    Ok(poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&bound))? == 1)
}

/// Demands that the command ended soon enough after its start; the bound is for a machine that is not slow.
pub(crate) fn replied_within(scene: &Scene<'_>, run: &Run, seconds: u32) -> Result<(), String> {
    let bound = scene.suite.pace().longer(Duration::from_secs(seconds.into()));
    if run.elapsed > bound { Err(format!("the reply took {:?}, not at most {bound:?}", run.elapsed)) } else { Ok(()) }
}
