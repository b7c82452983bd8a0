//! `kill -9` of the command line, the launcher or a sandbox's init, at random moments of two hundred
//! runs: after one more ordinary run nothing of them remains on the host.
//!
//! `FAAS_KILL_SEED` repeats the choices of an earlier run, `FAAS_KILL_RUNS` changes their number,
//! `FAAS_BIN` names the binary.

use anyhow::{Context, Result, bail, ensure};
use faas_tester::host::{Observer, Process, State, descendants, processes};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long the command may take to end once something of it was killed.
const ENDS_WITHIN: Duration = Duration::from_secs(20);
/// How long after the ordinary run the kernel may take to let go of the last of it.
const GONE_WITHIN: Duration = Duration::from_secs(10);
/// The kill comes at most this long after the start, or later on a slow machine.
const LATEST_KILL: Duration = Duration::from_millis(120);
/// An ordinary run and a look at the host after this many kills, so that a leak is found near its cause.
const ROUND: u32 = 25;
/// See `tests/leak.rs`: pages of shared files hold a few.
const DYING_MEMORY_CGROUPS: u64 = 50;

#[test]
fn nothing_remains_after_kills_at_random_moments() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        println!("SKIP nothing_remains_after_kills_at_random_moments: only root sees every process's namespaces");
        return Ok(());
    }
    let runs: u32 = number("FAAS_KILL_RUNS", 200)?;
    let seed = number("FAAS_KILL_SEED", u64::from(std::process::id()))?;
    println!("FAAS_KILL_SEED={seed}");
    let mut random = Random { state: seed };
    let faas = faas_binary()?;
    // Nothing else on this host sleeps for so long; sandboxes' processes keep it in their arguments.
    let marker = format!("86399.{}", std::process::id());
    let observer = Observer::new(&marker, vec![PathBuf::from("/run/faas")]);

    let started = Instant::now();
    ordinary_run(&faas)?;
    // Up to about the middle of a sleeping program's run on this machine.
    let latest = LATEST_KILL.max(started.elapsed() * 2);
    let before = observer.observe()?;
    let mut hits: BTreeMap<&str, u32> = BTreeMap::new();
    for number in 1..=runs {
        let run = Run::choose(&mut random, latest);
        let hit = run.kill_in_the_middle(&faas, &marker).with_context(|| format!("run {number}: {run:?}"))?;
        *hits.entry(hit).or_default() += 1;
        if number.is_multiple_of(ROUND) || number == runs {
            processes_are_gone(&observer, &before).with_context(|| format!("after run {number}"))?;
            ordinary_run(&faas).with_context(|| format!("after run {number}"))?;
            let left = observer.wait_until_gone(&before, GONE_WITHIN)?;
            ensure!(left.is_empty(), "left after {number} runs: {left:#?}");
        }
    }
    let dying = observer.observe()?.dying_added_since(&before);
    println!("{runs} runs: nothing left; killed {hits:?}; {dying} more removed memory cgroups");
    ensure!(dying <= DYING_MEMORY_CGROUPS, "{dying} removed memory cgroups are still held");
    // Else the moments were wrong, and the test shows nothing.
    for victim in ["command line", "launcher", "init"] {
        ensure!(runs < 200 || hits.get(victim).copied().unwrap_or(0) >= 10, "hardly any {victim} was hit: {hits:?}");
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
enum Victim {
    CommandLine,
    Launcher,
    Both,
    Init,
}

#[derive(Debug, Clone, Copy)]
enum Program {
    PythonSleeper,
    ForkingBash,
    Command,
}

/// What one run is and when and where it is hit.
#[derive(Debug)]
struct Run {
    program: Program,
    victim: Victim,
    after: Duration,
}

impl Run {
    fn choose(random: &mut Random, latest: Duration) -> Self {
        let program = [Program::PythonSleeper, Program::ForkingBash, Program::Command];
        let victim = [Victim::CommandLine, Victim::Launcher, Victim::Both, Victim::Init];
        Self {
            program: *random.one_of(&program),
            victim: *random.one_of(&victim),
            after: Duration::from_micros(random.below(u64::try_from(latest.as_micros()).unwrap_or(u64::MAX))),
        }
    }

    /// Answers what was hit. When the chosen victim does not exist at that moment, the command line is.
    fn kill_in_the_middle(&self, faas: &Path, marker: &str) -> Result<&'static str> {
        let mut command = Command::new(faas);
        match self.program {
            Program::PythonSleeper => {
                command.args(["run", "--lang", "python", "-c"]).arg(format!("import time; time.sleep({marker})"));
            }
            Program::ForkingBash => {
                let code = format!("for i in 1 2 3 4 5 6 7 8; do setsid sleep {marker} & done; sleep {marker}");
                command.args(["run", "--lang", "bash", "-c", &code]);
            }
            Program::Command => {
                command.args(["exec", "--", "/usr/bin/sleep", marker]);
            }
        }
        let mut child = Owned::start(&mut command)?;
        wait_for(self.after);

        let family = descendants(child.id(), &processes()?);
        let named = |name: &str| family.iter().find(|process| process.is_named(name));
        let (launcher, init) = (named("faas-launcher"), named("faas-init"));
        let hit = match self.victim {
            Victim::Launcher if launcher.is_some_and(kill) => "launcher",
            Victim::Init if init.is_some_and(kill) => "init",
            Victim::Both if launcher.is_some_and(kill) => {
                child.kill();
                "both"
            }
            _ if child.has_ended()? => "nothing: it had ended",
            _ => {
                child.kill();
                "command line"
            }
        };
        child.end_within(ENDS_WITHIN).with_context(|| format!("after the kill of {hit}"))?;
        Ok(hit)
    }
}

