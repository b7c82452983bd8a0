//! `faas exec -- CMD ARGS`.

use crate::cli::GlobalOptions;
use crate::diagnostic::CliError;
use crate::files::text;
use crate::sandbox_options::SandboxOptions;
use crate::{session, settings};
use faas_lib::{ExecutionRequest, Work};
use faas_types::Contract;
use std::ffi::OsString;
use std::process::ExitCode;

/// Options of `faas exec`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: faas exec --memory 64Mi -- sort --numeric-sort words.txt")]
pub(crate) struct ExecOptions {
    #[command(flatten)]
    sandbox: SandboxOptions,

    /// Program and arguments; the program is searched in the sandbox's /usr/bin and /bin
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND", help_heading = "Arguments")]
    command: Vec<OsString>,
}

pub(super) fn exec(options: ExecOptions, global: &GlobalOptions) -> Result<ExitCode, CliError> {
    let config = settings::load_own(global, &options.sandbox.flags(global.flags()))?;
    let argv = options.command.into_iter().map(|part| text("command", part)).collect::<Result<_, _>>()?;
    let mut request = ExecutionRequest::new(Work::Command { argv });
    request.timeout = config.timeout_for(Contract::Command);
    let plan = options.sandbox.plan(&config, request, false)?;
    session::execute(&config, plan)
}
