//! One file per command.

mod bench;
mod completions;
mod config;
mod context;
mod deploy;
mod dev;
mod doctor;
mod exec;
mod executions;
mod functions;
mod invoke;
mod logs;
mod man;
mod new;
mod platform;
mod run;
mod serve;

pub(crate) use bench::BenchOptions;
pub(crate) use completions::CompletionsOptions;
pub(crate) use config::ConfigOptions;
pub(crate) use context::ContextOptions;
pub(crate) use deploy::DeployOptions;
pub(crate) use dev::DevOptions;
pub(crate) use doctor::DoctorOptions;
pub(crate) use exec::ExecOptions;
pub(crate) use executions::ExecutionsOptions;
pub(crate) use functions::FunctionsOptions;
pub(crate) use invoke::InvokeOptions;
pub(crate) use logs::LogsOptions;
pub(crate) use man::ManOptions;
pub(crate) use new::NewOptions;
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
        Command::New(options) => new::new(&options),
        Command::Deploy(options) => deploy::deploy(&options),
        Command::Invoke(options) => invoke::invoke(&options),
        Command::Functions(options) => functions::functions(&options),
        Command::Logs(options) => logs::logs(&options),
        Command::Dev(options) => dev::dev(&options),
        Command::Executions(options) => executions::executions(&options),
        Command::Limits(options) => platform::limits(&options),
        Command::Stats(options) => platform::stats(&options),
        Command::Events(options) => platform::events(&options),
        Command::Bench(options) => bench::bench(&options, global),
        Command::Context(options) => context::context(&options),
        Command::Config(options) => config::config(&options, global),
        Command::Doctor(options) => doctor::doctor(&options, global),
        Command::Completions(options) => completions::completions(&options),
        Command::Man(options) => man::man(&options),
    }
}
