//! An execution as a request asks for it.
//!
//! What is known by name but cannot be honoured yet is refused by name, so that no request believes
//! it got what it did not get. A value that asks for nothing (`"network": "none"`, `"keep_ms": 0`,
//! `null`) is no request and passes.

mod sent;

use super::content::{Content, FileBody, Files};
use super::entries::{Texts, Variables};
use super::error::BodyError;
use super::input::Input;
use super::labels::Labels;
use super::object::{Object, Value, read};
use super::resources::ResourcesBody;
use super::scalar::Scalar;
use faas_types::{ByteSize, Contract, CpuAmount, FunctionRef, IsolationLevel, Language, Mode, OnOutputLimit};
use serde::de::{IgnoredAny, MapAccess};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Contracts that are documented but that nothing here offers yet.
const CONTRACTS_TO_COME: [&str; 2] = ["wasi-http", "wasi-command"];

/// What happens to an execution whose caller goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDisconnect {
    /// It is cancelled.
    #[default]
    Cancel,
    /// It goes on.
    Detach,
}

/// An execution as a request asks for it; `None` is "as configured".
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExecuteBody {
    /// The function that is called; this, `code` or `command`.
    pub function: Option<FunctionRef>,
    /// The source text.
    pub code: Option<String>,
    /// The file name shown in tracebacks.
    pub name: Option<String>,
    /// The language of `code`.
    pub language: Option<Language>,
    /// Program and arguments.
    pub command: Option<Vec<String>>,
    /// Arguments after the program's name.
    pub args: Vec<String>,
    /// The life-cycle policy.
    pub mode: Option<Mode>,
    /// The backend; `auto` is any.
    pub executor: Option<String>,
    /// The isolation insisted on.
    pub isolation: Option<IsolationLevel>,
    /// How the code is called.
    pub contract: Option<Contract>,
    /// Its standard input.
    pub stdin: Option<Vec<u8>>,
    /// Its environment.
    pub env: Vec<(String, String)>,
    /// Files placed in the working directory.
    pub files: Vec<FileBody>,
    /// Its JSON input.
    pub input: Option<serde_json::Value>,
    /// Processor share.
    pub cpu: Option<CpuAmount>,
    /// Memory.
    pub memory: Option<ByteSize>,
    /// Writable areas together.
    pub disk: Option<ByteSize>,
    /// Processes and threads.
    pub pids: Option<u32>,
    /// How long it may run.
    pub timeout: Option<Duration>,
    /// How much it may write.
    pub output_limit: Option<ByteSize>,
    /// What happens past that.
    pub on_output_limit: Option<OnOutputLimit>,
    /// Whether the answer waits for the end; `None` is yes.
    pub wait: Option<bool>,
    /// What happens when the caller goes away.
    pub on_disconnect: Option<OnDisconnect>,
    /// What its owner marks it with.
    pub labels: BTreeMap<String, String>,
}

/// What the parser gathers: the body, and what can only be judged at its end.
#[derive(Default)]
struct Gathered {
    body: ExecuteBody,
    stdin_given: u8,
    timeout_given: u8,
    doubled: Option<&'static str>,
}

impl ExecuteBody {
    /// Reads a body.
    ///
    /// # Errors
    /// Names the field and what is accepted.
    pub fn from_json(body: &[u8]) -> Result<Self, BodyError> {
        let Gathered { body, stdin_given, timeout_given, doubled } = read(body)?;
        if stdin_given > 1 {
            return Err(BodyError::field("payload", "stdin is given too; accepted: one of them"));
        }
        if timeout_given > 1 {
            return Err(BodyError::field("timeout", "timeout_ms is given too; accepted: one of them"));
        }
        if let Some(limit) = doubled {
            let reason = "the same limit is given under two names; accepted: one of them";
            return Err(BodyError::field(&format!("resources.{limit}"), reason));
        }
        if body.function.is_some() {
            return body.only_a_call();
        }
        match (&body.code, &body.command) {
            (Some(_), Some(_)) => Err(BodyError::field("command", "code is given too; accepted: one of them")),
            (None, None) => {
                let accepted = "nothing to run is given; accepted: code with a language, function, or command";
                Err(BodyError::field("code", accepted))
            }
            (None, Some(_)) if body.language.is_some() => {
                Err(BodyError::field("language", "a command has none; accepted: language together with code"))
            }
            (None, Some(command)) if command.first().is_none_or(String::is_empty) => {
                Err(BodyError::field("command", "it names no program; accepted: a list of a program and its arguments"))
            }
            (None, Some(_)) if body.contract.is_some_and(|contract| contract != Contract::Command) => {
                Err(BodyError::field("contract", "a command has only one; accepted: command"))
            }
            (Some(_), None) if body.contract == Some(Contract::Command) => {
                Err(BodyError::field("contract", "code is given; accepted with code: script, argv-json, handler, cgi"))
            }
            (Some(_), None) | (None, Some(_)) => Ok(body),
        }
    }
}

