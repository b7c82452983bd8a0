//! Errors as the user sees them: `error[code]: message`, the next step, the page.

use crate::terminal::one_line;
use crate::{console, exit};
use faas_client::ClientError;
use faas_config::ConfigError;
use faas_lib::{DelegateError, PlatformError, RequestError, SharedSources, StartError};
use faas_types::ErrorCode;
use std::borrow::Cow;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;

/// Why a command did not do what was asked for.
#[derive(Debug)]
pub(crate) struct CliError {
    /// Text, for a newer server may have codes that are not known here.
    code: Cow<'static, str>,
    message: String,
    help: &'static str,
    exit: u8,
}

impl CliError {
    pub(crate) const fn new(code: ErrorCode, message: String) -> Self {
        Self { code: Cow::Borrowed(code.as_str()), message, help: next_step(code), exit: exit::REFUSED }
    }

    /// The same with another next step.
    pub(crate) const fn help(mut self, help: &'static str) -> Self {
        self.help = help;
        self
    }

    /// A bad option or argument.
    pub(crate) const fn invalid(message: String) -> Self {
        Self::new(ErrorCode::InvalidField, message)
    }

    /// The server would be open to other machines. The message names the command that is not.
    pub(crate) fn exposed(message: String) -> Self {
        let help = "without credentials only this machine may reach it";
        Self { help, exit: exit::EXPOSED, ..Self::new(ErrorCode::ConfigInvalid, message) }
    }

    /// The server cannot listen where it was told to.
    pub(crate) fn not_listening(address: SocketAddr, error: &io::Error) -> Self {
        let help = match error.kind() {
            io::ErrorKind::AddrInUse => "take another port with --listen, or end what listens there (`ss -ltnp`)",
            io::ErrorKind::PermissionDenied => "take a port from 1024 on with --listen, or start the server as root",
            _ => "take an address of this machine with --listen, such as 127.0.0.1:8080",
        };
        Self { help, ..Self::new(ErrorCode::ConfigInvalid, format!("cannot listen on {address}: {error}")) }
    }

    /// The system refused us something.
    pub(crate) fn io(what: &str, error: &io::Error) -> Self {
        let help = "check the place named above: whether it exists, its permissions, its free space";
        Self { help, ..Self::new(ErrorCode::InvalidField, format!("{what}: {error}")) }
    }

    /// Says it on stderr; the exit code goes to main.
    pub(crate) fn report(&self) -> ExitCode {
        let code = &self.code;
        console::complain("error", Some(code), &self.message);
        if !self.help.is_empty() {
            console::note("help", self.help);
            console::note("page", &format!("docs/errors/{code}.md"));
        }
        ExitCode::from(self.exit)
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
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

impl From<SharedSources> for CliError {
    fn from(error: SharedSources) -> Self {
        let help = "whoever can write there could have the server run anything";
        Self::new(error.code(), error.to_string()).help(help)
    }
}

impl From<StartError> for CliError {
    fn from(error: StartError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<PlatformError> for CliError {
    fn from(error: PlatformError) -> Self {
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

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        let ClientError { detail, field, request_id, .. } = &error;
        let field = field.as_deref().filter(|field| !detail.contains(*field));
        let field = field.map_or_else(String::new, |field| format!("{field}: "));
        let request = request_id.as_deref().map_or_else(String::new, |id| format!(" (request {id})"));
        let message = format!("{field}{detail}{request}");
        match error.known() {
            Some(ErrorCode::CommandNotFound) => {
                Self { exit: exit::of_command_not_run(detail), ..Self::new(ErrorCode::CommandNotFound, message) }
            }
            Some(code) => Self::new(code, message),
            None => Self { code: Cow::Owned(one_line(&error.code)), message, help: "", exit: exit::REFUSED },
        }
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
        ErrorCode::UnknownLanguage => "name the language: --lang python, javascript, bash or php",
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
        ErrorCode::InvalidJson | ErrorCode::UnknownField | ErrorCode::UnsupportedMediaType => {
            "use a client of the server's version; `faas --version` says this one's"
        }
        ErrorCode::BodyTooLarge => "pass less with --file, or raise the server's http.body_limit",
        ErrorCode::BodyTimeout => "try again; when it stays so, look at the network",
        ErrorCode::NotFound | ErrorCode::MethodNotAllowed | ErrorCode::PathNotCanonical => {
            "check the server's address, and that it is a server of this version"
        }
        ErrorCode::UriTooLong => "give fewer or shorter filters",
        ErrorCode::HeadersTooLarge => "look what a proxy on the way adds to requests",
        ErrorCode::OriginRefused => "use the address the server printed when it started",
        ErrorCode::Unauthorized => "give an API key: FAAS_API_KEY, or `faas context add`",
        ErrorCode::ExecutionNotFound => "`faas executions ls` lists those that are known",
        ErrorCode::ExecutionFinished => "`faas executions get` shows how it ended",
        ErrorCode::FunctionNotFound => "`faas functions ls` lists those there are; `faas deploy` makes one",
        ErrorCode::NoSource => "put its source where the message says, or `faas deploy` it",
        ErrorCode::VersionNotFound => "`faas functions versions` lists those there are",
        ErrorCode::FunctionExists => "`faas deploy` changes it; `faas functions rm` deletes it",
        ErrorCode::FunctionChanged => "look at it again with `faas functions get`, then repeat the change",
        ErrorCode::RouteTaken => "take another path for the route",
        ErrorCode::TooManyVersions => "delete the function and deploy it again",
        ErrorCode::FunctionBusy => "try again later, or raise scaling.max of the function",
        ErrorCode::FunctionFailing => "look at `faas logs`, then deploy a version that can be loaded",
        ErrorCode::InstanceNotFound => "GET /instances lists those there are",
        ErrorCode::DependencyNotFound => {
            "correct the name or the version; a package of Python needs a wheel, or allow_build"
        }
        ErrorCode::DependencyRefused => {
            "use another version, fewer and smaller dependencies, or allow_build where install scripts may run"
        }
        ErrorCode::BuildFailed => "read the log of the build, then try again",
        ErrorCode::IdempotencyConflict => "use a new key for a new request",
        ErrorCode::QueueFull => "try again later, or hand it over with --detach",
        ErrorCode::Stopping => "try again when the server is back",
        ErrorCode::StorageUnavailable => "try again later; the server's log names the cause",
        ErrorCode::FieldUnsupported => "leave the value out",
        ErrorCode::ReaderTooSlow => "try again; `faas executions logs` shows what was missed",
        ErrorCode::ServerUnreachable => "start one with `faas serve`, or correct --server, FAAS_SERVER or the context",
        ErrorCode::Internal => "try again; when it stays so, report it with the request's id",
    }
}
