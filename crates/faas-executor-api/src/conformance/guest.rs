//! The programs a scenario needs, in words each backend's sandboxes understand.

use crate::Program;
use bytes::Bytes;
use faas_types::Language;

/// What a program run through `invoke` is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptTask {
    /// Prints each argument and a newline, then exits with this code.
    PrintArguments {
        /// The exit code.
        exit: u8,
    },
    /// Copies stdin to stdout until its end, then exits with 0.
    EchoStdin,
    /// Prints `ready` and a newline, ignores SIGTERM and never ends.
    SleepForever,
}

/// What a program that is asked through the handler contract is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandlerTask {
    /// Answers 201 with the header `x-asked: METHOD PATH?QUERY NAME`, the last being the request's header
    /// `x-name`, and with the request's body; prints `asked` and a newline before.
    Echo,
    /// Answers 200 with this many bytes, the one at position `n` being `n % 251`, in pieces.
    Flood {
        /// How many.
        bytes: u64,
    },
    /// Raises an error whose message has `mine` in it.
    Raise,
    /// Ends its process with this code instead of answering.
    Exit {
        /// The code.
        code: u8,
    },
    /// Counts its requests, prints `call`, a space, the count and a newline, and does what the request's body
    /// says. Unless said otherwise it answers the count.
    /// - `note`: answers the content of the file `note`, or `absent`, and then writes `of a call` to it;
    /// - `thread`: leaves something in its own process that prints `late` and a newline over and over;
    /// - `process`: leaves another process that never ends;
    /// - `processes`: answers how many processes it sees;
    /// - `die`: ends its process some time after the answer;
    /// - `sleep`: prints `ready` and a newline and never answers;
    /// - `exit`: ends its process with code 3 instead of answering;
    /// - `raise`: raises an error whose message has `mine` in it.
    Obey,
    /// Counts its requests, several at once, and does what the words of the request's body say. Unless said otherwise
    /// it prints nothing and answers the count.
    /// - `meet SIZE NAME`: prints the name and a newline, waits until as many calls have come here as make groups of
    ///   that size, prints the same again and answers the name;
    /// - `wait`: prints `ready` and a newline and never answers;
    /// - `chatter`: prints `late` and a newline over and over and never answers;
    /// - `flood`: answers [`TOGETHER_FLOOD`] bytes, the one at position `n` being `n % 251`;
    /// - `raise`: raises an error whose message has `mine` in it;
    /// - `exit`: ends its process with code 3.
    Together,
}

/// What `flood` answers: more than is under way while nobody reads.
pub const TOGETHER_FLOOD: u64 = 3 << 20;

/// What a program that is asked through the cgi contract is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CgiTask {
    /// Writes `asked` and a newline to stderr; answers 201 with the header `X-Asked: METHOD PATH?QUERY NAME`,
    /// the last being the request's header `x-name`, and with the request's body.
    Echo,
    /// Answers 200 with this many bytes, the one at position `n` being `n % 251`.
    Flood {
        /// How many.
        bytes: u64,
    },
    /// Answers 200 with `ready` and a newline at once, then never ends.
    Start,
    /// Fails before it has answered.
    Fail,
    /// Prints what is no answer, for ever.
    Malformed,
    /// Is executable, by a first line that names another interpreter than the language's; answers 200 with `ran`
    /// and a newline.
    Executable,
}

/// Gives the argv of a program for each thing a scenario wants done. Paths are relative to the
/// working directory. Unless said otherwise a program exits with 0 and writes nothing.
pub trait Guest: Send + Sync {
    /// Multiplies every bound and deadline of the suite; more than 1 on machines that emulate.
    fn patience(&self) -> u32 {
        1
    }

    /// Writes these bytes to stdout, then these to stderr, then exits with this code.
    fn print(&self, stdout: &[u8], stderr: &[u8], exit: u8) -> Vec<String>;

    /// Writes `0`, `1`, … below `steps`, each with a newline, to both stdout and stderr in turn.
    fn print_in_steps(&self, steps: u32) -> Vec<String>;

    /// Writes `bytes` bytes to stdout, the one at position `n` being `n % 251`, then exits with
    /// this code.
    fn flood(&self, bytes: u64, exit: u8) -> Vec<String>;

    /// Writes to stdout without end.
    fn print_forever(&self) -> Vec<String>;

    /// Writes each variable of its environment as `NAME=value` and a newline.
    fn print_environment(&self) -> Vec<String>;

    /// Copies stdin to stdout as it comes, until its end.
    fn echo_stdin(&self) -> Vec<String>;

    /// Prints `ready` and a newline, ignores SIGTERM, reads nothing and never ends.
    fn sleep_forever(&self) -> Vec<String>;

    /// Prints `ready` and a newline, then waits for a signal to end it.
    fn wait_for_signal(&self) -> Vec<String>;

    /// Starts children in sessions of their own that have children in turn, all ignoring SIGTERM;
    /// prints `ready` and a newline once they run; never ends.
    fn stubborn_tree(&self) -> Vec<String>;

    /// Prints `parent` and a newline and exits, leaving behind a child in a session of its own
    /// that keeps stdout and stderr open for ever.
    fn spawn_daemon_then_exit(&self) -> Vec<String>;

    /// Ends itself by this signal.
    fn kill_self(&self, signal: u8) -> Vec<String>;

    /// Makes this much memory its own, every page touched; prints `allocated` and a newline.
    fn allocate(&self, bytes: u64) -> Vec<String>;

    /// Tries to have this many living children at once, stopping at the first that cannot be
    /// started; prints how many it had and a newline; ends them.
    fn fork_many(&self, count: u32) -> Vec<String>;

    /// Writes this small content to a file, replacing it.
    fn write_file(&self, path: &str, content: &[u8]) -> Vec<String>;

    /// Writes this many bytes to a new file; prints `full` or `wrote`, a space, how many bytes it
    /// could write and a newline.
    fn fill_file(&self, path: &str, bytes: u64) -> Vec<String>;

    /// Creates this many empty files; prints `full` or `wrote`, a space, how many it could create
    /// and a newline.
    fn create_files(&self, count: u64) -> Vec<String>;

    /// Writes a file's content to stdout; exits with 1 if there is no such file.
    fn read_file(&self, path: &str) -> Vec<String>;

    /// The content of an executable file that prints `ran` and a newline.
    fn executable_file(&self) -> Bytes;

    /// A program named without a slash that exists in `/usr/bin` of a sandbox.
    fn bare_program(&self) -> Vec<String>;

    /// A program in this language; `None` when this guest does not know the language.
    fn script(&self, language: Language, task: ScriptTask) -> Option<Program>;

    /// A program in this language whose function `handle` does this; `None` when there are no handlers in it.
    fn handler(&self, language: Language, task: HandlerTask) -> Option<Program>;

    /// A CGI program in this language; `None` when none in it can do this.
    fn cgi(&self, language: Language, task: CgiTask) -> Option<Program>;
}