/// Kills exactly this process, never one that took over its pid. Answers whether it was there.
fn kill(process: &Process) -> bool {
    let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) else { return false };
    let Ok(descriptor) = pidfd_open(pid, PidfdFlags::empty()) else { return false };
    // The descriptor holds the process: what is looked at now is what the signal reaches.
    let is_the_same = processes().is_ok_and(|table| {
        table.iter().any(|now| now.pid == process.pid && now.started == process.started && !now.zombie)
    });
    is_the_same && pidfd_send_signal(&descriptor, Signal::KILL).is_ok()
}

/// Waits exactly so long. A kill at a moment is what is tested: there is no event to wait for.
fn wait_for(time: Duration) {
    let (sender, receiver) = channel::<()>();
    assert_eq!(receiver.recv_timeout(time), Err(RecvTimeoutError::Timeout));
    drop(sender);
}

/// A child that is killed and reaped at the latest when it is dropped.
struct Owned {
    child: Child,
    descriptor: OwnedFd,
}

impl Owned {
    fn start(command: &mut Command) -> Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("the child has a pid")?;
        Ok(Self { descriptor: pidfd_open(pid, PidfdFlags::empty())?, child })
    }

    fn id(&self) -> u32 {
        self.child.id()
    }

    fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    fn kill(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
    }

    fn end_within(&mut self, bound: Duration) -> Result<()> {
        let seconds = Timespec { tv_sec: i64::try_from(bound.as_secs())?, tv_nsec: 0 };
        let mut ready = [PollFd::new(&self.descriptor, PollFlags::IN)];
        ensure!(poll(&mut ready, Some(&seconds))? == 1, "faas did not end within {} s", bound.as_secs());
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.kill();
        drop(self.child.wait());
    }
}

/// Waits until nothing that was killed, or whose parent was, is still ending: until then its slot is in
/// use, and another run leaves it alone.
fn processes_are_gone(observer: &Observer, before: &State) -> Result<()> {
    let left = observer.wait_until_processes_are_gone(before, GONE_WITHIN)?;
    ensure!(left.is_empty(), "still ending: {left:#?}");
    Ok(())
}

/// One run as anybody does it. It also clears away what earlier ones left.
fn ordinary_run(faas: &Path) -> Result<()> {
    let output = Command::new(faas).args(["run", "--lang", "python", "-c", "print(1)"]).output()?;
    ensure!(
        output.status.success() && output.stdout == b"1\n",
        "an ordinary run: {} {:?} {}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// The binary under test: `FAAS_BIN`, else the one that cargo builds.
fn faas_binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("FAAS_BIN") {
        return Ok(path.into());
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let status = Command::new(cargo).args(["build", "--quiet", "-p", "faas-bin", "--bin", "faas"]).status()?;
    ensure!(status.success(), "cargo could not build faas");
    // Tests are in target/PROFILE/deps; cargo build without a profile makes target/debug.
    let test = std::env::current_exe()?;
    let Some(target) = test.ancestors().nth(3) else { bail!("{} is not in a target directory", test.display()) };
    Ok(target.join("debug/faas"))
}

fn number<T: std::str::FromStr>(variable: &str, usual: T) -> Result<T> {
    match std::env::var(variable) {
        Ok(text) => text.parse().ok().with_context(|| format!("{variable}={text}: expected a whole number")),
        Err(_) => Ok(usual),
    }
}

/// SplitMix64: small, repeatable, and good enough to choose moments.
struct Random {
    state: u64,
}

impl Random {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let index = usize::try_from(self.below(choices.len() as u64)).unwrap_or(0);
        choices.get(index).unwrap_or(&choices[0])
    }
}
