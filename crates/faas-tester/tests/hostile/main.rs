//! The hostile suite: programs that try to leave, exhaust or deceive a sandbox, run through the
//! built `faas` binary with its default isolation, as root and as a fresh ordinary user; cold by `faas run`
//! alone, and by a server in copies of a zygote and in spares.
//!
//! Every row is judged from inside (what the program was answered) and from outside (what became of
//! the host). No row is left out silently: what cannot run here prints `SKIP` and the reason.
//!
//! `FAAS_BIN` names a built binary, `FAAS_HOSTILE_DIR` the directory of programs; with both set the
//! test binary runs on a machine without a checkout. `FAAS_UPDATE_GOLDEN=1` rewrites the list of
//! system calls a sandbox may reach. On a slow machine `FAAS_TIME_FACTOR` multiplies times and divides
//! some amounts, and `FAAS_ROW_36_SECONDS` shortens row 36; the table says what that leaves out.
//! Arguments are libtest's: filters, `--list`, `--exact`, `--skip`.

mod arguments;
mod escape;
mod host;
mod inputs;
mod kernel;
mod launch;
mod output;
mod pace;
mod ratchet;
mod record;
mod report;
mod resources;
mod served;
mod start;
mod suite;
mod trial;
mod watch;

use crate::arguments::Arguments;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::from_command_line();
    let rows: Vec<_> =
        [escape::ROWS, kernel::ROWS, ratchet::ROWS, resources::ROWS, output::ROWS, inputs::ROWS].concat();
    if arguments.list {
        report::list(&rows, &arguments);
        return ExitCode::SUCCESS;
    }
    match trial::run_all(&rows, &arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(101),
        Err(problem) => {
            report::line(&format!("the hostile suite could not start: {problem}"));
            ExitCode::from(102)
        }
    }
}
