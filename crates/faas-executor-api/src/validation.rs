//! What every backend refuses before anything runs: pure checks of a call's own fields.
//!
//! Called by backends at the start of `exec`, `invoke` and `ask`. The limits are such that the arguments
//! and the environment of one call fit one protocol frame, and that a path which passes here names
//! something beneath the working directory (a symlink inside the sandbox is the backend's matter).

mod path;
mod request;
#[cfg(test)]
mod tests;

pub use path::check_file;

use crate::{CallError, Command, FileIn, Invocation, MAX_AT_ONCE, Program, Stay};
use faas_types::Contract;

/// The most bytes of arguments and environment together. Every entry counts its text and
/// 4 bytes for its length on the wire.
pub const MAX_ARGUMENT_BYTES: usize = 96 * 1024;
/// The most arguments, and the most environment variables.
pub const MAX_ENTRIES: usize = 4096;
/// The most bytes of a program's source.
pub const MAX_CODE_BYTES: usize = 16 * 1024 * 1024;
/// The most bytes of a path.
pub const MAX_PATH_BYTES: usize = 4096;
/// The most bytes of one part of a path.
pub const MAX_NAME_BYTES: usize = 255;

/// What an entry costs beside its text: its length on the wire.
const ENTRY_OVERHEAD: usize = 4;

/// Checks a command before anything runs.
///
/// # Errors
/// `Invalid` or `File`, naming the field or the path.
pub fn check_command(command: &Command) -> Result<(), CallError> {
    if command.argv.first().is_none_or(String::is_empty) {
        return Err(invalid("argv", "it names no program", "a program and its arguments"));
    }
    check_texts("argv", &command.argv, &command.env)?;
    path::check_files(&command.files)
}

/// Checks an invocation before anything runs.
///
/// # Errors
/// `Invalid` or `File`, naming the field or the path.
pub fn check_invocation(call: &Invocation) -> Result<(), CallError> {
    check_fields(call)?;
    if call.at_once > 1 && call.stay == Stay::Answered {
        return Err(invalid(
            "stay",
            "the program answers several calls at once",
            "loaded, and then its calls when shared",
        ));
    }
    Ok(())
}

/// Checks a call of a program that is shared before it is asked.
///
/// # Errors
/// `Invalid` or `File`, naming the field or the path.
pub fn check_shared(call: &Invocation) -> Result<(), CallError> {
    check_fields(call)?;
    if call.stay != Stay::Answered {
        return Err(invalid("stay", "the program is shared, and stays", "answered"));
    }
    Ok(())
}

fn check_fields(call: &Invocation) -> Result<(), CallError> {
    check_program(&call.program)?;
    check_texts("args", &call.args, &call.env)?;
    match (call.contract.answers(), &call.request) {
        (true, Some(request)) => {
            // To every other contract it is nothing.
            if call.contract == Contract::Handler {
                request::check_entry(&request.entry)?;
            }
            request::check_request(request)?;
        }
        (true, None) => {
            return Err(invalid("request", "there is none", "one, under the contracts handler and cgi"));
        }
        (false, None) => {}
        (false, Some(_)) => {
            return Err(invalid("request", "there is one", "none, but under the contracts handler and cgi"));
        }
    }
    if call.stay != Stay::No && call.contract != Contract::Handler {
        return Err(invalid("stay", "the program is no handler", "no, but under the handler contract"));
    }
    if !(1..=MAX_AT_ONCE).contains(&call.at_once) {
        return Err(invalid("at_once", format!("it is {}", call.at_once), "1 to 100"));
    }
    if call.at_once > 1 && call.stay == Stay::No {
        return Err(invalid("at_once", "the program does not stay", "1, but for a program that stays"));
    }
    path::check_files(&call.files)
}

fn check_program(program: &Program) -> Result<(), CallError> {
    const ACCEPTED_CODE: &str = "1 byte to 16 MiB of UTF-8 without NUL";
    let refuse = |reason: String| Err(invalid("code", reason, ACCEPTED_CODE));
    if program.code.is_empty() {
        return refuse("it is empty".to_owned());
    }
    if program.code.len() > MAX_CODE_BYTES {
        return refuse(format!("it has {} bytes", program.code.len()));
    }
    if let Err(error) = std::str::from_utf8(&program.code) {
        return refuse(format!("it is not UTF-8 at byte {}", error.valid_up_to()));
    }
    if let Some(position) = program.code.iter().position(|byte| *byte == 0) {
        return refuse(format!("it holds a NUL at byte {position}"));
    }
    if let Err(reason) = path::check_name(&program.name) {
        return Err(invalid("name", reason, "a plain file name such as main.py"));
    }
    Ok(())
}

fn check_texts(field: &'static str, arguments: &[String], env: &[(String, String)]) -> Result<(), CallError> {
    const ACCEPTED_COUNT: &str = "at most 4096 entries";
    const ACCEPTED_TEXT: &str = "text without NUL";
    const ACCEPTED_NAMES: &str = "non-empty names without '=' and NUL, values without NUL";
    if arguments.len() > MAX_ENTRIES {
        return Err(invalid(field, format!("it has {} entries", arguments.len()), ACCEPTED_COUNT));
    }
    if env.len() > MAX_ENTRIES {
        return Err(invalid("env", format!("it has {} entries", env.len()), ACCEPTED_COUNT));
    }
    if let Some(index) = arguments.iter().position(|argument| argument.contains('\0')) {
        return Err(invalid(field, format!("entry {index} holds a NUL"), ACCEPTED_TEXT));
    }
    for (name, value) in env {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(invalid("env", format!("{name:?} is not a variable's name"), ACCEPTED_NAMES));
        }
        // The value stays out of the message: it may be a secret.
        if value.contains('\0') {
            return Err(invalid("env", format!("the value of {name} holds a NUL"), ACCEPTED_NAMES));
        }
    }
    let argument_bytes: usize = arguments.iter().map(|argument| argument.len() + ENTRY_OVERHEAD).sum();
    let env_bytes: usize = env.iter().map(|(name, value)| name.len() + 1 + value.len() + ENTRY_OVERHEAD).sum();
    let total = argument_bytes + env_bytes;
    if total > MAX_ARGUMENT_BYTES {
        let reason = format!("{field} and env together have {total} bytes, 4 more for each entry included");
        let larger = if env_bytes > argument_bytes { "env" } else { field };
        return Err(invalid(larger, reason, "at most 98304 bytes; pass larger data as a file or on stdin"));
    }
    Ok(())
}

fn invalid(field: &'static str, reason: impl Into<String>, accepted: &'static str) -> CallError {
    CallError::Invalid { field, reason: reason.into(), accepted }
}

fn refused(file: &FileIn, reason: impl Into<String>) -> CallError {
    CallError::File { path: file.path.clone(), reason: reason.into() }
}
