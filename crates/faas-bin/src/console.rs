//! What we ourselves say, apart from the program's output: messages on stderr, answers on stdout.

use crate::diagnostic::CliError;
use crate::exit;
use crate::terminal::Neutraliser;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

const SIGPIPE: u8 = 13;
const RED: &str = "\u{1b}[1;31m";
const RESET: &str = "\u{1b}[0m";

/// One line on stderr: `error[code]: message`. Coloured only on a terminal.
pub(crate) fn complain(kind: &str, code: Option<&str>, message: &str) {
    let label = match code {
        Some(code) => format!("{kind}[{code}]"),
        None => kind.to_owned(),
    };
    let coloured = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if coloured { say(&format!("{RED}{label}{RESET}: "), message) } else { say(&format!("{label}: "), message) }
}

/// Asks on stderr; the answer comes on the same line.
pub(crate) fn ask(question: &str) {
    // Nobody to tell when this fails.
    drop(io::stderr().write_all(crate::terminal::one_line(question).as_bytes()));
}

/// One more line below a complaint.
pub(crate) fn note(kind: &str, message: &str) {
    say(&format!("  {kind}: "), message);
}

/// Messages may repeat what a hostile program or file name says.
fn say(label: &str, message: &str) {
    let mut line = label.as_bytes().to_vec();
    if io::stderr().is_terminal() {
        let mut filter = Neutraliser::default();
        filter.push(message.as_bytes(), &mut line);
        filter.finish(&mut line);
    } else {
        line.extend_from_slice(message.as_bytes());
    }
    line.push(b'\n');
    // Nobody to tell when this fails.
    drop(io::stderr().write_all(&line));
}

/// An answer on stdout. A reader that went away is no error worth a message.
pub(crate) fn print(answer: &[u8]) -> Result<ExitCode, CliError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(answer).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(broken_pipe()),
        Err(error) => Err(CliError::io("standard output cannot be written", &error)),
    }
}

/// The end of a program whose reader went away, as if its signal had ended it.
pub(crate) fn broken_pipe() -> ExitCode {
    ExitCode::from(exit::of_signal(SIGPIPE))
}
