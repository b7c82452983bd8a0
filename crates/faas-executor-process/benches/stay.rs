//! What a call of a program that stays costs, and recycling around it, on this machine.
//!
//! `cargo bench --package faas-executor-process` prints the table; with `-- --gate` a median above its gate
//! fails. Sandboxes are real, with whatever isolation this host gives.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]
#![expect(clippy::expect_used, reason = "a bench that cannot run has nothing to say")]

use bytes::Bytes;
use faas_executor_api::{
    DestroyReason, Event, Executor, HandlerRequest, Invocation, Program, Sandbox, SandboxSpec, Stay,
};
use faas_executor_process::{Launcher, ProcessExecutor, Settings};
use faas_types::{Contract, IsolationLevel, Language, Outcome, OutputLimits, Resources, TenantId};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const CALLS: usize = 2000;

fn main() -> ExitCode {
    let gated = std::env::args().any(|word| word == "--gate");
    let launcher = Launcher::start(&Settings::default()).expect("a launcher");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let rows = runtime.block_on(async {
        let executor = launcher.into_executor().expect("an executor");
        let mut rows = Vec::new();
        for (language, name, code) in [
            (Language::Python, "Python", "def handle(request): return 'hello'"),
            (Language::JavaScript, "JavaScript", "exports.handle = () => 'hello'"),
        ] {
            if executor.capabilities().runtimes.iter().any(|runtime| runtime.language == language) {
                rows.extend(measure(&executor, language, name, code).await);
            }
        }
        executor.shutdown().await;
        rows
    });
    println!("| what | n | p50 | p95 | p99 | gate | |");
    println!("|---|---|---|---|---|---|---|");
    let mut held = true;
    for row in &rows {
        held &= row.print();
    }
    if gated && !held { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

struct Row {
    what: String,
    gate: Duration,
    times: Vec<Duration>,
}

impl Row {
    /// Whether the median is within the gate.
    fn print(&self) -> bool {
        let mut times = self.times.clone();
        times.sort_unstable();
        let percentile = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or(Duration::MAX);
        let held = percentile(50) <= self.gate;
        let [p50, p95, p99] = [50, 95, 99].map(|percent| percentile(percent).as_micros());
        let verdict = if held { "held" } else { "MISSED" };
        println!(
            "| {} | {} | {p50} µs | {p95} µs | {p99} µs | ≤ {} µs | {verdict} |",
            self.what,
            times.len(),
            self.gate.as_micros()
        );
        held
    }
}

/// Calls of one program in one sandbox, which is recycled after each.
async fn measure(executor: &ProcessExecutor, language: Language, name: &str, code: &'static str) -> [Row; 3] {
    let isolation =
        if rustix::process::geteuid().is_root() { IsolationLevel::Strict } else { IsolationLevel::Standard };
    let spec = SandboxSpec {
        tenant: TenantId::LOCAL,
        language: Some(language),
        resources: Resources::default(),
        isolation,
        packages: None,
    };
    let mut sandbox = executor.create(spec).await.expect("a sandbox");
    let code = Bytes::from_static(code.as_bytes());
    let (mut answers, mut calls, mut recycles) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..CALLS + CALLS / 10 {
        let (answered, done) = call(sandbox.as_mut(), code.clone()).await;
        let before = Instant::now();
        sandbox.recycle().await.expect("nothing is left");
        let recycled = before.elapsed();
        if number >= CALLS / 10 {
            answers.push(answered);
            calls.push(done);
            recycles.push(recycled);
        }
    }
    sandbox.destroy(DestroyReason::Finished).await;
    [
        ("a call of a program that stays, to the end of its answer", 300, answers),
        ("the same, to the end of the call", 500, calls),
        ("recycling around it", 500, recycles),
    ]
    .map(|(what, gate, times)| Row { what: format!("{name}: {what}"), gate: Duration::from_micros(gate), times })
}

async fn call(sandbox: &mut dyn Sandbox, code: Bytes) -> (Duration, Duration) {
    let request = HandlerRequest {
        entry: "handle".to_owned(),
        method: "GET".to_owned(),
        path: "/".to_owned(),
        query: String::new(),
        headers: Vec::new(),
        body: Bytes::new(),
    };
    let invocation = Invocation {
        contract: Contract::Handler,
        program: Program { code, name: "main".to_owned() },
        args: Vec::new(),
        env: Vec::new(),
        files: Vec::new(),
        request: Some(request),
        stay: Stay::Answered,
        at_once: 1,
        deadline: Instant::now() + Duration::from_secs(60),
        output: OutputLimits::default(),
    };
    let before = Instant::now();
    let mut session = sandbox.invoke(invocation).await.expect("a call");
    let mut answered = Duration::MAX;
    while let Some(event) = session.events.next().await {
        match event {
            Event::ResponseEnd => answered = before.elapsed(),
            Event::Done(done) => assert_eq!(done.outcome, Outcome::Exited { code: 0 }, "the outcome"),
            _ => {}
        }
    }
    (answered, before.elapsed())
}
