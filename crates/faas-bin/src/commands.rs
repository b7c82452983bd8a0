//! One file per command.

mod completions;
mod doctor;
mod exec;
mod man;
mod run;

pub(crate) use completions::CompletionsOptions;
pub(crate) use doctor::DoctorOptions;
pub(crate) use exec::ExecOptions;
pub(crate) use man::ManOptions;
pub(crate) use run::RunOptions;

use crate::cli::{Cli, Command};
use crate::diagnostic::CliError;
use std::process::ExitCode;

/// Runs the command that was asked for.
pub(crate) fn dispatch(cli: Cli) -> Result<ExitCode, CliError> {
    let global = &cli.global;
    match cli.command {
        Command::Run(options) => run::run(*options, global),
        Command::Exec(options) => exec::exec(*options, global),
        Command::Doctor(options) => doctor::doctor(&options, global),
        Command::Completions(options) => completions::completions(&options),
        Command::Man(options) => man::man(&options),
    }
}
