//! Starts `faas` for a trial and watches the host until it has ended.

use crate::pace::Pace;
use crate::record::Run;
use crate::served::{Kind, LABEL, Served};
use crate::start::Start;
use crate::suite::{self, Identity, Suite};
use crate::trial::Way;
use crate::watch::Watcher;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::Value;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// One trial's surroundings: who attacks, from what, and a directory of its own.
pub(crate) struct Scene<'a> {
    /// What all trials share.
    pub(crate) suite: &'a Suite,
    /// Who starts the sandbox.
    pub(crate) identity: Identity,
    start: Start,
    /// What programs are started by; `None` for cold.
    served: Option<&'a Served>,
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
    pub(crate) fn new(suite: &'a Suite, way: Way, row: &str) -> Result<Self, String> {
        let Way { identity, start } = way;
        let name = format!("{row}-{}-{}", identity.name(), start.name());
        let directory = suite.stage().join(&name);
        suite::make_directory(&directory, 0o755)?;
        let served = suite.served(way)?;
        let mark = suite.stage().join("marks").join(name);
        Ok(Self { suite, identity, start, served, directory, mark, runs: AtomicU32::new(0) })
    }

    /// How slow this machine is, and how much of a row is enough here.
    pub(crate) fn pace(&self) -> Pace {
        self.suite.pace().for_programs(self.start)
    }

    /// Where the platform keeps what is on a disk.
    pub(crate) fn places(&self) -> Vec<PathBuf> {
        let served = self.served.map(|served| served.directory().to_owned());
        served.into_iter().chain([self.suite.home(self.identity)]).collect()
    }

    /// The trial's directory on the host: readable by all, writable by the suite only.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// A file that exists only if something from inside ran on the host.
    pub(crate) fn mark(&self) -> &Path {
        &self.mark
    }

    /// Why JavaScript cannot be tried.
    pub(crate) fn why_not_javascript(&self) -> Option<&'static str> {
        if !Path::new("/usr/bin/node").exists() {
            Some("JavaScript: there is no /usr/bin/node")
        } else if self.start == Start::Spare && self.pace().factor() > 1 {
            // The platform keeps no spares of what takes it longer.
            Some("JavaScript: so slow a machine has no runner of it ready within 2 s")
        } else {
            None
        }
    }

    /// Fails when the mark was left, or the server is not as well as it was.
    pub(crate) fn nothing_escaped(&self) -> Result<(), String> {
        if self.mark.exists() {
            return Err(format!("code from inside ran on the host: {} exists", self.mark.display()));
        }
        self.served.map_or(Ok(()), Served::is_well)
    }

    /// `faas run` of a staged program.
    pub(crate) fn program(&self, name: &str) -> Launch<'_> {
        let language = match name.rsplit_once('.') {
            Some((_, "sh")) => "bash",
            Some((_, "js")) => "javascript",
            _ => "python",
        };
        self.script(&self.suite.program(name), language)
    }

    /// `faas run` of any file, in a language by name.
    pub(crate) fn script(&self, path: &Path, language: &str) -> Launch<'_> {
        let kind = Kind { language: Some(language.to_owned()), options: Vec::new() };
        Launch::new(self, kind, Program::File(path.to_owned()))
    }

    /// `faas run` of code written to a file of this trial.
    pub(crate) fn code(&self, name: &str, code: &[u8], language: &str) -> Result<Launch<'_>, String> {
        let path = self.directory.join(name);
        suite::write(&path, code, 0o644)?;
        Ok(self.script(&path, language))
    }

    /// `faas exec` of a command.
    pub(crate) fn exec(&self, words: &[&str]) -> Launch<'_> {
        let kind = Kind { language: None, options: Vec::new() };
        Launch::new(self, kind, Program::Command(words.iter().map(OsString::from).collect()))
    }
}

/// What is to be run.
enum Program {
    File(PathBuf),
    Command(Vec<OsString>),
}

/// A `faas` command being put together.
pub(crate) struct Launch<'a> {
    scene: &'a Scene<'a>,
    kind: Kind,
    program: Program,
    json: bool,
    terminal: bool,
    seconds: u32,
    look_every: Duration,
    flags: Vec<OsString>,
}

/// The options by which one sandbox cannot take another's place.
const OF_THE_SANDBOX: [&str; 4] = ["--memory", "--disk", "--pids", "--cpus"];

/// How often a run is tried that finds its spare taken by another trial.
const TRIES: u32 = 5;

impl<'a> Launch<'a> {
    fn new(scene: &'a Scene<'a>, kind: Kind, program: Program) -> Self {
        let (json, terminal, seconds) = (true, false, 20);
        Self { scene, kind, program, json, terminal, seconds, look_every: LOOK_EVERY, flags: Vec::new() }
    }

