//! A thousand runs, twenty at once, through the embedded platform leave nothing on the host.

use anyhow::{Context, Result, ensure};
use faas_tester::host::{Kind, Observer, State};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long after the platform's end the kernel may take to let go of the last of it.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// How many removed memory cgroups the kernel may go on holding after a thousand runs. A page of a shared
/// file that a sandbox was the first to read stays charged to that sandbox's cgroup until the page is
/// reclaimed, and holds the cgroup; the pages are as many as the interpreters' files, whatever the number
/// of runs. A leak of ours would hold one for each run.
const DYING_MEMORY_CGROUPS: u64 = 50;

/// Each test would take the other's runs for its own.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

#[test]
fn a_thousand_runs_leave_nothing() -> Result<()> {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if !rustix::process::geteuid().is_root() {
        println!("SKIP a_thousand_runs_leave_nothing: only root sees every process's namespaces");
        return Ok(());
    }
    let dying = leaves_nothing(&Runner { runs: number_of_runs(1000)?, isolation: "strict", ordinary_user: None })?;
    println!("nothing left; the kernel holds {dying} more removed memory cgroups");
    Ok(())
}

#[test]
fn runs_of_an_ordinary_user_leave_nothing() -> Result<()> {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if !rustix::process::geteuid().is_root() {
        println!("SKIP runs_of_an_ordinary_user_leave_nothing: only root can become a fresh user");
        return Ok(());
    }
    let home = Home::make()?;
    let runner = Runner { runs: number_of_runs(200)?, isolation: "standard", ordinary_user: Some(&home.path) };
    let dying = leaves_nothing(&runner)?;
    println!("nothing left; the kernel holds {dying} more removed memory cgroups");
    Ok(())
}

/// `FAAS_LEAK_RUNS` shortens the test for slow machines.
fn number_of_runs(usual: u32) -> Result<u32> {
    match std::env::var("FAAS_LEAK_RUNS") {
        Ok(text) => text.parse().context("FAAS_LEAK_RUNS"),
        Err(_) => Ok(usual),
    }
}

struct Runner<'a> {
    runs: u32,
    isolation: &'a str,
    /// The home of the ordinary user to run as.
    ordinary_user: Option<&'a Path>,
}

impl Runner<'_> {
    fn run(&self, runs: u32) -> Result<()> {
        let program = env!("CARGO_BIN_EXE_faas-embedded-runs");
        let mut command = match self.ordinary_user {
            None => Command::new(program),
            Some(home) => {
                // The build's directory may be one that this user may not enter.
                let copy = home.join("faas-embedded-runs");
                std::fs::copy(program, &copy)?;
                let mut command = Command::new("/usr/bin/setpriv");
                let id = USER.to_string();
                command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "--inh-caps=-all"]).arg(copy);
                command.env("HOME", home).env("XDG_RUNTIME_DIR", home);
                command
            }
        };
        let output = command.args([&runs.to_string(), "20", self.isolation]).output()?;
        ensure!(output.status.success(), "{runs} runs: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

/// Answers how many more removed memory cgroups the kernel holds.
fn leaves_nothing(runner: &Runner<'_>) -> Result<u64> {
    let directories = match runner.ordinary_user {
        None => vec![PathBuf::from("/run/faas")],
        Some(home) => vec![home.join("faas")],
    };
    // What every process of ours is recognised by here is its name and its namespaces.
    let observer = Observer::new("faas-embedded-runs", directories);
    let others = observer.observe()?;
    // What stays for good, such as the directory of slots, is there after the first run.
    runner.run(6)?;
    let before = settled(&observer, &others)?;

    runner.run(runner.runs)?;

    let left = observer.wait_until_gone(&before, GONE_WITHIN)?;
    ensure!(left.is_empty(), "left after {} runs: {left:#?}", runner.runs);
    let dying = observer.observe()?.dying_added_since(&before);
    ensure!(dying <= DYING_MEMORY_CGROUPS, "{dying} removed memory cgroups are still held");
    Ok(dying)
}

/// The host without what of the first run is still going; processes of others stay.
fn settled(observer: &Observer, others: &State) -> Result<State> {
    let nothing = State::default();
    let mut ours = observer.observe()?;
    ours.items.retain(|item, _| item.kind != Kind::Process || others.items.contains_key(item));
    let left = observer.wait_until_gone(&State { items: ours.items, ..nothing }, GONE_WITHIN)?;
    ensure!(left.is_empty(), "processes of ours before the test: {left:#?}");
    Ok(observer.observe()?)
}

/// A uid that nobody on this host has.
const USER: u32 = 200_017;

/// A home for the ordinary user, removed at the end.
struct Home {
    path: PathBuf,
}

impl Home {
    fn make() -> Result<Self> {
        // Not under a name that the observer looks for.
        let path = std::env::temp_dir().join(format!("leak-test-home-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        std::os::unix::fs::chown(&path, Some(USER), Some(USER))?;
        Ok(Self { path })
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.path));
    }
}
