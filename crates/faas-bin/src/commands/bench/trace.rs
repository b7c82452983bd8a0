//! Calls as somebody recorded them, or as a generator makes them up, to be made again.
//!
//! The readers and the generator all give a [`calls::Trace`]; [`replay`] knows nothing of where it came from.

mod azure2019;
mod azure2021;
mod calls;
mod error;
mod pair;
mod random;
mod replay;
mod simulate;
mod simulated;
mod source;
mod synthetic;
mod table;

use crate::cli::GlobalOptions;
use crate::diagnostic::CliError;
pub(super) use source::TraceOptions;
use std::process::ExitCode;

/// Makes the calls, or finds out what would become of them.
pub(super) fn trace(options: &TraceOptions, global: &GlobalOptions) -> Result<ExitCode, CliError> {
    if options.simulate { simulated::print(options) } else { replay::replay(options, global) }
}
