//! `faas completions SHELL`.

use crate::cli::Cli;
use crate::console;
use crate::diagnostic::CliError;
use clap::CommandFactory as _;
use std::process::ExitCode;

/// Options of `faas completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsOptions {
    /// The shell
    shell: clap_complete::Shell,
}

pub(super) fn completions(options: &CompletionsOptions) -> Result<ExitCode, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "faas", &mut script);
    console::print(&script)
}
