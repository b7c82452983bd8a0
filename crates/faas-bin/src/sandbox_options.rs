//! The options that `faas run` and `faas exec` share.

use crate::diagnostic::CliError;
use crate::files;
use crate::remote::RemoteOptions;
use crate::session::Plan;
use crate::stdin::StdinSource;
use faas_client::model::{ExecuteBody, FileBody};
use faas_config::{Config, Flags, Key, Origin, Setting};
use faas_lib::{ExecutionRequest, FileIn, Work};
use faas_types::{ErrorCode, Mode};
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

    /// ephemeral has a new sandbox; cached takes one that was used and made as new, where the server has one [default: ephemeral]
    #[arg(long, value_name = "ephemeral|cached", default_value = "ephemeral", hide_default_value = true)]
    mode: Mode,

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

    /// Mark it, so that `faas executions ls --label` finds it; repeatable
    #[arg(long, value_name = "NAME=VALUE")]
    label: Vec<String>,

    /// Print one JSON record at the end and nothing else
    #[arg(long)]
    json: bool,

    /// Hand it over to the server, print its id, and do not wait for its end
    #[arg(long, conflicts_with = "stdin")]
    detach: bool,

    #[command(flatten)]
    remote: RemoteOptions,
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
        request.mode = self.mode;
        request.env = self.env.iter().map(|pair| named("--env", pair)).collect::<Result<_, _>>()?;
        request.labels = self.label.iter().map(|pair| named("--label", pair)).collect::<Result<_, _>>()?;
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
        let client = self.remote.chosen()?;
        if client.is_none() {
            request.check()?;
        }
        let output_limit = request.output.bytes;
        let body = request_body(config, request, client.is_none())?;
        Ok(Plan { client, body, stdin, json: self.json, detach: self.detach, output_limit })
    }
}

/// The request as a server gets it. Another server's own defaults hold where nothing was said here.
fn request_body(config: &Config, request: ExecutionRequest, defaults: bool) -> Result<ExecuteBody, CliError> {
    let ExecutionRequest { work, args, env, files, input, timeout, mode, labels, .. } = request;
    let mut body = ExecuteBody {
        args,
        env,
        files: files.into_iter().map(file).collect(),
        input,
        mode: Some(mode),
        labels,
        isolation: said(&config.isolation, defaults),
        cpu: said(&config.cpus, defaults),
        memory: said(&config.memory, defaults),
        disk: said(&config.disk, defaults),
        pids: said(&config.pids, defaults),
        timeout: said(&config.timeout, defaults).map(|_| timeout),
        output_limit: said(&config.output, defaults),
        on_output_limit: said(&config.on_output_limit, defaults),
        ..ExecuteBody::default()
    };
    match work {
        Work::Script { code, name, language, contract } => {
            let code = String::from_utf8(code.into()).map_err(|error| {
                let position = error.utf8_error().valid_up_to();
                let message =
                    format!("code is not text: it is not UTF-8 at byte {position}; accepted: UTF-8 without NUL bytes");
                CliError::new(ErrorCode::NotText, message)
            })?;
            body.code = Some(code);
            body.name = Some(name);
            body.language = Some(language);
            body.contract = Some(contract);
        }
        Work::Command { argv } => body.command = Some(argv),
    }
    Ok(body)
}

fn said<T: Clone>(setting: &Setting<T>, defaults: bool) -> Option<T> {
    (defaults || setting.origin != Origin::Default).then(|| setting.value.clone())
}

fn file(file: FileIn) -> FileBody {
    FileBody { path: file.path, content: file.content.into(), executable: file.executable }
}

fn named(option: &str, pair: &str) -> Result<(String, String), CliError> {
    match pair.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        // The value stays out of the message: it may be a secret.
        _ => {
            Err(CliError::invalid(format!("{option} is refused: no name before an equals sign; accepted: NAME=VALUE")))
        }
    }
}
