//! `faas bench cold|warm|throughput|density|trace`: what starts, calls and idle instances cost, on the platform in
//! this process or on a server.
//!
//! Every run measures a control beside it, a child process that writes one byte, so that its numbers can be
//! compared with those of another machine or another hour.

mod calls;
mod clock;
mod control;
mod density;
mod ground;
mod host;
mod open_loop;
mod options;
mod pace;
mod percentiles;
mod processes;
mod program;
mod progress;
mod report;
mod runs;
mod tally;
mod temporary;
mod trace;

use crate::cli::GlobalOptions;
use crate::diagnostic::CliError;
use options::{BenchWhat, Wanted};
use program::Kind;
use std::process::ExitCode;

pub(crate) use options::BenchOptions;

/// What a missed `--gate` ends with, and a run in which every call failed.
const MISSED: u8 = 1;

pub(super) fn bench(options: &BenchOptions, global: &GlobalOptions) -> Result<ExitCode, CliError> {
    match &options.what {
        BenchWhat::Cold(latency) => runs::run(
            Wanted::latency("cold", Kind::Fresh, latency, latency.samples.unwrap_or(options::COLD_SAMPLES))?,
            &latency.common,
            global,
        ),
        BenchWhat::Warm(latency) => runs::run(
            Wanted::latency("warm", Kind::Warm, latency, latency.samples.unwrap_or(options::WARM_SAMPLES))?,
            &latency.common,
            global,
        ),
        BenchWhat::Throughput(throughput) => runs::run(Wanted::throughput(throughput)?, &throughput.common, global),
        BenchWhat::Density(density) => density::density(density, global),
        BenchWhat::Trace(trace) => trace::trace(trace, global),
    }
}
