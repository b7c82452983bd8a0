//! The CGI runner's binary. Everything is in the library; this is only the entry.

use std::process::ExitCode;

fn main() -> ExitCode {
    faas_cgi_runner::run()
}
