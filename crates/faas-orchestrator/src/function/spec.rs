//! What one version of a function is: everything a call of it needs beside its input.

use super::FunctionError;
use crate::ExecutionRequest;
use crate::request::{RequestError, StoredFile, Work};
use faas_build::Dependencies;
use faas_executor_api::{Capabilities, FileIn, Verb};
use faas_routes::Route;
use faas_types::{Contract, IsolationLevel, Language, Mode, OutputLimits, PackagesId, Resources, Runtime, Scaling};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The most routes of one function.
const MAX_ROUTES: usize = 256;

/// Who may call a function through its routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Whoever has a key of its tenant.
    #[default]
    Key,
    /// Everybody.
    Public,
}

/// Installed packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packages {
    /// What they are known as.
    pub id: PackagesId,
    /// What the dependencies led to: a line for each package, with its version and its digest.
    pub lock: String,
}

/// What one version of a function is.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionSpec {
    /// The language environment.
    pub runtime: Runtime,
    /// How the code is called.
    pub contract: Contract,
    /// The function that is called, under the handler contract.
    pub handler: String,
    /// The path of the file that is run, one of `files`.
    pub main: String,
    /// The source.
    pub files: Vec<FileIn>,
    /// The whole environment; nothing of the host's is added.
    pub env: Vec<(String, String)>,
    /// The limits of a sandbox.
    pub resources: Resources,
    /// The isolation insisted on.
    pub isolation: IsolationLevel,
    /// How long a call may run.
    pub timeout: Duration,
    /// How much a call may write.
    pub output: OutputLimits,
    /// What becomes of a sandbox after a call.
    pub mode: Mode,
    /// The packages it needs, as their tool writes them: `requests==2.28.0`.
    pub dependencies: Vec<String>,
    /// Whether code of those packages may run to build them.
    pub allow_build: bool,
    /// Those packages, installed. A deploy installs them.
    pub packages: Option<Packages>,
    /// How many sandboxes there may be.
    pub scaling: Scaling,
    /// Where it is called by HTTP: `METHOD:/path`.
    pub routes: Vec<String>,
    /// Who may call it there.
    pub access: Access,
}

impl FunctionSpec {
    /// The function that is called where nobody names another.
    pub const ENTRY: &str = "handle";
    /// What `pids` leaves beside one thread for each call at once: the interpreter's own and those of its packages.
    const OTHER_THREADS: u32 = 16;

    /// One file of code with every other field at its default.
    #[must_use]
    pub fn new(language: Language, code: impl Into<bytes::Bytes>) -> Self {
        let main = language.main_file().to_owned();
        Self {
            runtime: language.into(),
            contract: language.function_contract(),
            handler: Self::ENTRY.to_owned(),
            files: vec![FileIn { path: main.clone(), content: code.into(), executable: false }],
            main,
            env: Vec::new(),
            resources: Resources::default(),
            isolation: IsolationLevel::default(),
            timeout: Duration::from_secs(30),
            output: OutputLimits::default(),
            mode: Mode::Cached,
            dependencies: Vec::new(),
            allow_build: false,
            packages: None,
            scaling: Scaling::default(),
            routes: Vec::new(),
            access: Access::default(),
        }
    }

    /// Checks everything that needs no sandbox to be judged.
    ///
    /// # Errors
    /// Names the field and what is accepted.
    pub(crate) fn check(&self, host: &Capabilities) -> Result<(), FunctionError> {
        self.needed()?;
        self.check_runtime(host)?;
        self.scaling.check().map_err(FunctionError::Scaling)?;
        self.check_concurrency(host)?;
        if self.routes.len() > MAX_ROUTES {
            return Err(field("routes", format!("there are {}", self.routes.len()), "at most 256").into());
        }
        for route in &self.routes {
            route.parse::<Route>().map_err(FunctionError::Route)?;
        }
        if self.handler.is_empty() || self.handler.len() > 255 || self.handler.chars().any(char::is_control) {
            return Err(field("handler", "it is no name", "the name of a function, as handle").into());
        }
        let mains = self.files.iter().filter(|file| file.path == self.main).count();
        if mains != 1 {
            let reason = format!("{:?} is not among files", self.main);
            return Err(field("main", reason, "the path of one of files").into());
        }
        self.request()?.check()?;
        Ok(())
    }