    /// A flag with its value.
    pub(crate) fn flag(mut self, name: &str, value: impl Into<OsString>) -> Self {
        let value = value.into();
        if OF_THE_SANDBOX.contains(&name) {
            self.kind.options.extend([name.to_owned(), value.to_string_lossy().into_owned()]);
        } else {
            self.flags.extend([name.into(), value]);
        }
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

    /// Runs it to its end and demands that nothing of it is left a moment later, and that it was started as
    /// the trial says.
    pub(crate) fn run(self) -> Result<Run, String> {
        let Some(served) = self.scene.served else {
            return self.once(&suite::random_mark()?, None);
        };
        let expected = self.scene.start.kind(self.kind.language.as_deref());
        let mut seen = Vec::new();
        for _ in 0..TRIES {
            let idle = || self.idle(served);
            served.make_ready(&self.kind, self.scene.pace().factor(), idle)?;
            let mark = suite::random_mark()?;
            let run = self.once(&mark, Some(served))?;
            match served.kind_of(&mark)? {
                Some(kind) if kind == expected => return Ok(run),
                // What is refused has no start.
                None if run.exit != Some(0) && run.record().is_err() => return Ok(run),
                kind => seen.push(kind.unwrap_or_default()),
            }
            if self.scene.start == Start::Zygote {
                // Once there is one there always is: it serves until its successor does.
                break;
            }
        }
        Err(format!("expected a start of kind {expected}, not {}", seen.join(", ")))
    }

    /// A program of the same kind that does nothing: how it was started.
    fn idle(&self, served: &Served) -> Result<String, String> {
        let mut command = self.command(&[], Some(served));
        match &self.kind.language {
            Some(language) => command.args(["--json", "-c", if language == "javascript" { "0" } else { "#" }]),
            None => command.args(["--json", "--", "/bin/true"]),
        };
        let output = command.output().map_err(|e| format!("cannot start {command:?}: {e}"))?;
        let record: Value = serde_json::from_slice(&output.stdout)
            .map_err(|e| format!("{command:?}: {e}: {}", String::from_utf8_lossy(&output.stderr)))?;
        record["start"]["kind"].as_str().map(str::to_owned).ok_or_else(|| format!("a record without a start: {record}"))
    }

    /// The command without its program.
    fn command(&self, through: &[&OsStr], served: Option<&Served>) -> Command {
        let mut command = self.scene.suite.command_through(self.scene.identity, through);
        command.arg(if self.kind.language.is_some() { "run" } else { "exec" });
        if let Some(served) = served {
            command.arg("--server").arg(served.url());
        }
        if let Some(language) = &self.kind.language {
            command.arg("--lang").arg(language);
        }
        let seconds = self.scene.pace().longer(Duration::from_secs(self.seconds.into())).as_secs();
        command.args(["--timeout", &seconds.to_string()]).args(&self.kind.options);
        command
    }

    fn once(&self, mark: &str, served: Option<&Served>) -> Result<Run, String> {
        let scene = self.scene;
        let number = scene.runs.fetch_add(1, Ordering::Relaxed);
        let out = scene.directory.join(format!("stdout-{number}"));
        let err = scene.directory.join(format!("stderr-{number}"));
        let helper = scene.suite.program("on-a-terminal.py");
        let pace = scene.pace();
        let seconds = pace.longer(Duration::from_secs(self.seconds.into()));
        let through: Vec<&OsStr> =
            if self.terminal { vec!["python3".as_ref(), "-I".as_ref(), helper.as_os_str()] } else { Vec::new() };
        let mut command = self.command(&through, served);
        if self.json {
            command.arg("--json");
        }
        for (name, value) in [
            ("FAAS_HOSTILE_MARK", mark.to_owned()),
            ("FAAS_HOSTILE_MARK_FILE", scene.mark.display().to_string()),
            ("FAAS_HOSTILE_TIME_FACTOR", pace.factor().to_string()),
        ] {
            command.arg("--env").arg(format!("{name}={value}"));
        }
        command.args(&self.flags);
        if served.is_some() {
            command.arg("--label").arg(format!("{LABEL}={mark}"));
        }
        match &self.program {
            Program::File(path) if served.is_some() => command.arg(self.named(path, mark)?),
            Program::File(path) => command.arg(path),
            Program::Command(words) => command.arg("--").args(words),
        };
        // Files, not pipes: whatever keeps them open cannot hold this suite up.
        let create = |path: &Path| File::create(path).map_err(|e| format!("cannot make {}: {e}", path.display()));
        command.stdout(create(&out)?).stderr(create(&err)?);
        let begun = Instant::now();
        let mut child = command.spawn().map_err(|e| format!("cannot start {command:?}: {e}"))?;
        let every = pace.longer(self.look_every);
        let platform = [child.id()].into_iter().chain(served.map(Served::process)).collect();
        let mut watcher = Watcher::new(mark.to_owned(), platform);
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

    /// The program under the mark's name. A process that is not started with the program's variables, because it
    /// was there before them, is known by the file beside it.
    fn named(&self, path: &Path, mark: &str) -> Result<PathBuf, String> {
        let named = self.scene.directory.join(mark);
        fs::hard_link(path, &named).map(|()| named).map_err(|e| format!("cannot link {}: {e}", path.display()))
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
    let bound = scene.pace().longer(Duration::from_secs(seconds.into()));
    if run.elapsed > bound { Err(format!("the reply took {:?}, not at most {bound:?}", run.elapsed)) } else { Ok(()) }
}
