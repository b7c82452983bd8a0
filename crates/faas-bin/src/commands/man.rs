//! `faas man [DIR]`.

use crate::cli::Cli;
use crate::console;
use crate::diagnostic::CliError;
use clap::CommandFactory as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Options of `faas man`.
#[derive(Debug, clap::Args)]
pub(crate) struct ManOptions {
    /// Directory for the pages of faas and of each command; without it the main page is printed
    directory: Option<PathBuf>,
}

pub(super) fn man(options: &ManOptions) -> Result<ExitCode, CliError> {
    let Some(directory) = &options.directory else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command())
            .render(&mut page)
            .map_err(|error| CliError::io("the manual page cannot be made", &error))?;
        return console::print(&page);
    };
    clap_mangen::generate_to(Cli::command(), directory).map_err(|error| {
        CliError::io(&format!("the manual pages cannot be written to {}", directory.display()), &error)
    })?;
    Ok(ExitCode::SUCCESS)
}
