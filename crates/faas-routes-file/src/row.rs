//! What a row says: a function, as JSON.

use crate::roots::{FunctionRoots, ModuleError};
use faas_types::{ByteSize, FunctionName, NameError, QuantityError, Resources, parse_duration};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// The longest name of a handler.
const LONGEST_HANDLER: usize = 128;

/// What runs a row's module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowRuntime {
    /// `php`, through php-cgi.
    Php,
    /// `wasm`.
    Wasm,
    /// `python`.
    Python,
    /// `javascript`, or `node`.
    JavaScript,
}

impl RowRuntime {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "php" => Self::Php,
            "wasm" => Self::Wasm,
            "python" => Self::Python,
            "javascript" | "node" => Self::JavaScript,
            _ => return None,
        })
    }
}

/// A function as a row tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFunction {
    /// Its name.
    pub name: FunctionName,
    /// What runs it.
    pub runtime: RowRuntime,
    /// Its module, beneath a function root; [`FunctionRoots::read`] takes it.
    pub module: String,
    /// What of the module is called, where it has a choice.
    pub handler: Option<String>,
    /// How much memory it may use, where the row says it.
    pub memory: Option<ByteSize>,
    /// How long a call may take, where the row says it.
    pub timeout: Option<Duration>,
    /// The row's `updated`. A new one means that the module is to be read again.
    pub updated: Option<i64>,
}

