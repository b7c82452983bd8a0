//! A function as a request describes it, and as an answer shows it.
//!
//! One body for creating, for changing and for showing: what is shown can be changed and sent back. A change
//! is a JSON merge patch (RFC 7396) of what is shown, so every field has one name there; [`merge`] lets a
//! patch use the other ones.

mod merge;
mod sent;

use super::content::{FileBody, Files};
use super::entries::{Texts, Variables};
use super::error::{BodyError, excerpt};
use super::execute::{Network, to_come};
use super::object::{Object, Value, read};
use super::resources::ResourcesBody;
use super::scalar::Scalar;
use faas_types::{
    ByteSize, Contract, CpuAmount, FunctionName, IsolationLevel, Mode, OnOutputLimit, Runtime, RuntimeError,
};
use serde::de::{IgnoredAny, MapAccess};
use serde::{Deserialize, Serialize};
use std::time::Duration;

pub use merge::{merge, read_patch};

/// Who may call a function through its routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteAuth {
    /// Whoever has a key of its tenant.
    Key,
    /// Everybody.
    Public,
}

/// How many warm instances a function has; `None` is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScalingBody {
    /// Kept warm even when nobody calls.
    pub min: Option<u32>,
    /// The most calls at once.
    pub max: Option<u32>,
    /// Calls one instance takes at once.
    pub concurrency: Option<u32>,
    /// How long an instance waits for its next call.
    pub idle_ttl: Option<Duration>,
}

/// A function as a request describes it; `None` is "as configured", and empty is none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FunctionBody {
    /// Its name.
    pub name: Option<FunctionName>,
    /// The language environment.
    pub runtime: Option<Runtime>,
    /// The source text of one file; this, `files` or `module`.
    pub code: Option<String>,
    /// The source in several files.
    pub files: Vec<FileBody>,
    /// Which of the files is run.
    pub main: Option<String>,
    /// A file or folder beneath one of the server's function roots.
    pub module: Option<String>,
    /// The function in the code that is called.
    pub handler: Option<String>,
    /// How the code is called.
    pub contract: Option<Contract>,
    /// The backend; `auto` is any.
    pub executor: Option<String>,
    /// The isolation insisted on.
    pub isolation: Option<IsolationLevel>,
    /// What becomes of a sandbox after a call.
    pub mode: Option<Mode>,
    /// Processor share.
    pub cpu: Option<CpuAmount>,
    /// Memory.
    pub memory: Option<ByteSize>,
    /// Writable areas together.
    pub disk: Option<ByteSize>,
    /// Processes and threads.
    pub pids: Option<u32>,
    /// How long a call may run.
    pub timeout: Option<Duration>,
    /// Its environment.
    pub env: Vec<(String, String)>,
    /// How much a call may write.
    pub output_limit: Option<ByteSize>,
    /// What happens past that.
    pub on_output_limit: Option<OnOutputLimit>,
    /// The packages it needs, as their tool writes them.
    pub dependencies: Vec<String>,
    /// Whether code of those packages may run to build them.
    pub allow_build: Option<bool>,
    /// How many warm instances it has.
    pub scaling: ScalingBody,
    /// Where it is called by HTTP: `METHOD:/path`.
    pub routes: Vec<String>,
    /// Who may call it there.
    pub auth: Option<RouteAuth>,
}

/// What the parser gathers: the body, and what can only be judged at its end.
#[derive(Default)]
struct Gathered {
    body: FunctionBody,
    files_given: bool,
    timeout_given: u8,
    doubled: Option<&'static str>,
    idle_ttl_doubled: bool,
}

/// The same of its scaling.
#[derive(Default)]
struct GatheredScaling {
    body: ScalingBody,
    doubled: bool,
}

impl FunctionBody {
    /// The name of every member that a body may have.
    pub const MEMBERS: &'static [&'static str] = Gathered::FIELDS;

    /// Reads a body.
    ///
    /// # Errors
    /// Names the field and what is accepted.
    pub fn from_json(body: &[u8]) -> Result<Self, BodyError> {
        let Gathered { body, files_given, timeout_given, doubled, idle_ttl_doubled } = read(body)?;
        let sources = [("code", body.code.is_some()), ("files", files_given), ("module", body.module.is_some())];
        let mut given = sources.iter().filter(|(_, given)| *given).map(|(name, _)| *name);
        if let (Some(one), Some(other)) = (given.next(), given.next()) {
            return Err(BodyError::field(other, format!("{one} is given too; accepted: one of code, files, module")));
        }
        if body.main.is_some() && body.code.is_some() {
            return Err(BodyError::field("main", "code is given, which is one file; accepted: main with files"));
        }
        if timeout_given > 1 {
            return Err(BodyError::field("timeout", "timeout_ms is given too; accepted: one of them"));
        }
        if let Some(limit) = doubled {
            let reason = "the same limit is given under two names; accepted: one of them";
            return Err(BodyError::field(&format!("resources.{limit}"), reason));
        }
        if idle_ttl_doubled {
            return Err(BodyError::field("scaling.idle_ttl", "idle_ttl_ms is given too; accepted: one of them"));
        }
        Ok(body)
    }
}

