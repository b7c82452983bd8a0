//! The main of every name the program has.

use crate::cli::Cli;
use crate::{commands, exit};
use clap::{CommandFactory as _, Parser as _};
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

/// Names under which the program is the server unless its first argument is a command.
const SERVERS: [&str; 2] = ["faas-server", "faas-bin"];

/// Does what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    match Cli::try_parse_from(arguments(std::env::args_os().collect())) {
        Ok(cli) => commands::dispatch(cli).unwrap_or_else(|error| error.report()),
        Err(error) => exit::usage(&error),
    }
}

/// The arguments with the command that the program's name stands for.
fn arguments(mut given: Vec<OsString>) -> Vec<OsString> {
    let name = given.first().and_then(|path| Path::new(path).file_name()).and_then(OsStr::to_str);
    let is_server = name.is_some_and(|name| SERVERS.contains(&name));
    if is_server && !given.get(1).is_some_and(|first| is_command(first)) {
        given.insert(1, "serve".into());
    }
    given
}

fn is_command(argument: &OsStr) -> bool {
    argument == "help" || Cli::command().get_subcommands().any(|command| argument == command.get_name())
}

#[cfg(test)]
mod tests {
    use super::arguments;
    use std::ffi::OsString;

    #[test]
    fn the_servers_names_serve_unless_a_command_is_given() {
        for (given, wanted) in [
            (["faas"].as_slice(), ["faas"].as_slice()),
            (&["/usr/bin/faas-server"], &["/usr/bin/faas-server", "serve"]),
            (&["faas-bin", "--help"], &["faas-bin", "serve", "--help"]),
            (&["faas-server", "--listen", ":0"], &["faas-server", "serve", "--listen", ":0"]),
            (&["faas-server", "run", "x.py"], &["faas-server", "run", "x.py"]),
            (&["faas-server", "serve"], &["faas-server", "serve"]),
            (&["faas-server-old"], &["faas-server-old"]),
        ] {
            let given: Vec<OsString> = given.iter().map(OsString::from).collect();
            assert_eq!(arguments(given), wanted);
        }
    }
}