/// Why a row's `v` is no function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ValueError {
    #[error(
        "v is not accepted: {0}; accepted: a JSON object with name, runtime, module and, if wanted, handler, memory (MiB), timeout (seconds)"
    )]
    Json(String),
    #[error("name: {0}")]
    Name(#[from] NameError),
    #[error("runtime {given:?} is not accepted; accepted: php, wasm, python, javascript, node")]
    Runtime { given: String },
    #[error(transparent)]
    Module(#[from] ModuleError),
    #[error("handler {given:?} is not accepted; accepted: 1 to 128 letters, digits, `_` and `.`, not a digit first")]
    Handler { given: String },
    #[error("{field}: {error}")]
    Quantity { field: &'static str, error: QuantityError },
    #[error("{field} is not accepted; accepted: {accepted}")]
    Field { field: &'static str, accepted: &'static str },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    runtime: String,
    module: String,
    handler: Option<String>,
    memory: Option<Value>,
    timeout: Option<Value>,
}

impl RowFunction {
    pub(crate) fn parse(json: &str, updated: Option<i64>, roots: &FunctionRoots) -> Result<Self, ValueError> {
        let written: Written = serde_json::from_str(json).map_err(|error| ValueError::Json(error.to_string()))?;
        let runtime = RowRuntime::from_name(&written.runtime)
            .ok_or_else(|| ValueError::Runtime { given: cut(&written.runtime) })?;
        roots.check(&written.module)?;
        if let Some(handler) = written.handler.as_deref().filter(|handler| !is_handler(handler)) {
            return Err(ValueError::Handler { given: cut(handler) });
        }
        let memory = written.memory.map(|memory| memory_of(&memory)).transpose()?;
        let timeout = written.timeout.map(|timeout| timeout_of(&timeout)).transpose()?;
        Ok(Self {
            name: written.name.parse()?,
            runtime,
            module: written.module,
            handler: written.handler,
            memory,
            timeout,
            updated,
        })
    }
}

fn memory_of(value: &Value) -> Result<ByteSize, ValueError> {
    const FIELD: &str = "memory";
    let text = quantity(value)
        .ok_or(ValueError::Field { field: FIELD, accepted: "a number of MiB, or a text such as \"512Mi\"" })?;
    let memory: ByteSize = text.parse().map_err(|error| ValueError::Quantity { field: FIELD, error })?;
    let enough = memory >= Resources::MIN_MEMORY;
    enough.then_some(memory).ok_or(ValueError::Field { field: FIELD, accepted: "at least 8Mi" })
}

fn timeout_of(value: &Value) -> Result<Duration, ValueError> {
    const FIELD: &str = "timeout";
    let text = quantity(value)
        .ok_or(ValueError::Field { field: FIELD, accepted: "a number of seconds, or a text such as \"30s\"" })?;
    parse_duration(&text).map_err(|error| ValueError::Quantity { field: FIELD, error })
}

/// The text of a number or a text.
fn quantity(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn is_handler(text: &str) -> bool {
    (1..=LONGEST_HANDLER).contains(&text.len())
        && !text.starts_with(|first: char| first.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
}

/// The beginning of a hostile text.
pub(crate) fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::{RowFunction, RowRuntime};
    use crate::FunctionRoots;
    use faas_types::ByteSize;
    use std::path::PathBuf;
    use std::time::Duration;

    fn parse(json: &str) -> Result<RowFunction, String> {
        let roots = FunctionRoots::new([PathBuf::from("/opt/functions")]).expect("an absolute path");
        RowFunction::parse(json, Some(1), &roots).map_err(|error| error.to_string())
    }

    fn with(field: &str) -> Result<RowFunction, String> {
        parse(&format!(r#"{{"name":"hello","runtime":"php","module":"hello.php",{field}}}"#))
    }

    #[test]
    fn the_printed_row_is_a_function() {
        let json = r#"{"name":"imageConverter","runtime":"wasm","module":"/opt/functions/convert.wasm","handler":"convert","memory":512,"timeout":30}"#;
        let function = parse(json).expect("a function");
        assert_eq!(function.name.as_str(), "imageConverter");
        assert_eq!(function.runtime, RowRuntime::Wasm);
        assert_eq!(function.module, "/opt/functions/convert.wasm");
        assert_eq!(function.handler.as_deref(), Some("convert"));
        assert_eq!(function.memory, Some(ByteSize::mib(512)));
        assert_eq!(function.timeout, Some(Duration::from_secs(30)));
        assert_eq!(with(r#""memory":"1Gi","timeout":"1500ms""#).expect("texts").memory, Some(ByteSize::mib(1024)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (json, named) in [
            (r#"{"module":"/new/path.wasm",...}"#, "v is not accepted"),
            ("", "v is not accepted"),
            ("[]", "v is not accepted"),
            ("null", "v is not accepted"),
            (r#"{"name":"a","runtime":"php"}"#, "module"),
            (r#"{"name":1,"runtime":"php","module":"a"}"#, "expected a string"),
            (r#"{"name":"a b","runtime":"php","module":"a"}"#, "name: "),
            (r#"{"name":"a","runtime":"sh","module":"a"}"#, "runtime \"sh\""),
            (r#"{"name":"a","runtime":"php","module":"/etc/passwd"}"#, "/opt/functions"),
            (r#"{"name":"a","runtime":"php","module":"../a"}"#, "module"),
            (r#"{"name":"a","name":"b","runtime":"php","module":"a"}"#, "duplicate field `name`"),
        ] {
            let error = parse(json).expect_err(json);
            assert!(error.contains(named), "{json}: {error}");
        }
        for (field, named) in [
            (r#""colour":1"#, "unknown field `colour`"),
            (r#""memory":0"#, "memory: "),
            (r#""memory":-1"#, "memory: "),
            (r#""memory":1"#, "at least 8Mi"),
            (r#""memory":true"#, "memory is not accepted"),
            (r#""memory":1e999"#, "v is not accepted"),
            (r#""timeout":0"#, "timeout: "),
            (r#""timeout":1e9"#, "timeout: "),
            (r#""timeout":{}"#, "timeout is not accepted"),
            (r#""handler":"a;b""#, "handler "),
            (r#""handler":"""#, "handler "),
        ] {
            let error = with(field).expect_err(field);
            assert!(error.contains(named), "{field}: {error}");
        }
        let deep = format!(r#""memory":{}1{}"#, "[".repeat(30_000), "]".repeat(30_000));
        assert!(with(&deep).expect_err("too deep").contains("recursion"));
    }
}
