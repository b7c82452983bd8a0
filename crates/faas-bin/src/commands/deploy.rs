//! `faas deploy [DIR|ARCHIVE|FILE]`.

use crate::console;
use crate::diagnostic::CliError;
use crate::function::{Source, deploy as deploy_source};
use crate::remote::RemoteOptions;
use crate::runtime::on_runtime;
use faas_client::model::ProgressEvent;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;

/// Options of `faas deploy`.
#[derive(Debug, clap::Args)]
#[command(after_help = "The function is made, or changed to a new version that is live at once; where nothing \
differs nothing is done. Settings that faas.yaml does not name get the server's defaults, but isolation and \
on_output_limit stay what they are.\nExamples:\n  faas deploy hello\n  faas deploy resize.py --name image-resize\n  \
faas deploy hello.tar.gz\n  faas deploy --dry-run")]
pub(crate) struct DeployOptions {
    /// A folder with faas.yaml, a tar, tar.gz or zip archive of one, or one source file, whose function has its name
    #[arg(value_name = "DIR|ARCHIVE|FILE", default_value = ".", help_heading = "Arguments")]
    target: PathBuf,

    /// The function's name instead of the one it says itself
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    remote: RemoteOptions,
}

pub(super) fn deploy(options: &DeployOptions) -> Result<ExitCode, CliError> {
    let source = Source::read(&options.target, options.name.as_deref())?;
    let client = options.remote.client()?;
    let mut hears = |progress: ProgressEvent| {
        if !options.json {
            console::note(&progress.phase, &progress.line);
        }
    };
    let deployment = on_runtime(deploy_source(&client, &source, options.dry_run, &mut hears))?;
    let text = if options.json { deployment.json()? } else { deployment.describe() };
    let code = console::print(text.as_bytes())?;
    if deployment.is_first() && !options.dry_run && !options.json && io::stdout().is_terminal() {
        console::note("next", &format!("faas invoke {}", source.name));
    }
    Ok(code)
}
