//! Errors as the user sees them: `error[code]: message`, the next step, the page.

use crate::{console, exit};
use faas_config::ConfigError;
use faas_lib::{CallError, DelegateError, ExecuteError, RequestError, StartError};
use faas_types::ErrorCode;
use std::fmt;
use std::io;
use std::process::ExitCode;

/// Why a command did not do what was asked for.
#[derive(Debug)]
pub(crate) struct CliError {
    code: ErrorCode,
    message: String,
    help: &'static str,
    exit: u8,
}

impl CliError {
    pub(crate) const fn new(code: ErrorCode, message: String) -> Self {
        Self { code, message, help: next_step(code), exit: exit::REFUSED }
    }

    /// A bad option or argument.
    pub(crate) const fn invalid(message: String) -> Self {
        Self::new(ErrorCode::InvalidField, message)
    }

    /// The system refused us something.
    pub(crate) fn io(what: &str, error: &io::Error) -> Self {
        let help = "check the place named above: whether it exists, its permissions, its free space";
        Self { help, ..Self::new(ErrorCode::InvalidField, format!("{what}: {error}")) }
    }

    /// Says it on stderr; the exit code goes to main.
    pub(crate) fn report(&self) -> ExitCode {
        let code = self.code.as_str();
        console::complain("error", Some(code), &self.message);
        console::note("help", self.help);
        console::note("page", &format!("docs/errors/{code}.md"));
        ExitCode::from(self.exit)
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<RequestError> for CliError {
    fn from(error: RequestError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<StartError> for CliError {
    fn from(error: StartError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<DelegateError> for CliError {
    fn from(error: DelegateError) -> Self {
        let code = match &error {
            DelegateError::UnknownUser { .. } => ErrorCode::InvalidField,
            DelegateError::NotRoot | DelegateError::Io(_) => ErrorCode::LimitNotEnforceable,
        };
        Self::new(code, error.to_string())
    }
}

impl From<ExecuteError> for CliError {
    fn from(error: ExecuteError) -> Self {
        let exit = match &error {
            ExecuteError::Call(CallError::NotFound { reason, .. }) => exit::of_command_not_run(reason),
            _ => exit::REFUSED,
        };
        Self { exit, ..Self::new(error.code(), error.to_string()) }
    }
}

/// What to do about it.
const fn next_step(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::InvalidField => "correct the value named above; `faas help run` lists every option",
        ErrorCode::CodeEmpty => "give a program: `faas run FILE`, `faas run -c CODE`, or - for standard input",
        ErrorCode::CodeTooLarge => "move data out of the program and pass it with --file or --stdin",
        ErrorCode::NotText => "save the text as UTF-8; pass binary data with --file or --stdin",
        ErrorCode::ProgramUnreadable => "check the path and its permissions",
        ErrorCode::UnknownLanguage => "name the language: --lang python, javascript or bash",
        ErrorCode::RuntimeMissing => "install the interpreter; `faas doctor` lists those found",
        ErrorCode::CommandNotFound => "the sandbox has the host's /usr/bin and /bin; pass other programs with --file",
        ErrorCode::IsolationUnavailable => "`faas doctor` shows each layer, whether it holds and how to get it",
        ErrorCode::LimitNotEnforceable => "`faas doctor` shows each limit, whether it holds and how to get it",
        ErrorCode::ResourcesAboveHost => "ask for less",
        ErrorCode::VerbUnsupported => "`faas doctor` shows what this host offers",
        ErrorCode::FileRefused => "correct the path, or raise --disk and --memory for larger files",
        ErrorCode::ConfigInvalid => "correct the configuration at the place named above",
        ErrorCode::AtCapacity => "try again later, or raise max_sandboxes",
        ErrorCode::SandboxAssemblyFailed => "try again; when it stays so, `faas doctor` shows what is missing",
        ErrorCode::SandboxLost => "it may or may not have run; try again if running twice does no harm",
        ErrorCode::LauncherLost => "try again; when it stays so, `faas doctor` shows what is missing",
    }
}
