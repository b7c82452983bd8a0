//! The commands and their options, as clap reads them. The help texts stand here.

use crate::commands::{
    BenchOptions, CompletionsOptions, ConfigOptions, ContextOptions, DeployOptions, DevOptions, DoctorOptions,
    EventsOptions, ExecOptions, ExecutionsOptions, FunctionsOptions, InvokeOptions, LimitsOptions, LogsOptions,
    ManOptions, NewOptions, RunOptions, ServeOptions, StatsOptions,
};
use clap::{Parser, Subcommand};
use faas_config::{Flags, Key};
use std::path::PathBuf;

/// Runs other people's code in sandboxes.
#[derive(Debug, Parser)]
#[command(name = "faas", version, arg_required_else_help = true, propagate_version = true)]
#[command(after_help = "Configuration: defaults, then the file, then FAAS_* variables, then options. \
Exit codes: the program's own; 125 refused or failed by faas, 126 not executable, 127 not found, \
128 ended by a limit, 128+N by signal N, 130 by Ctrl-C.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalOptions,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The options of every command.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct GlobalOptions {
    /// Configuration file [default: $FAAS_CONFIG_FILE, else ~/.config/faas/config.toml where it exists]
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) config: Option<PathBuf>,

    /// Directory for an ordinary user's launcher [default: $XDG_RUNTIME_DIR/faas; root's is /run/faas]
    #[arg(long, global = true, value_name = "PATH")]
    runtime_dir: Option<String>,

    /// Sandboxes that may live at once [default: 64]
    #[arg(long, global = true, value_name = "NUMBER", allow_hyphen_values = true)]
    max_sandboxes: Option<String>,

    /// Language of code that does not say its own [default: python]
    #[arg(long, global = true, value_name = "LANGUAGE")]
    default_language: Option<String>,
}

impl GlobalOptions {
    /// The values that belong to the configuration.
    pub(crate) fn flags(&self) -> Flags {
        Flags::default()
            .with(Key::RuntimeDir, self.runtime_dir.as_deref())
            .with(Key::MaxSandboxes, self.max_sandboxes.as_deref())
            .with(Key::DefaultLanguage, self.default_language.as_deref())
    }

    /// The same as arguments, for a server that this program starts.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let config = self.config.as_deref().map(|path| path.display().to_string());
        let given = [
            ("--config", config.as_ref()),
            ("--runtime-dir", self.runtime_dir.as_ref()),
            ("--max-sandboxes", self.max_sandboxes.as_ref()),
            ("--default-language", self.default_language.as_ref()),
        ];
        let given = given.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?)));
        given.collect()
    }

    /// Whether the number of sandboxes was given.
    pub(crate) const fn says_max_sandboxes(&self) -> bool {
        self.max_sandboxes.is_some()
    }
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a program in a fresh sandbox
    Run(Box<RunOptions>),
    /// Run a command of the sandbox in a fresh sandbox
    Exec(Box<ExecOptions>),
    /// Run the server: the same over HTTP, recorded and queued
    Serve(Box<ServeOptions>),
    /// Make a folder with a function to begin with
    New(NewOptions),
    /// Make or change a function of a server: a folder with faas.yaml, or one source file
    Deploy(DeployOptions),
    /// Call a function
    Invoke(Box<InvokeOptions>),
    /// List, show and delete functions, and choose their versions
    Functions(FunctionsOptions),
    /// Print what calls of a function wrote
    Logs(LogsOptions),
    /// Deploy a function at every save, and show what its calls write
    Dev(DevOptions),
    /// List, show, read, cancel and await the executions of a server
    Executions(ExecutionsOptions),
    /// Print every limit of a server
    Limits(LimitsOptions),
    /// Print what a server does and has done
    Stats(StatsOptions),
    /// Print what happened on a server
    Events(EventsOptions),
    /// Measure what starts, calls and idle instances cost here or on a server
    Bench(Box<BenchOptions>),
    /// Keep the addresses of servers by name
    Context(ContextOptions),
    /// Print the configuration that would hold, with where each value came from
    Config(Box<ConfigOptions>),
    /// Say what isolation and which limits this host gives, and how to get the rest
    Doctor(DoctorOptions),
    /// Print the completion script of a shell
    Completions(CompletionsOptions),
    /// Print the manual page, or write all pages to a directory
    Man(ManOptions),
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory as _;

    #[test]
    fn options_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }
}
