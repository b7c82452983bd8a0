//! The command line. One main; each command is one file under `commands`.
//!
//! Invariant: no thread exists before the launcher has started and this process has given up its
//! privileges; user's files are read before that, with the user's rights. Where a command meets an
//! error of ours, the exit code is 125 and stderr names the next step (`docs/exit-codes.md`).

mod cli;
mod commands;
mod console;
mod diagnostic;
mod doctor;
mod exit;
mod files;
mod language;
mod output;
mod sandbox_options;
mod session;
mod settings;
mod signals;
mod stdin;
mod terminal;

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::Cli::try_parse() {
        Ok(cli) => commands::dispatch(cli).unwrap_or_else(|error| error.report()),
        Err(error) => exit::usage(&error),
    }
}
