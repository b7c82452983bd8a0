//! What the caller wants run, and the pure check of everything that needs no host to be judged.

mod check;
mod http;
mod stored;
#[cfg(test)]
mod tests;

pub use http::HttpCall;
pub use stored::StoredRequestError;
pub(crate) use stored::{StoredFile, from_row, to_row};

use crate::function::{Called, FunctionSpec};
use bytes::Bytes;
use faas_executor_api::{CallError, Command, FileIn, Invocation, MAX_CODE_BYTES, Program, Stay};
use faas_types::{
    ByteSize, Contract, ErrorCode, IsolationLevel, Language, Mode, OutputLimits, PackagesId, Resources, ResourcesError,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The longest a program may run.
pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// What is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Code in a language, called through the language's runner.
    Script {
        /// The source text.
        code: Bytes,
        /// The file name shown in tracebacks, such as `main.py`.
        name: String,
        /// Its language.
        language: Language,
        /// How it is called.
        contract: Contract,
    },
    /// A command of the sandbox.
    Command {
        /// Program and arguments; never empty.
        argv: Vec<String>,
    },
}

/// One execution as asked for, without its standard input.
#[derive(Debug, Clone, PartialEq)]
pub struct ExecutionRequest {
    /// What is to run.
    pub work: Work,
    /// Arguments after the program's name; for commands they follow `argv`.
    pub args: Vec<String>,
    /// The whole environment; nothing of the host's is added.
    pub env: Vec<(String, String)>,
    /// Files placed in the working directory before it runs.
    pub files: Vec<FileIn>,
    /// JSON input: `$FAAS_INPUT` of a script, the first argument under argv-json (`{}` when
    /// absent), the body a handler or a CGI program is sent.
    pub input: Option<Value>,
    /// The function that a handler's program is entered by.
    pub entry: String,
    /// The HTTP request that is answered; `None` where nobody sent one.
    pub http: Option<HttpCall>,
    /// The function it is a call of.
    pub function: Option<Called>,
    /// Installed packages that its sandbox has.
    pub packages: Option<PackagesId>,
    /// The limits of its sandbox.
    pub resources: Resources,
    /// The isolation insisted on.
    pub isolation: IsolationLevel,
    /// How long it may run, counted from when its program starts.
    pub timeout: Duration,
    /// How much it may write.
    pub output: OutputLimits,
    /// The life-cycle policy of its sandbox.
    pub mode: Mode,
    /// What its owner marks it with.
    pub labels: BTreeMap<String, String>,
}

impl ExecutionRequest {
    /// Work with every other field at its default.
    #[must_use]
    pub fn new(work: Work) -> Self {
        Self {
            work,
            args: Vec::new(),
            env: Vec::new(),
            files: Vec::new(),
            input: None,
            entry: FunctionSpec::ENTRY.to_owned(),
            http: None,
            function: None,
            packages: None,
            resources: Resources::default(),
            isolation: IsolationLevel::default(),
            timeout: Duration::from_secs(30),
            output: OutputLimits::default(),
            mode: Mode::default(),
            labels: BTreeMap::new(),
        }
    }

    /// Checks everything that needs no host to be judged. [`crate::Orchestrator::submit`] calls it.
    ///
    /// # Errors
    /// Names the field and what is accepted.
    pub fn check(&self) -> Result<(), RequestError> {
        check::check(self)
    }

    /// How the work is called.
    #[must_use]
    pub const fn contract(&self) -> Contract {
        match &self.work {
            Work::Script { contract, .. } => *contract,
            Work::Command { .. } => Contract::Command,
        }
    }

    /// The language of its code; commands have none.
    #[must_use]
    pub const fn language(&self) -> Option<Language> {
        match &self.work {
            Work::Script { language, .. } => Some(*language),
            Work::Command { .. } => None,
        }
    }

    /// What it takes in memory, nearly.
    pub(crate) fn bytes(&self) -> usize {
        let work = match &self.work {
            Work::Script { code, name, .. } => code.len() + name.len(),
            Work::Command { argv } => texts(argv.iter()),
        };
        let files = self.files.iter().map(|file| PIECE + file.path.len() + file.content.len()).sum::<usize>();
        let input = self.input.as_ref().map_or(0, bytes_of) + self.http.as_ref().map_or(0, HttpCall::bytes);
        let env = texts(self.env.iter().flat_map(|(name, value)| [name, value]));
        let labels = texts(self.labels.iter().flat_map(|(name, value)| [name, value]));
        work + files + input + texts(self.args.iter()) + env + labels
    }