impl ExecuteBody {
    /// Reads what a call of a function is given: nothing, or what [`Self::from_json`] takes beside the function.
    ///
    /// # Errors
    /// Names the field and what is accepted.
    pub fn call_from_json(function: FunctionRef, body: &[u8]) -> Result<Self, BodyError> {
        if body.trim_ascii().is_empty() {
            return Ok(Self { function: Some(function), ..Self::default() });
        }
        let Gathered { mut body, stdin_given, timeout_given, .. } = read(body)?;
        if stdin_given > 1 {
            return Err(BodyError::field("payload", "stdin is given too; accepted: one of them"));
        }
        if body.function.is_some() {
            return Err(BodyError::field("function", "the path names it; leave it out"));
        }
        if timeout_given > 0 {
            return Err(Self::brought("timeout"));
        }
        body.function = Some(function);
        body.only_a_call()
    }

    /// A function brings everything but its input.
    fn only_a_call(self) -> Result<Self, BodyError> {
        let given = [
            ("code", self.code.is_some()),
            ("command", self.command.is_some()),
            ("name", self.name.is_some()),
            ("language", self.language.is_some()),
            ("args", !self.args.is_empty()),
            ("mode", self.mode.is_some()),
            ("executor", self.executor.is_some()),
            ("isolation", self.isolation.is_some()),
            ("contract", self.contract.is_some()),
            ("env", !self.env.is_empty()),
            ("files", !self.files.is_empty()),
            ("resources", self.cpu.is_some() || self.memory.is_some() || self.disk.is_some() || self.pids.is_some()),
            ("timeout", self.timeout.is_some()),
            ("output_limit", self.output_limit.is_some()),
            ("on_output_limit", self.on_output_limit.is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(Self::brought(name)),
            None => Ok(self),
        }
    }

    fn brought(name: &str) -> BodyError {
        let reason = "the function brings its own; accepted with a function: input, stdin, wait, on_disconnect, labels";
        BodyError::field(name, reason)
    }
}

impl Object for Gathered {
    const FIELDS: &'static [&'static str] = &[
        "code",
        "name",
        "language",
        "command",
        "args",
        "mode",
        "executor",
        "isolation",
        "contract",
        "stdin",
        "payload",
        "env",
        "files",
        "input",
        "resources",
        "timeout",
        "timeout_ms",
        "output_limit",
        "on_output_limit",
        "wait",
        "on_disconnect",
        "labels",
        "function",
        "version",
        "image",
        "secrets",
        "network",
        "checkpoint_after",
        "parent_snapshot",
        "keep_ms",
        "callback_url",
        "retry",
    ];
    const PREFIX: &'static str = "";

