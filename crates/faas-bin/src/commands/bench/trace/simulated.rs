//! The report of a trace in simulated time.

use super::calls::Trace;
use super::simulate::{Given, Outcome, compare};
use super::source::TraceOptions;
use crate::commands::bench::percentiles::rounded;
use crate::console;
use crate::diagnostic::CliError;
use crate::printed::{Table, json_line};
use serde::Serialize;
use std::process::ExitCode;
use std::time::Duration;

/// As a server has it that was told nothing else.
const LONGEST: Duration = Duration::from_secs(60 * 60);
const START_MS: f64 = 30.0;
const IDLE_TTL_S: u32 = 600;

/// What was simulated. Its JSON form is documented in `docs/cli.md`.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Simulated {
    bench: &'static str,
    simulated: bool,
    source: &'static str,
    seed: u64,
    functions: usize,
    calls: usize,
    left_out: u64,
    hours: f64,
    start_ms: f64,
    fixed: Outcome,
    /// With as much memory.
    adaptive: Outcome,
    /// With no more cold starts, in as little memory as that takes.
    adaptive_as_cold: Outcome,
}

/// Simulates what the options name and prints the report.
pub(super) fn print(options: &TraceOptions) -> Result<ExitCode, CliError> {
    let (trace, source) = options.read()?;
    let report = simulated(options, &trace, source);
    let text = if options.json { json_line(&report)? } else { report.describe() };
    console::print(text.as_bytes())
}

fn simulated(options: &TraceOptions, trace: &Trace, source: &'static str) -> Simulated {
    let start_ms = options.start.unwrap_or(START_MS);
    let start = Duration::try_from_secs_f64(start_ms / 1000.0).unwrap_or(Duration::MAX);
    let idle_ttl = Duration::from_secs(options.against.unwrap_or(IDLE_TTL_S).into());
    let [fixed, adaptive, adaptive_as_cold] = compare(trace, Given { start, longest: LONGEST }, idle_ttl);
    Simulated {
        bench: "trace",
        simulated: true,
        source,
        seed: options.seed,
        functions: trace.memory_mib.len(),
        calls: trace.rows.len(),
        left_out: trace.left_out,
        hours: rounded(trace.span().as_secs_f64() / 3600.0),
        start_ms,
        fixed,
        adaptive,
        adaptive_as_cold,
    }
}

impl Simulated {
    fn describe(&self) -> String {
        let Self { source, seed, functions, calls, left_out, hours, start_ms, .. } = self;
        let mut table =
            Table::new(&["IDLE INSTANCES ARE KEPT", "COLD", "MEMORY", "GB·S", "STARTING /1000", "P50", "P99", "P99.9"]);
        let ttl = self.fixed.idle_ttl_s.unwrap_or_default();
        let fixed = format!("for {ttl} s");
        for (name, outcome) in [
            (fixed.as_str(), &self.fixed),
            ("as it is worth it, in as much memory", &self.adaptive),
            ("as it is worth it, for as few cold starts", &self.adaptive_as_cold),
        ] {
            let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.0} ms"));
            let [p50, p99, p999] =
                [outcome.overhead.p50_ms, outcome.overhead.p99_ms, outcome.overhead.p999_ms].map(shown);
            table.row(&[
                name,
                &format!("{:.2} %", outcome.cold_ratio * 100.0),
                &format!("{:.0} MiB", outcome.mean_mib),
                &format!("{:.0}", outcome.gb_s),
                &format!("{:.2} s", outcome.start_s_per_1000),
                &p50,
                &p99,
                &p999,
            ]);
        }
        format!(
            "trace, simulated: the scheduler's decisions, without a sandbox\n\
             {source}, {functions} functions, {calls} calls in {hours} h, seed {seed}; {left_out} calls left out\n\
             nothing is scaled: times are those of the trace; a start takes {start_ms} ms, and nothing waits for a slot or a \
             processor. MEMORY is what idle instances take on average, P50 to P99.9 what calls wait for starts.\n\n{}",
            table
        )
    }
}
