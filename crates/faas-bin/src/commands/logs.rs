//! `faas logs NAME`.

use crate::console;
use crate::diagnostic::CliError;
use crate::function::Following;
use crate::output::Output;
use crate::remote::RemoteOptions;
use crate::runtime::on_runtime;
use std::io;
use std::process::ExitCode;

/// Options of `faas logs`.
#[derive(Debug, clap::Args)]
#[command(after_help = "What the executions of a function wrote, as far as the server keeps it, goes to standard \
output; a heading and a line on the end of each go to standard error. -f asks for new executions twice a second, \
so a call is seen up to half a second after it began; what executions that run at once write comes in pieces. \
`faas executions logs ID` has one of them, and its streams apart.")]
pub(crate) struct LogsOptions {
    /// The function's name
    #[arg(value_name = "NAME", help_heading = "Arguments")]
    function: String,

    /// Go on with the executions that come
    #[arg(short, long)]
    follow: bool,

    /// Begin with so many that were there before
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=200))]
    last: u32,

    #[command(flatten)]
    remote: RemoteOptions,
}

pub(super) fn logs(options: &LogsOptions) -> Result<ExitCode, CliError> {
    let client = options.remote.client()?;
    on_runtime(async {
        // Of executions alone nobody could tell a name without calls from one that is misspelt.
        let name = client.functions().get(&options.function).await?.name.to_string();
        let output = Output::start().map_err(|error| CliError::io("standard output cannot be used", &error))?;
        let mut following = Following::new(client, name);
        let mut unfinished = Vec::new();
        for record in following.last(options.last).await? {
            if options.follow && !record.status.is_terminal() {
                unfinished.push(record);
            } else {
                following.show(record, &output).await?;
            }
        }
        if options.follow {
            following.follow(unfinished, &output, Err).await?;
        }
        match output.finish().await {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(console::broken_pipe()),
            Err(error) => Err(CliError::io("standard output cannot be written", &error)),
        }
    })
}
