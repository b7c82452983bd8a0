//! What is asked of an executor: plain data, no live resources.

use bytes::Bytes;
use faas_types::{Contract, IsolationLevel, Language, OutputLimits, PackagesId, Resources, TenantId};
use std::time::Instant;

/// What a sandbox is to be. A spec that passes [`crate::Executor::validate`] is honoured in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxSpec {
    /// Whose code will run. Nothing is recycled from one tenant to another.
    pub tenant: TenantId,
    /// The language environment it is for; `None` for plain commands.
    pub language: Option<Language>,
    /// The limits.
    pub resources: Resources,
    /// The isolation insisted on.
    pub isolation: IsolationLevel,
    /// Packages of the tenant's, which the sandbox sees read-only in `/packages`.
    pub packages: Option<PackagesId>,
}

/// A file placed in the sandbox's working directory before user code runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileIn {
    /// Relative to the working directory; no `..`, no empty part, no NUL, at most 4096 bytes.
    pub path: String,
    /// The whole content.
    pub content: Bytes,
    /// Whether it gets the execute permission.
    pub executable: bool,
}

/// User code in a language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The source text, UTF-8 without NUL.
    pub code: Bytes,
    /// The file name shown in tracebacks, such as `main.py`.
    pub name: String,
}

/// What a program under the contracts handler and cgi is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandlerRequest {
    /// The function that is called; nothing to a CGI program.
    pub entry: String,
    /// The method, such as `POST`.
    pub method: String,
    /// The path, beginning with a slash.
    pub path: String,
    /// What follows the question mark, as it was sent.
    pub query: String,
    /// Names and values in order.
    pub headers: Vec<(String, Bytes)>,
    /// The whole body.
    pub body: Bytes,
}

/// Whether a program stays for the next call. Under any contract but handler it does not; the standard input of
/// one that stays is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Stay {
    /// It ends with its call.
    #[default]
    No,
    /// Once it has answered.
    Answered,
    /// Once it is loaded: of its request only the entry is looked at, and it answers nothing.
    Loaded,
}

/// One call of user code through the sandbox's runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// How the code is called.
    pub contract: Contract,
    /// The code.
    pub program: Program,
    /// Arguments after the program's name.
    pub args: Vec<String>,
    /// The whole environment; nothing is added.
    pub env: Vec<(String, String)>,
    /// Files placed before the code runs.
    pub files: Vec<FileIn>,
    /// What it is asked, under the contracts handler and cgi and no other.
    pub request: Option<HandlerRequest>,
    /// Whether the program stays for the next call.
    pub stay: Stay,
    /// How many calls the program answers at once, 1 to [`MAX_AT_ONCE`](crate::MAX_AT_ONCE). One for more than
    /// one is loaded by itself ([`Stay::Loaded`]) and then shared ([`Sandbox::share`](crate::Sandbox::share)).
    pub at_once: u32,
    /// When it must have ended, whatever it is doing.
    pub deadline: Instant,
    /// How much output it may produce, and how much of a response.
    pub output: OutputLimits,
}

/// One command in the sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Program and arguments; never empty. A name without a slash is searched in the environment's
    /// `PATH`, else in `/usr/bin:/bin`.
    pub argv: Vec<String>,
    /// The whole environment; nothing is added.
    pub env: Vec<(String, String)>,
    /// Files placed before the command runs.
    pub files: Vec<FileIn>,
    /// When it must have ended, whatever it is doing.
    pub deadline: Instant,
    /// How much output it may produce.
    pub output: OutputLimits,
}
