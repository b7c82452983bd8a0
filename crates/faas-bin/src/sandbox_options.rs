//! The options that `faas run` and `faas exec` share.

use crate::diagnostic::CliError;
use crate::files;
use crate::session::Plan;
use crate::stdin::StdinSource;
use faas_config::{Config, Flags, Key};
use faas_lib::ExecutionRequest;
use std::ffi::OsString;
use std::path::PathBuf;

/// The options that `faas run` and `faas exec` share.
#[derive(Debug, clap::Args)]
pub(crate) struct SandboxOptions {
    /// How long it may run, such as 30s, 500ms, 5m; a bare number is seconds [default: 30s; argv-json: 300s]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    timeout: Option<String>,

    /// Memory of the sandbox, such as 256Mi, 1Gi; a bare number is MiB [default: 256Mi]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    memory: Option<String>,

    /// Processor share, such as 1, 0.5 or 500m [default: 1]
    #[arg(long, value_name = "CORES", allow_hyphen_values = true)]
    cpus: Option<String>,

    /// All writable areas together, at most half of the memory [default: 128Mi, or half of a smaller memory]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    disk: Option<String>,

    /// Processes and threads of the sandbox, from 4 [default: 64]
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pids: Option<String>,

    /// Bytes of stdout and stderr together [default: 64Mi]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    output_limit: Option<String>,

    /// Past the output limit: discard the rest, or kill the program [default: discard]
    #[arg(long, value_name = "discard|kill")]
    on_output_limit: Option<String>,

    /// strict refuses when a layer or limit is missing; standard runs and lists it [default: strict]
    #[arg(long, value_name = "strict|standard")]
    isolation: Option<String>,

    /// A variable of its environment, which is empty otherwise; repeatable
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,

    /// A file for its working directory, by its own name or under DEST (after the last colon); repeatable
    #[arg(long, value_name = "PATH[:DEST]")]
    file: Vec<OsString>,

    /// Give it our standard input, or the content of PATH; without this it has none
    #[arg(long, value_name = "PATH", num_args = 0..=1, require_equals = true)]
    #[expect(clippy::option_option, reason = "how clap says: absent, bare, with a value")]
    stdin: Option<Option<PathBuf>>,

    /// Print one JSON record at the end and nothing else
    #[arg(long)]
    json: bool,
}

impl SandboxOptions {
    /// The values that belong to the configuration.
    pub(crate) fn flags(&self, flags: Flags) -> Flags {
        flags
            .with(Key::Timeout, self.timeout.as_deref())
            .with(Key::Memory, self.memory.as_deref())
            .with(Key::Cpus, self.cpus.as_deref())
            .with(Key::Disk, self.disk.as_deref())
            .with(Key::Pids, self.pids.as_deref())
            .with(Key::Output, self.output_limit.as_deref())
            .with(Key::OnOutputLimit, self.on_output_limit.as_deref())
            .with(Key::Isolation, self.isolation.as_deref())
    }

    /// Completes a request, reading the user's files, and checks it.
    pub(crate) fn plan(
        &self,
        config: &Config,
        mut request: ExecutionRequest,
        stdin_is_taken: bool,
    ) -> Result<Plan, CliError> {
        request.resources = config.resources();
        request.isolation = config.isolation.value;
        request.output = config.output_limits();
        request.env = self.env.iter().map(|pair| variable(pair)).collect::<Result<_, _>>()?;
        request.files = files::read_all(&self.file, request.resources.disk)?;
        let stdin = match &self.stdin {
            None => StdinSource::Closed,
            Some(None) if stdin_is_taken => {
                return Err(CliError::invalid(
                    "--stdin is refused: the program itself came from standard input; accepted: --stdin=PATH, or the program as FILE or -c CODE".to_owned(),
                ));
            }
            Some(None) => StdinSource::ours()?,
            Some(Some(path)) => StdinSource::file(path)?,
        };
        request.check()?;
        Ok(Plan { request, stdin, json: self.json })
    }
}

fn variable(pair: &str) -> Result<(String, String), CliError> {
    match pair.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        // The value stays out of the message: it may be a secret.
        _ => Err(CliError::invalid("--env is refused: no name before an equals sign; accepted: NAME=VALUE".to_owned())),
    }
}