impl Object for Gathered {
    const FIELDS: &'static [&'static str] = &[
        "name",
        "runtime",
        "code",
        "files",
        "main",
        "module",
        "handler",
        "contract",
        "executor",
        "isolation",
        "mode",
        "resources",
        "timeout",
        "timeout_ms",
        "env",
        "output_limit",
        "on_output_limit",
        "scaling",
        "routes",
        "auth",
        "image",
        "secrets",
        "network",
        "dependencies",
        "allow_build",
    ];
    const PREFIX: &'static str = "";

    fn read<'de, A: MapAccess<'de>>(&mut self, field: &'static str, value: Value<'_, A>) -> Result<(), A::Error> {
        let body = &mut self.body;
        match field {
            "name" => body.name = value.parse(|name: String| name.parse::<FunctionName>())?,
            "runtime" => body.runtime = value.judge(|name: String| runtime(&name))?,
            "code" => body.code = value.get()?,
            "files" => {
                if let Some(Files(files)) = value.get()? {
                    body.files = files;
                    self.files_given = true;
                }
            }
            "main" => body.main = value.get()?,
            "module" => body.module = value.get()?,
            "handler" => body.handler = value.get()?,
            "contract" => body.contract = value.judge(|name: String| super::execute::contract(&name))?,
            "executor" => body.executor = value.get()?,
            "isolation" => body.isolation = value.get()?,
            "mode" => body.mode = value.judge(|name: String| super::execute::mode(&name))?,
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
            "env" => body.env = value.get::<Variables>()?.unwrap_or_default().0,
            "output_limit" => body.output_limit = value.parse(|Scalar(text)| text.parse::<ByteSize>())?,
            "on_output_limit" => body.on_output_limit = value.get()?,
            "scaling" => {
                let GatheredScaling { body: scaling, doubled } = value.object()?.unwrap_or_default();
                (body.scaling, self.idle_ttl_doubled) = (scaling, doubled);
            }
            "routes" => body.routes = value.get::<Texts>()?.unwrap_or_default().0,
            "auth" => body.auth = value.get()?,
            "network" => {
                value.judge(Network::closed)?;
            }
            "dependencies" => body.dependencies = value.get::<Texts>()?.unwrap_or_default().0,
            "allow_build" => body.allow_build = value.get()?,
            "secrets" => {
                value.judge(|Texts(names)| if names.is_empty() { Ok(()) } else { Err(to_come(field)) })?;
            }
            other => {
                value.judge(|_: IgnoredAny| Err::<(), _>(to_come(other)))?;
            }
        }
        Ok(())
    }
}

impl Object for GatheredScaling {
    const FIELDS: &'static [&'static str] = &["min", "max", "concurrency", "idle_ttl", "idle_ttl_ms"];
    const PREFIX: &'static str = "scaling.";

    fn read<'de, A: MapAccess<'de>>(&mut self, field: &'static str, value: Value<'_, A>) -> Result<(), A::Error> {
        match field {
            "min" => self.body.min = value.get()?,
            "max" => self.body.max = value.get()?,
            "concurrency" => self.body.concurrency = value.get()?,
            "idle_ttl" => {
                let given = value.duration()?;
                self.put_idle_ttl(given);
            }
            _ => {
                let given = value.milliseconds()?;
                self.put_idle_ttl(given);
            }
        }
        Ok(())
    }
}

impl GatheredScaling {
    const fn put_idle_ttl(&mut self, given: Option<Duration>) {
        if given.is_some() {
            self.doubled = self.body.idle_ttl.is_some();
            self.body.idle_ttl = given;
        }
    }
}

fn runtime(name: &str) -> Result<Runtime, BodyError> {
    name.parse().map_err(|error: RuntimeError| match error {
        RuntimeError::Language(error) => BodyError::Language { field: "runtime", reason: excerpt(&error.to_string()) },
        RuntimeError::Version { .. } => BodyError::field("runtime", error.to_string()),
    })
}