    /// Whether an instance can take as many calls at once as are asked for.
    fn check_concurrency(&self, host: &Capabilities) -> Result<(), RequestError> {
        const FIELD: &str = "scaling.concurrency";
        let (calls, language) = (self.scaling.concurrency, self.runtime.language);
        let refused = |reason: String, accepted| Err(field(FIELD, reason, accepted));
        match language {
            _ if calls == 1 => Ok(()),
            _ if self.contract != Contract::Handler => {
                refused(format!("the contract is {}", self.contract), "1, but under the handler contract")
            }
            _ if self.mode != Mode::Cached => refused(format!("the mode is {}", self.mode), "1, but in mode cached"),
            Language::Python | Language::JavaScript
                if ![Verb::Share, Verb::Stay, Verb::Recycle].into_iter().all(|verb| host.offers(verb)) =>
            {
                let accepted = "1, where the executor does not let calls share a program";
                Err(RequestError::Unsupported { field: FIELD, value: calls.to_string(), accepted })
            }
            Language::Python if calls.saturating_add(Self::OTHER_THREADS) > self.resources.pids => refused(
                format!("it is {calls}, each call has a thread, and pids is {}", self.resources.pids),
                "at most 16 less than pids, in Python; raise pids",
            ),
            Language::Python | Language::JavaScript => Ok(()),
            other => refused(format!("the language is {other}"), "1, but in Python and JavaScript"),
        }
    }

    /// The packages it needs, checked.
    pub(super) fn needed(&self) -> Result<Dependencies, FunctionError> {
        let needed = Dependencies::parse(self.runtime.language, &self.dependencies, self.allow_build);
        needed.map_err(FunctionError::Dependencies)
    }

    fn check_runtime(&self, host: &Capabilities) -> Result<(), FunctionError> {
        let language = self.runtime.language;
        let found = host.runtimes.iter().find(|runtime| runtime.language == language);
        let found = found.ok_or(FunctionError::RuntimeMissing { language })?;
        let version = version_of(&found.path);
        match &self.runtime.version {
            Some(_) if !version.is_some_and(|version| self.runtime.accepts(version)) => {
                Err(FunctionError::RuntimeVersion {
                    wanted: self.runtime.to_string(),
                    found: version.map_or_else(|| found.path.clone(), |version| format!("{language}{version}")),
                })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A call without input.
    pub(crate) fn request(&self) -> Result<ExecutionRequest, RequestError> {
        let language = self.runtime.language;
        let (main, files): (Vec<_>, Vec<_>) = self.files.iter().cloned().partition(|file| file.path == self.main);
        let main = main.into_iter().next().ok_or_else(|| field("main", "there is none", "the path of one of files"))?;
        let (work, files) = match self.contract {
            Contract::Command => {
                let argv = vec![language.program().to_owned(), self.main.clone()];
                (Work::Command { argv }, self.files.clone())
            }
            contract => (Work::Script { code: main.content, name: self.main.clone(), language, contract }, files),
        };
        Ok(ExecutionRequest {
            entry: self.handler.clone(),
            env: self.env.clone(),
            files,
            resources: self.resources,
            isolation: self.isolation,
            timeout: self.timeout,
            output: self.output,
            mode: self.mode,
            packages: self.packages.as_ref().map(|packages| packages.id),
            ..ExecutionRequest::new(work)
        })
    }

    /// What it takes in memory, nearly.
    pub(crate) fn bytes(&self) -> usize {
        let files: usize = self.files.iter().map(|file| file.path.len() + file.content.len()).sum();
        let env: usize = self.env.iter().map(|(name, value)| name.len() + value.len()).sum();
        let lists: usize =
            self.routes.iter().chain(&self.dependencies).map(|text| size_of::<String>() + text.len()).sum();
        let lock = self.packages.as_ref().map_or(0, |packages| packages.lock.len());
        // The environment stands in the call that is made of it, too.
        files + 2 * env + lists + lock + self.handler.len() + 2 * size_of::<Self>()
    }
}

/// The version in the name of an interpreter's file, as distributions write it: `python3.11`, `php-cgi8.2`.
fn version_of(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let digits = name.find(|character: char| character.is_ascii_digit())?;
    name.get(digits..)
}

fn field(field: &'static str, reason: impl Into<String>, accepted: &'static str) -> RequestError {
    RequestError::Field { field, reason: reason.into(), accepted }
}

/// How a version is kept. A field that comes later has a default, so that what was kept before is read.
#[derive(Serialize, Deserialize)]
struct Stored {
    runtime: Runtime,
    contract: Contract,
    handler: String,
    main: String,
    files: Vec<StoredFile>,
    env: Vec<(String, String)>,
    resources: Resources,
    isolation: IsolationLevel,
    timeout: Duration,
    output: OutputLimits,
    mode: Mode,
    #[serde(default)]
    dependencies: Vec<String>,
    #[serde(default)]
    allow_build: bool,
    #[serde(default)]
    packages: Option<Packages>,
    scaling: Scaling,
    routes: Vec<String>,
    access: Access,
}

impl FunctionSpec {
    /// Its stored form.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let stored = Stored {
            runtime: self.runtime.clone(),
            contract: self.contract,
            handler: self.handler.clone(),
            main: self.main.clone(),
            files: self.files.iter().map(StoredFile::of).collect(),
            env: self.env.clone(),
            resources: self.resources,
            isolation: self.isolation,
            timeout: self.timeout,
            output: self.output,
            mode: self.mode,
            dependencies: self.dependencies.clone(),
            allow_build: self.allow_build,
            packages: self.packages.clone(),
            scaling: self.scaling,
            routes: self.routes.clone(),
            access: self.access,
        };
        // Plain values always have a JSON form.
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    /// Reads the stored form; `Err` says why it is none.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let stored: Stored = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let files = stored.files.into_iter().map(StoredFile::read).collect::<Result<_, _>>()?;
        Ok(Self {
            runtime: stored.runtime,
            contract: stored.contract,
            handler: stored.handler,
            main: stored.main,
            files,
            env: stored.env,
            resources: stored.resources,
            isolation: stored.isolation,
            timeout: stored.timeout,
            output: stored.output,
            mode: stored.mode,
            dependencies: stored.dependencies,
            allow_build: stored.allow_build,
            packages: stored.packages,
            scaling: stored.scaling,
            routes: stored.routes,
            access: stored.access,
        })
    }
}

/// The packages that the stored form of a version names; `Err` says why it is none.
pub(super) fn packages_of(bytes: &[u8]) -> Result<Option<PackagesId>, String> {
    /// The one member that counts here.
    #[derive(Deserialize)]
    struct Stored {
        #[serde(default)]
        packages: Option<Packages>,
    }
    let stored: Stored = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    Ok(stored.packages.map(|packages| packages.id))
}

#[cfg(test)]
mod tests {
    use super::{FunctionSpec, packages_of, version_of};
    use bytes::Bytes;
    use faas_executor_api::FileIn;
    use faas_types::{Contract, Language};

