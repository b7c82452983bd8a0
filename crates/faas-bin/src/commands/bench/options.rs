//! The options of `faas bench`, and what they ask for.

use super::pace::Pace;
use super::program::{Asked, Kind, Program};
use super::trace::TraceOptions;
use crate::diagnostic::CliError;
use crate::remote::RemoteOptions;
use clap::Subcommand;

/// Starts of some ten milliseconds each, so that a run takes half a minute.
pub(super) const COLD_SAMPLES: u32 = 1000;
/// Enough for a p99.9.
pub(super) const WARM_SAMPLES: u32 = 2000;

/// Options of `faas bench`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Times are those of the client: from the moment a call should begin to its answer. With --rate \
calls begin at fixed times whether or not earlier ones have ended, and each is measured from its intended time \
(an open loop); without it each begins when the one before has ended (a closed loop). A percentile is given \
where there are enough samples for it. Between the calls a control runs, a child process that writes one byte \
and ends, and p99 is also given as a multiple of the control's. Ctrl-C ends the measurement and prints what \
there is.\nExamples:\n  faas bench cold --language python --samples 2000\n  \
faas bench warm --rate 200 --server http://127.0.0.1:8080\n  faas bench throughput --clients 32 --seconds 20 --json\n  \
faas bench density --instances 64\n  faas bench trace --functions 20 --minutes 2 --rate 20"
)]
pub(crate) struct BenchOptions {
    #[command(subcommand)]
    pub(super) what: BenchWhat,
}

/// What is measured.
#[derive(Debug, Subcommand)]
pub(super) enum BenchWhat {
    /// Executions of which each gets a sandbox of its own
    Cold(LatencyOptions),
    /// Calls of a function that is loaded; scripts and commands in mode cached
    Warm(LatencyOptions),
    /// As many calls of a loaded function as clients make that wait for nothing but their answers
    Throughput(ThroughputOptions),
    /// What idle instances of a Python handler take of the memory of this host
    Density(DensityOptions),
    /// Calls of many functions, as a trace has them: of Azure Functions, or made up
    Trace(Box<TraceOptions>),
}

/// Options of every measurement of calls.
#[derive(Debug, clap::Args)]
pub(super) struct CommonOptions {
    /// Exit with 1 where the p50 is above so many milliseconds
    #[arg(long, value_name = "MS", value_parser = positive)]
    pub(super) gate: Option<f64>,

    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,

    #[command(flatten)]
    pub(super) program: ProgramOptions,

    #[command(flatten)]
    pub(super) remote: RemoteOptions,
}

/// Which program is run.
#[derive(Debug, clap::Args)]
pub(super) struct ProgramOptions {
    /// What runs: a tiny program in this language, or the command true
    #[arg(long, value_enum, default_value_t = Asked::Python)]
    language: Asked,

    /// How it is called [default: script of cold, handler of warm and throughput]
    #[arg(long, value_enum)]
    contract: Option<super::program::AskedContract>,
}

/// Options of `faas bench cold` and `faas bench warm`.
#[derive(Debug, clap::Args)]
pub(super) struct LatencyOptions {
    /// Calls that are measured [default: 1000 of cold, 2000 of warm]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) samples: Option<u32>,

    /// Calls a second, begun at fixed times; without it one after another
    #[arg(long, value_name = "NUMBER", value_parser = positive)]
    rate: Option<f64>,

    #[command(flatten)]
    pub(super) common: CommonOptions,
}

/// Options of `faas bench throughput`.
#[derive(Debug, clap::Args)]
pub(super) struct ThroughputOptions {
    /// Clients at once, each with a connection of its own
    #[arg(long, value_name = "NUMBER", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1024))]
    clients: u32,

    /// How long they call
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,

    /// Instances the function may have
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1000))]
    instances: Option<u32>,

    /// Calls that one instance takes at once
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=100))]
    concurrency: Option<u32>,

    #[command(flatten)]
    pub(super) common: CommonOptions,
}

/// Options of `faas bench density`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Without a server that is named, one is started for the time of the measurement. A server \
that is named must run on this host. PSS is read from /proc, which takes root or the server's user.")]
pub(super) struct DensityOptions {
    /// Instances that wait at once
    #[arg(long, value_name = "NUMBER", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=8000))]
    pub(super) instances: u32,

    /// Exit with 1 where one instance takes more than so many megabytes (10^6 bytes) of what was available
    #[arg(long, value_name = "MB", value_parser = positive)]
    pub(super) gate: Option<f64>,

    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,

    #[command(flatten)]
    pub(super) remote: RemoteOptions,
}

/// A measurement of calls, with everything decided.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The subcommand's name.
    pub(super) bench: &'static str,
    pub(super) program: Program,
    pub(super) load: Load,
}

/// How calls are made.
#[derive(Debug, Clone, Copy)]
pub(super) enum Load {
    /// So many calls at this pace.
    Samples { count: u32, pace: Pace },
    /// As many as these clients make in this time.
    Clients { clients: u32, seconds: u32 },
}

impl Wanted {
    pub(super) fn latency(
        bench: &'static str,
        kind: Kind,
        options: &LatencyOptions,
        count: u32,
    ) -> Result<Self, CliError> {
        let ProgramOptions { language, contract } = options.common.program;
        let program = Program::choose(kind, language, contract)?;
        let pace = options.rate.map_or(Ok(Pace::Closed), Pace::open)?;
        Ok(Self { bench, program, load: Load::Samples { count, pace } })
    }

    pub(super) fn throughput(options: &ThroughputOptions) -> Result<Self, CliError> {
        let ThroughputOptions { clients, seconds, instances, concurrency, ref common } = *options;
        let mut program = Program::choose(Kind::Warm, common.program.language, common.program.contract)?;
        program.scale(instances, concurrency)?;
        Ok(Self { bench: "throughput", program, load: Load::Clients { clients, seconds } })
    }
}

pub(super) fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        Ok(_) | Err(_) => Err("accepted: a number above 0".to_owned()),
    }
}
