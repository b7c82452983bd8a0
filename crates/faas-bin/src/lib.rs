//! The programs `faas`, `faas-server` and `faas-bin`: one main under three names. Each command is one
//! file under `commands`.
//!
//! Invariant: no thread exists before the launcher has started and this process has given up its
//! privileges; user's files are read before that, with the user's rights. Where a command meets an
//! error of ours, the exit code is 125 and stderr names the next step (`docs/exit-codes.md`).

mod cli;
mod commands;
mod console;
mod contexts;
mod diagnostic;
mod doctor;
mod embedded;
mod exit;
mod files;
mod function;
mod language;
mod output;
mod own_server;
mod printed;
mod program;
mod remote;
mod runtime;
mod sandbox_options;
mod served;
mod server_options;
mod session;
mod settings;
mod signals;
mod stdin;
mod terminal;

pub use program::main;
