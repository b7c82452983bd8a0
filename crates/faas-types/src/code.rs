//! The registry of stable error codes. Each has a page in `docs/errors/`.

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RetryClass {
    /// The same request will fail the same way.
    Never,
    /// The same request may succeed later, unchanged.
    Later,
    /// The outcome is unknown: it may have run.
    Unknown,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $retry:ident;)*) => {
        /// A stable public error code. Adding one is compatible; renaming one is not.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as it appears in answers and as the name of its page.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Whether trying again can help.
            #[must_use]
            pub const fn retry_class(self) -> RetryClass {
                match self { $(Self::$variant => RetryClass::$retry,)* }
            }
        }
    };
}

codes! {
    /// A field's value is malformed or out of range.
    InvalidField = "invalid_field", Never;
    /// The code is empty.
    CodeEmpty = "code_empty", Never;
    /// The code is larger than the limit.
    CodeTooLarge = "code_too_large", Never;
    /// The code or a text field is not UTF-8 or holds a NUL byte.
    NotText = "not_text", Never;
    /// The program file cannot be read.
    ProgramUnreadable = "program_unreadable", Never;
    /// No language of that name.
    UnknownLanguage = "unknown_language", Never;
    /// The language's interpreter is not installed on this host.
    RuntimeMissing = "runtime_missing", Never;
    /// The command does not exist in the sandbox or cannot be executed.
    CommandNotFound = "command_not_found", Never;
    /// The isolation asked for cannot be given here.
    IsolationUnavailable = "isolation_unavailable", Never;
    /// A limit cannot be enforced here.
    LimitNotEnforceable = "limit_not_enforceable", Never;
    /// The host has less than what was asked for.
    ResourcesAboveHost = "resources_above_host", Never;
    /// The executor does not offer this verb.
    VerbUnsupported = "verb_unsupported", Never;
    /// A file to be passed in has a name or a size that is refused.
    FileRefused = "file_refused", Never;
    /// The configuration is wrong.
    ConfigInvalid = "config_invalid", Never;
    /// Every sandbox the host may run at once is in use.
    AtCapacity = "at_capacity", Later;
    /// A sandbox could not be assembled.
    SandboxAssemblyFailed = "sandbox_assembly_failed", Later;
    /// The sandbox broke the protocol or went away.
    SandboxLost = "sandbox_lost", Unknown;
    /// The launcher is gone; the process must be restarted.
    LauncherLost = "launcher_lost", Unknown;
    /// The body is not JSON.
    InvalidJson = "invalid_json", Never;
    /// The body has a field nobody knows.
    UnknownField = "unknown_field", Never;
    /// The body is larger than the limit.
    BodyTooLarge = "body_too_large", Never;
    /// The request's body did not arrive in time.
    BodyTimeout = "body_timeout", Later;
    /// The body's type is not one that is accepted.
    UnsupportedMediaType = "unsupported_media_type", Never;
    /// No route of that path.
    NotFound = "not_found", Never;
    /// The route does not take that method.
    MethodNotAllowed = "method_not_allowed", Never;
    /// The path is not in its one canonical form.
    PathNotCanonical = "path_not_canonical", Never;
    /// The path with its query is longer than the limit.
    UriTooLong = "uri_too_long", Never;
    /// The request's head has more bytes or more fields than the limit.
    HeadersTooLarge = "headers_too_large", Never;
    /// The request comes from a page or for a host that is not allowed.
    OriginRefused = "origin_refused", Never;
    /// There are no credentials, or they do not count.
    Unauthorized = "unauthorized", Never;
    /// No execution of that id.
    ExecutionNotFound = "execution_not_found", Never;
    /// The execution has ended already.
    ExecutionFinished = "execution_finished", Never;
    /// No function of that name or id.
    FunctionNotFound = "function_not_found", Never;
    /// The function is declared, and there is no source of it.
    NoSource = "no_source", Never;
    /// The function has no such version or alias.
    VersionNotFound = "version_not_found", Never;
    /// There is a function of that name already.
    FunctionExists = "function_exists", Never;
    /// The function has changed since its caller saw it.
    FunctionChanged = "function_changed", Never;
    /// A route is another function's, or the system's.
    RouteTaken = "route_taken", Never;
    /// The function has as many versions as may be.
    TooManyVersions = "too_many_versions", Never;
    /// The function runs as often as it may, and as many wait for it as may.
    FunctionBusy = "function_busy", Later;
    /// The program of the function ended again and again before it was loaded.
    FunctionFailing = "function_failing", Later;
    /// No instance of that id.
    InstanceNotFound = "instance_not_found", Never;
    /// A package index has no such dependency.
    DependencyNotFound = "dependency_not_found", Never;
    /// A package is one that is not installed: hostile, or too large.
    DependencyRefused = "dependency_refused", Never;
    /// The dependencies could not be fetched.
    BuildFailed = "build_failed", Later;
    /// The idempotency key was used with another request.
    IdempotencyConflict = "idempotency_conflict", Never;
    /// The queue has no room.
    QueueFull = "queue_full", Later;
    /// The server is stopping.
    Stopping = "stopping", Later;
    /// The store cannot be used at present.
    StorageUnavailable = "storage_unavailable", Later;
    /// The field is known, but nothing here can honour it yet.
    FieldUnsupported = "field_unsupported", Never;
    /// The reader was too slow and was cut off.
    ReaderTooSlow = "reader_too_slow", Later;
    /// No server answers at the address.
    ServerUnreachable = "server_unreachable", Later;
    /// The platform failed in a way it has no better word for.
    Internal = "internal", Unknown;
}
