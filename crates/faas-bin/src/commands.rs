//! One file per command.

mod completions;
mod config;
mod context;
mod doctor;
mod exec;
mod executions;
mod man;
mod platform;
mod run;
mod serve;

pub(crate) use completions::CompletionsOptions;
pub(crate) use config::ConfigOptions;
pub(crate) use context::ContextOptions;
pub(crate) use doctor::DoctorOptions;
pub(crate) use exec::ExecOptions;
pub(crate) use executions::ExecutionsOptions;
pub(crate) use man::ManOptions;
pub(crate) use platform::{EventsOptions, LimitsOptions, StatsOptions};
pub(crate) use run::RunOptions;
pub(crate) use serve::ServeOptions;

use crate::cli::{Cli, Command};
use crate::diagnostic::CliError;
use std::process::ExitCode;

/// Runs the command that was asked for.
pub(crate) fn dispatch(cli: Cli) -> Result<ExitCode, CliError> {
    let global = &cli.global;
    match cli.command {
        Command::Run(options) => run::run(*options, global),
        Command::Exec(options) => exec::exec(*options, global),
        Command::Serve(options) => serve::serve(&options, global),
        Command::Executions(options) => executions::executions(&options),
        Command::Limits(options) => platform::limits(&options),
        Command::Stats(options) => platform::stats(&options),
        Command::Events(options) => platform::events(&options),
        Command::Context(options) => context::context(&options),
        Command::Config(options) => config::config(&options, global),
        Command::Doctor(options) => doctor::doctor(&options, global),
        Command::Completions(options) => completions::completions(&options),
        Command::Man(options) => man::man(&options),
    }
}
