//! What executions cost on this machine, beside the gates of SPECIFICATION.md.
//!
//! `cargo bench --package faas-lib` prints the table; `-- --gate` also fails when a median misses
//! its gate, and `-- --embedded` leaves out the row for which the command is built. Everything runs
//! through the embedded platform or the built `faas` binary against the real kernel; nothing is
//! simulated.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]
#![expect(clippy::expect_used, reason = "a bench that cannot run has nothing to say")]

use faas_config::{Config, Flags};
use faas_lib::{Bootstrap, Execution, ExecutionEvent, ExecutionRequest, InputItem, Platform, Work};
use faas_types::{Contract, CpuAmount, ExecutionRecord, ExecutionState, Language, Mode};
use std::collections::BTreeMap;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// In which a spare is made, several times over.
const PAUSE: Duration = Duration::from_millis(150);

fn main() -> ExitCode {
    let asked = |option: &str| std::env::args().any(|word| word == option);
    let (gated, embedded) = (asked("--gate"), asked("--embedded"));
    let bootstrap = Bootstrap::start(&config()).expect("the launcher starts").without_spares();
    let forking = Bootstrap::start(&config()).expect("another launcher starts").without_spares().with_zygotes(true);
    let stocked = Bootstrap::start(&config()).expect("a third launcher starts");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let rows = runtime.block_on(async {
        let platform = Arc::new(bootstrap.into_platform().await.expect("a platform"));
        let mut rows = vec![
            Row::time("command execution, embedded", 6.0, 3.0, runs(&platform, 300, command).await),
            Row::time("command execution, embedded, mode cached", 3.0, 1.5, runs(&platform, 300, cached).await),
            Row::time("Python script, ephemeral", 30.0, 20.0, runs(&platform, 200, python).await),
            Row::time("Python handler, ephemeral", 30.0, 20.0, runs(&platform, 200, python_handler).await),
            Row::time("JavaScript script, ephemeral", 60.0, 40.0, runs(&platform, 100, javascript).await),
            Row::time("JavaScript handler, ephemeral", 60.0, 40.0, runs(&platform, 100, javascript_handler).await),
            Row::time("first byte out after the program wrote it", 2.0, 0.5, first_byte(&platform).await),
        ];
        let ratios = [
            Ratio::measure(&platform, "64 busy loops", 2.0, BUSY_LOOPS).await,
            Ratio::measure(&platform, "a storm of writes and fsyncs", 3.0, STORM).await,
        ];
        let commands =
            Rate::measure(&platform, "sandbox create + destroy cycles, `command`", [250.0, 500.0], command).await;
        platform.shutdown().await;
        let platform = Arc::new(forking.into_platform().await.expect("a platform"));
        rows.extend([
            Row::time("Python script, a copy of a zygote", 3.0, 2.0, copies(&platform, 300, python).await),
            Row::time("Python handler, a copy of a zygote", 3.0, 2.0, copies(&platform, 300, python_handler).await),
        ]);
        let scripts = Rate::measure(&platform, "Python scripts, each a copy of a zygote", [300.0, 500.0], python).await;
        platform.shutdown().await;
        let platform = stocked.into_platform().await.expect("a platform");
        rows.extend([
            Row::time("command, a spare ready", 3.0, 1.5, spares(&platform, 200, command).await),
            Row::time("Python script, a spare ready", 0.8, 0.5, spares(&platform, 200, python).await),
            Row::time("Python handler, a spare ready", 0.8, 0.5, spares(&platform, 200, python_handler).await),
            Row::time("JavaScript script, a spare ready", 5.0, 3.0, spares(&platform, 200, javascript).await),
            Row::time("JavaScript handler, a spare ready", 5.0, 3.0, spares(&platform, 200, javascript_handler).await),
        ]);
        platform.shutdown().await;
        if !embedded {
            rows.push(Row::time("`faas run -c 'print(1)'` wall, cold CLI", 150.0, 80.0, cold_cli()));
        }
        (rows, ratios, [commands, scripts])
    });
    let (rows, ratios, rates) = rows;
    println!("| what | n | p50 | p95 | p99 | gate | goal | |");
    println!("|---|---|---|---|---|---|---|---|");
    for row in &rows {
        row.print();
    }
    for rate in &rates {
        rate.print();
    }
    for ratio in &ratios {
        ratio.print();
    }
    let held = rates.iter().all(Rate::holds) && rows.iter().all(Row::holds);
    if gated && !held { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Every key at its default.
fn config() -> Config {
    Config::resolve(None, &BTreeMap::new(), &Flags::default()).expect("the defaults")
}

struct Row {
    what: &'static str,
    gate: f64,
    goal: f64,
    /// Milliseconds, sorted.
    samples: Vec<f64>,
}

impl Row {
    fn time(what: &'static str, gate: f64, goal: f64, mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        Self { what, gate, goal, samples }
    }

    fn percentile(&self, percent: usize) -> f64 {
        let last = self.samples.len().saturating_sub(1);
        self.samples.get(last * percent / 100).copied().unwrap_or(f64::NAN)
    }

    fn holds(&self) -> bool {
        self.percentile(50) <= self.gate
    }

    fn print(&self) {
        let verdict = match self.percentile(50) {
            p50 if p50 <= self.goal => "goal",
            p50 if p50 <= self.gate => "gate",
            _ => "MISSED",
        };
        println!(
            "| {} | {} | {:.2} ms | {:.2} ms | {:.2} ms | ≤ {} ms | ≤ {} ms | {verdict} |",
            self.what,
            self.samples.len(),
            self.percentile(50),
            self.percentile(95),
            self.percentile(99),
            self.gate,
            self.goal,
        );
    }
}

/// A program that takes all it may, from as many processes as it may have.
const BUSY_LOOPS: &str = "import os\nfor _ in range(63):\n    try:\n        if os.fork() == 0: break\n    except OSError: break\nwhile True: pass\n";
const STORM: &str = "import os\nfor _ in range(8):\n    if os.fork() == 0: break\nfile = os.open(f'storm-{os.getpid()}', os.O_CREAT | os.O_RDWR)\nblock = bytes(65536)\nwhile True:\n    os.pwrite(file, block, 0)\n    os.fsync(file)\n    os.sync()\n";

/// Executions a second, 4 at once.
struct Rate {
    name: &'static str,
    bounds: [f64; 2],
    rate: f64,
}

impl Rate {
    async fn measure(
        platform: &Arc<Platform>,
        name: &'static str,
        bounds: [f64; 2],
        request: fn() -> ExecutionRequest,
    ) -> Self {
        Self { name, bounds, rate: cycles(platform, 1000, 4, request).await }
    }

    fn holds(&self) -> bool {
        self.rate >= self.bounds[0]
    }

    fn print(&self) {
        let Self { name, bounds: [gate, goal], rate } = self;
        let verdict = match *rate {
            rate if rate >= *goal => "goal",
            rate if rate >= *gate => "gate",
            _ => "MISSED",
        };
        println!("| {name}, 4 at once | 1000 | {rate:.0} /s | | | ≥ {gate} /s | ≥ {goal} /s | {verdict} |");
    }
}

/// How much longer a neighbour's executions take beside a program that takes all its half core allows:
/// rows 44 and 45 of the hostile inputs.
struct Ratio {
    beside: &'static str,
    bound: f64,
    alone: Row,
    shared: Row,
}

impl Ratio {
    async fn measure(platform: &Platform, beside: &'static str, bound: f64, hog: &'static str) -> Self {
        let alone = runs(platform, 100, command).await;
        let mut request = script(hog);
        request.resources.cpu = CpuAmount::from_milli(500);
        let hog = start(platform, request).await;
        let shared = runs(platform, 100, command).await;
        hog.cancel();
        let mut hog = hog;
        while hog.next().await.is_some() {}
        let row = |samples| Row::time(beside, f64::NAN, f64::NAN, samples);
        Self { beside, bound, alone: row(alone), shared: row(shared) }
    }

    fn print(&self) {
        let (alone, shared) = (self.alone.percentile(99), self.shared.percentile(99));
        let ratio = shared / alone;
        let verdict = if ratio <= self.bound { "held" } else { "MISSED" };
        println!(
            "| `command` beside {}: p99 against alone | 100 | {:.2} ms | | {shared:.2} ms / {alone:.2} ms = {ratio:.2} | | ≤ {} | {verdict} |",
            self.beside,
            self.shared.percentile(50),
            self.bound,
        );
    }
}

fn command() -> ExecutionRequest {
    ExecutionRequest::new(Work::Command { argv: vec!["/usr/bin/true".to_owned()] })
}

/// In a sandbox that was used and made as new.
fn cached() -> ExecutionRequest {
    ExecutionRequest { mode: Mode::Cached, ..command() }
}

fn python() -> ExecutionRequest {
    script("print(1)")
}

fn python_handler() -> ExecutionRequest {
    code("def handle(request):\n    return {'answer': 42}\n", Language::Python, Contract::Handler)
}

fn javascript() -> ExecutionRequest {
    code("console.log(1)", Language::JavaScript, Contract::Script)
}

fn javascript_handler() -> ExecutionRequest {
    code("exports.handle = () => ({answer: 42})", Language::JavaScript, Contract::Handler)
}

fn script(text: &'static str) -> ExecutionRequest {
    code(text, Language::Python, Contract::Script)
}

fn code(text: &'static str, language: Language, contract: Contract) -> ExecutionRequest {
    let name = if language == Language::Python { "main.py" } else { "main.js" };
    ExecutionRequest::new(Work::Script { code: text.into(), name: name.to_owned(), language, contract })
}

async fn start(platform: &Platform, request: ExecutionRequest) -> Execution {
    let execution = platform.start(request).await.expect("an execution");
    execution.input.send(InputItem::Eof).await.ok();
    execution
}

/// Runs to the record, which must say that the program succeeded.
async fn complete(mut execution: Execution) -> ExecutionRecord {
    let mut done = None;
    while let Some(event) = execution.next().await {
        if let ExecutionEvent::Complete(record) = event {
            assert_eq!(record.status, ExecutionState::Succeeded, "{record:?}");
            done = Some(*record);
        }
    }
    done.expect("a record")
}

/// One after another, each from request to record, after a tenth as many for warming up.
async fn runs(platform: &Platform, count: usize, request: fn() -> ExecutionRequest) -> Vec<f64> {
    for _ in 0..count / 10 {
        complete(start(platform, request()).await).await;
    }
    let mut samples = Vec::with_capacity(count);
    for _ in 0..count {
        let before = Instant::now();
        complete(start(platform, request()).await).await;
        samples.push(milliseconds(before.elapsed()));
    }
    samples
}

/// Those that found a sandbox that was made before, one after another with pauses in which the next is made.
async fn spares(platform: &Platform, count: usize, request: fn() -> ExecutionRequest) -> Vec<f64> {
    of_kind(platform, "spare", count, PAUSE, request).await
}

/// Those whose program began in a copy of a zygote, one after another; some pauses until there is one.
async fn copies(platform: &Platform, count: usize, request: fn() -> ExecutionRequest) -> Vec<f64> {
    of_kind(platform, "zygote", 1, PAUSE, request).await;
    of_kind(platform, "zygote", count, Duration::ZERO, request).await
}

async fn of_kind(
    platform: &Platform,
    kind: &str,
    count: usize,
    pause: Duration,
    request: fn() -> ExecutionRequest,
) -> Vec<f64> {
    let mut samples = Vec::with_capacity(count);
    for _ in 0..count * 2 + 10 {
        let before = Instant::now();
        let record = complete(start(platform, request()).await).await;
        let took = milliseconds(before.elapsed());
        if record.start.kind == kind {
            samples.push(took);
        }
        if samples.len() == count {
            break;
        }
        tokio::time::sleep(pause).await;
    }
    samples
}

/// A program writes what the clock says; how much later is it here?
async fn first_byte(platform: &Platform) -> Vec<f64> {
    let code = "import time\nfor _ in range(200):\n    print(time.monotonic_ns(), flush=True)\n    time.sleep(0.002)\n";
    let mut execution = start(platform, script(code)).await;
    let mut samples = Vec::new();
    while let Some(event) = execution.next().await {
        if let ExecutionEvent::Stdout(bytes) = event {
            let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
            let now = now.tv_sec * 1_000_000_000 + now.tv_nsec;
            let text = String::from_utf8_lossy(&bytes);
            let written: i64 = text.lines().next().and_then(|line| line.parse().ok()).expect("a clock");
            samples.push(milliseconds(Duration::from_nanos(u64::try_from(now - written).unwrap_or(0))));
        }
    }
    samples
}

/// Executions a second with some at once; each is a sandbox made, used once and destroyed.
async fn cycles(platform: &Arc<Platform>, count: usize, at_once: usize, request: fn() -> ExecutionRequest) -> f64 {
    let before = Instant::now();
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..at_once {
        let platform = Arc::clone(platform);
        workers.spawn(async move {
            for _ in 0..count / at_once {
                complete(start(&platform, request()).await).await;
            }
        });
    }
    while workers.join_next().await.is_some() {}
    count as f64 / before.elapsed().as_secs_f64()
}

/// The whole command as a user meets it.
fn cold_cli() -> Vec<f64> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo).args(["build", "--quiet", "--release", "--package", "faas-bin"]).status();
    assert!(built.is_ok_and(|status| status.success()), "the CLI builds");
    let target = std::env::current_exe().expect("this program's path");
    let faas = target.ancestors().nth(2).expect("the profile's directory").join("faas");
    (0..40)
        .map(|_| {
            let before = Instant::now();
            let status = Command::new(&faas).args(["run", "-c", "print(1)"]).stdout(Stdio::null()).status();
            assert!(status.is_ok_and(|status| status.success()), "the CLI runs");
            milliseconds(before.elapsed())
        })
        .collect()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
