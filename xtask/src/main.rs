//! The project's own checks, run as `cargo xtask COMMAND`. Everything continuous integration runs is
//! here, so that one command on any machine gives the same answer.

mod api_fuzz;
mod check_layers;
mod verify;
mod vm_test;

use anyhow::bail;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  api-fuzz [ARGUMENTS]     the HTTP API against its own OpenAPI document; arguments are schemathesis' own
  check-layers             who may depend on whom, where unsafe may stand, how long a file may be
  verify [OPTIONS]         everything continuous integration runs, in its order
      --list               print the steps' names
      --only NAME          run this step only (may be repeated)
      --skip NAME          leave this step out, counted as skipped (may be repeated)
  vm-test [OPTIONS]        the suites on a kernel with cgroup v2, in a small virtual machine (--help)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(code) => code,
        Err(failure) => {
            // Nothing can be done about a closed stderr.
            let _ = writeln!(std::io::stderr(), "xtask: {failure:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let Some((command, rest)) = arguments.split_first() else {
        bail!("no command given\n\n{HELP}");
    };
    match command.as_str() {
        "api-fuzz" => api_fuzz::run(rest).map(|()| ExitCode::SUCCESS),
        "check-layers" => check_layers::run(rest),
        "verify" => verify::run(rest),
        "vm-test" => vm_test::run(rest).map(|()| ExitCode::SUCCESS),
        "help" | "--help" | "-h" => {
            std::io::stdout().write_all(HELP.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        unknown => bail!("unknown command {unknown:?}\n\n{HELP}"),
    }
}

/// The repository's root: the folder above this package.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}