    fn read<'de, A: MapAccess<'de>>(&mut self, field: &'static str, value: Value<'_, A>) -> Result<(), A::Error> {
        let body = &mut self.body;
        match field {
            "function" => body.function = value.parse(|name: String| name.parse::<FunctionRef>())?,
            "version" => {
                value.judge(|_: IgnoredAny| {
                    Err::<(), _>(unsupported("version", "write it behind the function's name, as hello@3"))
                })?;
            }
            "code" => body.code = value.get()?,
            "name" => body.name = value.get()?,
            "language" => {
                body.language = value.judge(|name: String| {
                    name.parse().map_err(|error: faas_types::UnknownLanguage| BodyError::Language {
                        field: "language",
                        reason: super::error::excerpt(&error.to_string()),
                    })
                })?;
            }
            "command" => body.command = value.get::<Texts>()?.map(|texts| texts.0),
            "args" => body.args = value.get::<Texts>()?.unwrap_or_default().0,
            "mode" => body.mode = value.judge(|name: String| mode(&name))?,
            "executor" => body.executor = value.get()?,
            "isolation" => body.isolation = value.get()?,
            "contract" => body.contract = value.judge(|name: String| contract(&name))?,
            "stdin" | "payload" => {
                if let Some(Content(bytes)) = value.get()? {
                    body.stdin = Some(bytes);
                    self.stdin_given += 1;
                }
            }
            "env" => body.env = value.get::<Variables>()?.unwrap_or_default().0,
            "files" => body.files = value.get::<Files>()?.unwrap_or_default().0,
            "input" => body.input = value.get::<Input>()?.map(|input| input.0),
            "resources" => {
                if let Some(resources) = value.object::<ResourcesBody>()? {
                    body.cpu = resources.cpu;
                    body.memory = resources.memory;
                    body.disk = resources.disk;
                    body.pids = resources.pids;
                    self.doubled = resources.doubled;
                }
            }
            "timeout" => {
                if let Some(timeout) = value.duration()? {
                    body.timeout = Some(timeout);
                    self.timeout_given += 1;
                }
            }
            "timeout_ms" => {
                if let Some(timeout) = value.milliseconds()? {
                    body.timeout = Some(timeout);
                    self.timeout_given += 1;
                }
            }
            "output_limit" => body.output_limit = value.parse(|Scalar(text)| text.parse::<ByteSize>())?,
            "on_output_limit" => body.on_output_limit = value.get()?,
            "wait" => body.wait = value.get()?,
            "on_disconnect" => body.on_disconnect = value.get()?,
            "labels" => body.labels = value.get::<Labels>()?.unwrap_or_default().0,
            "network" => {
                value.judge(Network::closed)?;
            }
            "secrets" => {
                value.judge(|Texts(names)| if names.is_empty() { Ok(()) } else { Err(to_come("secrets")) })?;
            }
            "checkpoint_after" => {
                value.judge(|wanted: bool| if wanted { Err(to_come("checkpoint_after")) } else { Ok(()) })?;
            }
            "keep_ms" => {
                value.judge(|Scalar(text)| match text.parse::<u64>() {
                    Ok(0) => Ok(()),
                    Ok(_) => Err(to_come("keep_ms")),
                    Err(_) => Err(BodyError::field("keep_ms", "accepted: a whole number of milliseconds")),
                })?;
            }
            other => {
                value.judge(|_: IgnoredAny| Err::<(), _>(to_come(other)))?;
            }
        }
        Ok(())
    }
}

/// What a request says of its network.
pub(super) enum Network {
    None,
    Other,
}

impl Network {
    /// Refuses every network but none.
    pub(super) fn closed(self) -> Result<(), BodyError> {
        match self {
            Self::None => Ok(()),
            Self::Other => Err(unsupported(
                "network",
                "a sandbox has no network but its own loopback; leave it out, or send \"none\"",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&serde_json::value::RawValue>::deserialize(deserializer)?.get();
        Ok(if raw == "\"none\"" { Self::None } else { Self::Other })
    }
}

pub(super) fn mode(name: &str) -> Result<Mode, BodyError> {
    let mode = name.parse::<Mode>().map_err(|error| BodyError::field("mode", error.to_string()))?;
    match mode {
        Mode::Ephemeral | Mode::Cached => Ok(mode),
        Mode::Checkpointed | Mode::Branched | Mode::Persistent => {
            Err(unsupported("mode", "nothing here keeps a sandbox's state yet; accepted: ephemeral, cached"))
        }
    }
}

pub(super) fn contract(name: &str) -> Result<Contract, BodyError> {
    if CONTRACTS_TO_COME.contains(&name) {
        return Err(unsupported(
            "contract",
            "nothing here calls code that way yet; accepted: script, command, argv-json, handler, cgi",
        ));
    }
    name.parse().map_err(|error: faas_types::UnknownContract| BodyError::field("contract", error.to_string()))
}

pub(super) fn to_come(field: &str) -> BodyError {
    unsupported(field, "nothing here can honour it yet; leave it out")
}

pub(super) fn unsupported(field: &str, reason: &str) -> BodyError {
    BodyError::Unsupported { field: field.to_owned(), reason: reason.to_owned() }
}