    #[test]
    fn a_spec_survives_the_store() {
        let mut spec = FunctionSpec::new(Language::Python, "def handle(request): return 1\n");
        spec.files.push(FileIn { path: "a/b".to_owned(), content: Bytes::from_static(b"\xff\0"), executable: true });
        spec.env.push(("A".to_owned(), "line\nbreak".to_owned()));
        spec.routes.push("POST:/a".to_owned());
        spec.dependencies.push("a==1".to_owned());
        spec.allow_build = true;
        spec.packages =
            Some(super::Packages { id: faas_types::PackagesId::from_bytes([7; 32]), lock: "a 1".to_owned() });
        spec.runtime.version = Some("3.11".to_owned());
        assert_eq!(packages_of(&spec.to_bytes()), Ok(Some(faas_types::PackagesId::from_bytes([7; 32]))));
        assert_eq!(FunctionSpec::from_bytes(&spec.to_bytes()), Ok(spec));
        assert!(FunctionSpec::from_bytes(b"{").is_err());
    }

    #[test]
    fn how_long_instances_wait_is_what_a_stored_version_says() {
        let stored = |spec: &FunctionSpec| serde_json::from_slice::<serde_json::Value>(&spec.to_bytes()).expect("JSON");
        let spec = FunctionSpec::new(Language::Python, "def handle(request): return 1\n");
        let mut written = stored(&spec);
        assert_eq!(written["scaling"].get("idle_ttl"), None, "nobody said it");
        // As every version was written before it could be left to the platform.
        written["scaling"]["idle_ttl"] = serde_json::json!({"secs": 600, "nanos": 0});
        let read = FunctionSpec::from_bytes(written.to_string().as_bytes()).expect("a spec");
        assert_eq!(read.scaling.idle_ttl, Some(std::time::Duration::from_secs(600)));
        assert_eq!(stored(&read), written);
    }

    #[test]
    fn an_interpreter_says_its_version_by_its_name() {
        assert_eq!(version_of("/usr/bin/python3.11"), Some("3.11"));
        assert_eq!(version_of("/usr/bin/php-cgi8.2"), Some("8.2"));
        assert_eq!(version_of("/usr/bin/node"), None);
    }

    #[test]
    fn bash_is_called_as_a_command_with_its_file() {
        let spec = FunctionSpec::new(Language::Bash, "cat");
        let request = spec.request().unwrap();
        assert_eq!(request.contract(), Contract::Command);
        assert_eq!(request.files.len(), 1);
    }
}