    /// The call this becomes, with the input where the contract wants it, and its program staying afterwards or
    /// not.
    pub(crate) fn into_call(self, deadline: Instant, stay: Stay) -> Call {
        let contract = self.contract();
        let scaling = self.function.as_ref().map(|called| called.scaling).filter(|_| stay != Stay::No);
        let at_once = scaling.map_or(1, |scaling| scaling.concurrency);
        let Self { work, mut args, mut env, files, input, entry, http, output, .. } = self;
        let mut request = None;
        match (contract, input) {
            (Contract::Script, Some(input)) => env.push((INPUT_VARIABLE.to_owned(), input.to_string())),
            (Contract::ArgvJson, Some(input)) => args.insert(0, input.to_string()),
            (Contract::ArgvJson, None) => args.insert(0, "{}".to_owned()),
            (Contract::Handler | Contract::Cgi, input) => {
                request = Some(http.unwrap_or_else(|| HttpCall::with_input(input)).into_request(entry));
            }
            // The check refuses an input of a command.
            (Contract::Script, None) | (Contract::Command, _) => {}
        }
        match work {
            Work::Script { code, name, contract, .. } => {
                let program = Program { code, name };
                Call::Invoke(Box::new(Invocation {
                    contract,
                    program,
                    args,
                    env,
                    files,
                    request,
                    stay,
                    at_once,
                    deadline,
                    output,
                }))
            }
            Work::Command { mut argv } => {
                argv.append(&mut args);
                Call::Exec(Command { argv, env, files, deadline, output })
            }
        }
    }
}

/// What each piece of a request takes in memory beside its bytes.
const PIECE: usize = 64;

fn texts<'a>(texts: impl Iterator<Item = &'a String>) -> usize {
    texts.map(|text| PIECE + text.len()).sum()
}

/// What a value takes in memory, nearly. Values that come from outside are not deep.
fn bytes_of(value: &Value) -> usize {
    PIECE
        + match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(bytes_of).sum(),
            Value::Object(fields) => fields.iter().map(|(name, value)| PIECE + name.len() + bytes_of(value)).sum(),
        }
}

/// What is asked of a sandbox.
pub(crate) enum Call {
    Invoke(Box<Invocation>),
    Exec(Command),
}

/// The variable that carries a script's input.
const INPUT_VARIABLE: &str = "FAAS_INPUT";

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// There is no code.
    #[error("code is empty; accepted: UTF-8 text of 1 byte to 16Mi")]
    CodeEmpty,
    /// There is too much code.
    #[error("code is above the limit of {MAX_CODE_BYTES} bytes (16Mi); pass data as files instead")]
    CodeTooLarge,
    /// The code is not text.
    #[error("code is not text: {problem} at byte {position}; accepted: UTF-8 without NUL bytes")]
    NotText {
        /// What is there.
        problem: &'static str,
        /// Where it is.
        position: usize,
    },
    /// A field's value is malformed or out of range.
    #[error("{field} is refused: {reason}; accepted: {accepted}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
        /// What is accepted.
        accepted: &'static str,
    },
    /// The field is known, but nothing here can honour its value yet.
    #[error("{field} {value} is not offered here; accepted: {accepted}")]
    Unsupported {
        /// The field's name.
        field: &'static str,
        /// What was asked for.
        value: String,
        /// What is accepted.
        accepted: &'static str,
    },
    /// The files together are larger than what they must fit in.
    #[error("files together do not fit in disk, which is {disk}; raise disk, and memory to at least twice of it")]
    FilesTooLarge {
        /// The limit.
        disk: ByteSize,
    },
    /// The limits are wrong.
    #[error(transparent)]
    Resources(#[from] ResourcesError),
    /// The call it becomes is wrong: a name, an argument, a variable or a path.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl RequestError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::CodeEmpty => ErrorCode::CodeEmpty,
            Self::CodeTooLarge => ErrorCode::CodeTooLarge,
            Self::NotText { .. } => ErrorCode::NotText,
            Self::Field { .. } | Self::Resources(_) => ErrorCode::InvalidField,
            Self::Unsupported { .. } => ErrorCode::FieldUnsupported,
            Self::FilesTooLarge { .. } => ErrorCode::FileRefused,
            Self::Call(error) => error.code(),
        }
    }

    /// The field that is to blame.
    #[must_use]
    pub const fn field(&self) -> Option<&'static str> {
        match self {
            Self::CodeEmpty | Self::CodeTooLarge | Self::NotText { .. } => Some("code"),
            Self::Field { field, .. } | Self::Unsupported { field, .. } => Some(field),
            Self::FilesTooLarge { .. } | Self::Call(CallError::File { .. }) => Some("files"),
            Self::Resources(ResourcesError::OutOfRange { field, .. })
            | Self::Call(CallError::Invalid { field, .. }) => Some(field),
            Self::Resources(ResourcesError::DiskAboveMemory { .. }) => Some("disk"),
            Self::Call(
                CallError::Unsupported(_)
                | CallError::NotFound { .. }
                | CallError::Unreached { .. }
                | CallError::Lost { .. },
            ) => None,
        }
    }
}
