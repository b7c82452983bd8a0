//! Which trace is wanted, and reading it, with the rights of whoever asked.

use super::azure2019::{self, Tables};
use super::azure2021;
use super::calls::{Part, Trace};
use super::error::TraceError;
use super::synthetic::{Synthetic, generate};
use crate::commands::bench::options::positive;
use crate::diagnostic::CliError;
use crate::remote::RemoteOptions;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Options of `faas bench trace`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Without a file calls are made up: functions are called by Zipf's law, at random times. Each \
function becomes a Python handler that sleeps as long as the trace says; its memory becomes the limit of its \
sandboxes, from 64 to 1024 MiB. Calls begin when the trace says, whatever became of earlier ones, and are timed \
from then. The files of the Azure Functions dataset are at github.com/Azure/AzurePublicDataset.\nExamples:\n  \
faas bench trace --functions 20 --minutes 2 --rate 20 --seed 7\n  \
faas bench trace --simulate --functions 300 --minutes 720 --rate 2\n  \
faas bench trace --azure-2021 trace.txt --functions 30 --from 60 --minutes 30 --speed 6\n  \
faas bench trace --azure-2019 invocations_per_function_md.anon.d01.csv \\\n    \
--durations function_durations_percentiles.anon.d01.csv --memory app_memory_percentiles.anon.d01.csv")]
pub(crate) struct TraceOptions {
    /// Invocation counts of the dataset of 2019, a table with a column for each minute
    #[arg(long, value_name = "FILE", conflicts_with = "azure_2021", requires = "durations")]
    azure_2019: Option<PathBuf>,

    /// Its durations
    #[arg(long, value_name = "FILE", requires = "azure_2019")]
    durations: Option<PathBuf>,

    /// Its memory
    #[arg(long, value_name = "FILE", requires = "azure_2019")]
    memory: Option<PathBuf>,

    /// The trace of 2021, a table with a line for each call
    #[arg(long, value_name = "FILE")]
    azure_2021: Option<PathBuf>,

    /// Functions, those that are called most
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    functions: u32,

    /// The first minute of a trace in a file [default: 0]
    #[arg(long, value_name = "MINUTE")]
    from: Option<u32>,

    /// How many minutes of the trace
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20_160))]
    minutes: u32,

    /// How many times as fast calls come as in the trace; durations stay what they are
    #[arg(long, value_name = "NUMBER", default_value_t = 1.0, value_parser = positive)]
    pub(super) speed: f64,

    /// What random times and durations are drawn by
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(super) seed: u64,

    /// Calls a second that are made up, of all functions together
    #[arg(long, value_name = "NUMBER", default_value_t = 5.0, value_parser = positive, conflicts_with_all = ["azure_2019", "azure_2021"])]
    rate: f64,

    /// How unequal the functions are of which calls are made up; the exponent of Zipf's law
    #[arg(long, value_name = "NUMBER", default_value_t = 1.0, value_parser = positive, conflicts_with_all = ["azure_2019", "azure_2021"])]
    zipf: f64,

    /// How many seconds an idle instance is kept [default: as long as the server finds worth it]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(super) idle_ttl: Option<u32>,

    /// Then the same calls once more, with this fixed time of an idle instance, in seconds [default with --simulate: 600]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400), conflicts_with = "idle_ttl")]
    pub(super) against: Option<u32>,

    /// In simulated time, by the scheduler's own code: without a sandbox, so that hours take seconds
    #[arg(long, conflicts_with_all = ["speed", "idle_ttl", "gate"])]
    pub(super) simulate: bool,

    /// What a start takes, in milliseconds [default: 30]
    #[arg(long, value_name = "MS", value_parser = positive, requires = "simulate")]
    pub(super) start: Option<f64>,

    /// Exit with 1 where the p50 of what calls took above their own duration is above so many milliseconds
    #[arg(long, value_name = "MS", value_parser = positive)]
    pub(super) gate: Option<f64>,

    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,

    #[command(flatten)]
    pub(super) remote: RemoteOptions,
}

impl TraceOptions {
    /// The calls, and how their source is called.
    pub(super) fn read(&self) -> Result<(Trace, &'static str), CliError> {
        let part = Part { functions: self.functions, from: self.from.unwrap_or(0), minutes: self.minutes };
        let in_file = self.azure_2019.is_some() || self.azure_2021.is_some();
        if self.from.is_some() && !in_file {
            let detail = "--from is refused, for calls that are made up have no minutes before; accepted: with --azure-2019 or \
                          --azure-2021";
            return Err(CliError::invalid(detail.to_owned()));
        }
        let read = match (&self.azure_2019, &self.durations, &self.azure_2021) {
            (Some(invocations), Some(durations), _) => {
                let memory = self.memory.as_deref().map(open).transpose();
                let tables = open(invocations)
                    .and_then(|invocations| Ok(Tables { invocations, durations: open(durations)?, memory: memory? }));
                (tables.and_then(|tables| azure2019::read(tables, part, self.seed)), "azure-2019")
            }
            (_, _, Some(calls)) => {
                (open(calls).and_then(|(name, reader)| azure2021::read(&name, reader, part)), "azure-2021")
            }
            _ => {
                let wanted = Synthetic {
                    functions: self.functions,
                    seconds: f64::from(self.minutes) * 60.0,
                    rate: self.rate,
                    zipf: self.zipf,
                    seed: self.seed,
                };
                (generate(wanted), "synthetic")
            }
        };
        let (trace, source) = read;
        let trace = trace.map_err(|error| {
            CliError::invalid(error.to_string()).help("`faas bench trace --help` says which files are read")
        })?;
        Ok((trace, source))
    }
}

fn open(path: &Path) -> Result<(String, BufReader<File>), TraceError> {
    let name = path.display().to_string();
    match File::open(path) {
        Ok(file) => Ok((name, BufReader::new(file))),
        Err(source) => Err(TraceError::Io { file: name, source }),
    }
}
