//! Exit codes, as `docs/exit-codes.md` has them.

use faas_types::{ErrorKind, ExecutionRecord};
use std::process::ExitCode;

/// Refused or failed by us.
pub(crate) const REFUSED: u8 = 125;
/// The server would be open to other machines without asking who they are.
pub(crate) const EXPOSED: u8 = 2;
/// The command exists and cannot be executed.
const NOT_EXECUTABLE: u8 = 126;
/// The command does not exist.
const NOT_FOUND: u8 = 127;
/// Ended by a limit of ours; a signal's number is added to it for a signal.
const LIMIT: u8 = 128;
/// The program ended well and said by its contract that it failed.
const FAILED_BY_CONTRACT: u8 = 1;

/// The code of a command that was cancelled by this signal.
pub(crate) const fn of_signal(signal: u8) -> u8 {
    LIMIT.saturating_add(signal)
}

/// The code of a finished execution.
pub(crate) fn of_record(record: &ExecutionRecord) -> u8 {
    match record.error_kind {
        None => 0,
        Some(ErrorKind::UserError) => match (record.exit_code, record.signal) {
            (Some(0), _) => FAILED_BY_CONTRACT,
            (Some(code), _) => code,
            (None, Some(signal)) => of_signal(signal),
            (None, None) => REFUSED,
        },
        Some(ErrorKind::Timeout | ErrorKind::Oom | ErrorKind::Limit) => LIMIT,
        Some(ErrorKind::Cancelled) => of_signal(2),
        Some(ErrorKind::SandboxLost | ErrorKind::Platform) => REFUSED,
    }
}

/// The code of a command that could not be run, by the kernel's answer.
pub(crate) fn of_command_not_run(reason: &str) -> u8 {
    let reason = reason.to_ascii_lowercase();
    if ["no such file", "not found", "enoent"].iter().any(|text| reason.contains(text)) {
        NOT_FOUND
    } else {
        NOT_EXECUTABLE
    }
}

/// Says what is wrong with the command line, or the help that was asked for.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    // Nobody to tell when this fails.
    drop(error.print());
    if error.use_stderr() { ExitCode::from(REFUSED) } else { ExitCode::SUCCESS }
}

#[cfg(test)]
mod tests {
    use super::of_command_not_run;

    #[test]
    fn a_missing_command_differs_from_one_that_cannot_be_executed() {
        assert_eq!(of_command_not_run("No such file or directory (os error 2)"), 127);
        assert_eq!(of_command_not_run("not found in /usr/bin:/bin"), 127);
        assert_eq!(of_command_not_run("Permission denied"), 126);
        assert_eq!(of_command_not_run("Exec format error"), 126);
    }
}
