//! Functions that a configuration file declares: the section `functions` of a YAML file, typed.
//!
//! Invariants: a key that nobody knows and a value that its key does not take are refused by name; values of
//! `environment` may be secrets, and no error repeats them. Read by [`crate::read`].

use crate::nearest::nearest;
use crate::pick::{duration, shortened, size, whole_number};
use crate::source::Origin;
use crate::value::ExecutorChoice;
use crate::{ConfigError, Key};
use faas_types::{ByteSize, CpuAmount, FunctionName, Runtime, Scaling};
use std::path::PathBuf;
use std::time::Duration;
use toml::Value;

/// The keys of a function.
const KEYS: [&str; 13] = [
    "runtime",
    "execution_mode",
    "handler",
    "timeout",
    "memory",
    "cpu_limit",
    "dependencies",
    "allow_build",
    "environment",
    "min_instances",
    "max_instances",
    "concurrency",
    "code",
];

/// The functions of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeclaredFunctions {
    /// Where the source of a function without `code` is: a directory or a file of its name.
    pub storage: Option<PathBuf>,
    /// All of them, by name.
    pub all: Vec<DeclaredFunction>,
}

/// One function of a file; what it leaves out is as for every function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredFunction {
    /// Its name.
    pub name: FunctionName,
    /// The language, and its version where one is insisted on.
    pub runtime: Option<Runtime>,
    /// The function in the code that is called.
    pub handler: Option<String>,
    /// How long a call may run.
    pub timeout: Option<Duration>,
    /// The memory of a sandbox.
    pub memory: Option<ByteSize>,
    /// The processor share of a sandbox.
    pub cpu: Option<CpuAmount>,
    /// Packages, as their tool writes them.
    pub dependencies: Vec<String>,
    /// Whether code of those packages may run to build them.
    pub allow_build: Option<bool>,
    /// The whole environment.
    pub environment: Vec<(String, String)>,
    /// Instances kept warm.
    pub min_instances: Option<u32>,
    /// The most instances.
    pub max_instances: Option<u32>,
    /// Calls one instance takes at once.
    pub concurrency: Option<u32>,
    /// The source, where it stands in the file.
    pub code: Option<String>,
}

impl DeclaredFunction {
    /// Reads what stands below `functions.NAME`.
    pub(crate) fn read(name: &str, value: &Value, origin: &Origin) -> Result<Self, ConfigError> {
        let refuse = |place: String, given: String, accepted| ConfigError::Function {
            place,
            given: shortened(&given),
            origin: origin.clone(),
            accepted,
        };
        let parsed = name.parse().map_err(|_| {
            let accepted = "names of 1 to 63 letters, digits, - and _, a letter or a digit first, not live or latest";
            refuse("functions".to_owned(), name.to_owned(), accepted)
        })?;
        let mut function = Self::without_anything(parsed);
        let table = match value {
            Value::Table(table) => table,
            // A name with nothing behind it.
            Value::String(text) if text.is_empty() => return Ok(function),
            other => {
                return Err(refuse(format!("functions.{name}"), other.type_str().to_owned(), "keys with values"));
            }
        };
        for (key, value) in table {
            if !KEYS.contains(&key.as_str()) {
                return Err(unknown(name, key, origin));
            }
            if let Some(accepted) = function.set(key, value) {
                let given = match value {
                    Value::String(text) => text.clone(),
                    other => other.type_str().to_owned(),
                };
                return Err(refuse(format!("functions.{name}.{key}"), given, accepted));
            }
        }
        Ok(function)
    }

    const fn without_anything(name: FunctionName) -> Self {
        Self {
            name,
            runtime: None,
            handler: None,
            timeout: None,
            memory: None,
            cpu: None,
            dependencies: Vec::new(),
            allow_build: None,
            environment: Vec::new(),
            min_instances: None,
            max_instances: None,
            concurrency: None,
            code: None,
        }
    }

    /// Sets one of [`KEYS`]; gives what is accepted where the value is not.
    fn set(&mut self, key: &str, value: &Value) -> Option<&'static str> {
        let text = value.as_str();
        // Whether a value was taken; what is `None` is as for every function, so it is never set to that.
        let (taken, accepted) = match key {
            "runtime" => (put(&mut self.runtime, text.and_then(|text| text.parse().ok())), RUNTIMES),
            "execution_mode" => {
                let known = text.is_some_and(|text| ExecutorChoice::parse(text).is_ok());
                (known, Key::Executor.info().accepted)
            }
            "handler" => (put(&mut self.handler, text.filter(|text| !text.is_empty()).map(str::to_owned)), A_NAME),
            "timeout" => (put(&mut self.timeout, text.and_then(duration)), Key::Timeout.info().accepted),
            "memory" => (put(&mut self.memory, text.and_then(size)), Key::Memory.info().accepted),
            "cpu_limit" => (put(&mut self.cpu, text.and_then(|text| text.parse().ok())), Key::Cpus.info().accepted),
            "dependencies" => (list(value).map(|found| self.dependencies = found).is_some(), "a list of packages"),
            "allow_build" => (put(&mut self.allow_build, truth(value)), "true or false"),
            "environment" => (pairs(value).map(|found| self.environment = found).is_some(), "names with texts"),
            "min_instances" => (put(&mut self.min_instances, text.and_then(|text| count(text, 0))), "0 to 10000"),
            "max_instances" => (put(&mut self.max_instances, text.and_then(|text| count(text, 1))), "1 to 10000"),
            "concurrency" => {
                let count = text.and_then(|text| count(text, 1)).filter(|count| *count <= Scaling::MOST_AT_ONCE);
                (put(&mut self.concurrency, count), "1 to 100")
            }
            _ => (put(&mut self.code, text.filter(|text| !text.is_empty()).map(str::to_owned)), "the source, as text"),
        };
        (!taken).then_some(accepted)
    }
}

const RUNTIMES: &str = "python, javascript, bash or php, with a version where one is insisted on, as python3.11";
const A_NAME: &str = "the name of a function, as handle";

fn put<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    *place = value;
    place.is_some()
}

/// A number that may be zero where `least` is.
fn count(text: &str, least: u32) -> Option<u32> {
    if text == "0" { (least == 0).then_some(0) } else { whole_number(text, 1, Scaling::MOST) }
}

/// YAML's scalars come as they are written.
fn truth(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
}

fn list(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        Value::String(text) if text.is_empty() => Some(Vec::new()),
        _ => None,
    }
}

fn pairs(value: &Value) -> Option<Vec<(String, String)>> {
    match value {
        Value::Table(table) => {
            table.iter().map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
        }
        Value::String(text) if text.is_empty() => Some(Vec::new()),
        _ => None,
    }
}

fn unknown(name: &str, key: &str, origin: &Origin) -> ConfigError {
    ConfigError::UnknownKey {
        key: format!("functions.{name}.{key}"),
        origin: origin.clone(),
        nearest: nearest(key, KEYS.into_iter()).map(str::to_owned),
        accepted: KEYS.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::{DeclaredFunction, KEYS};
    use crate::Origin;
    use std::time::Duration;

    fn read(yaml: &str) -> Result<DeclaredFunction, String> {
        let table = crate::yaml::parse(yaml).expect("YAML");
        let (name, value) = table.iter().next().expect("a function");
        DeclaredFunction::read(name, value, &Origin::Default).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_printed_is_read_key_by_key() {
        let text = "example-function:\n  runtime: python3.11\n  execution_mode: process\n  handler: handle\n  \
                    timeout: 30\n  memory: 256Mi\n  cpu_limit: 100m\n  dependencies:\n    - requests==2.28.0\n  \
                    allow_build: true\n  environment:\n    API_KEY: your-api-key\n    DEBUG: 'false'\n  min_instances: 0\n  \
                    max_instances: 10\n  concurrency: 20\n  code: |\n    def handle(request):\n      return 1\n";
        let function = read(text).unwrap();
        assert_eq!(function.name.as_str(), "example-function");
        assert_eq!(function.runtime.map(|runtime| runtime.to_string()).as_deref(), Some("python3.11"));
        assert_eq!(function.timeout, Some(Duration::from_secs(30)));
        assert_eq!((function.min_instances, function.max_instances), (Some(0), Some(10)));
        assert_eq!(function.concurrency, Some(20));
        assert_eq!((function.dependencies, function.allow_build), (vec!["requests==2.28.0".to_owned()], Some(true)));
        assert_eq!(function.environment.len(), 2);
        assert_eq!(function.code.as_deref(), Some("def handle(request):\n  return 1\n"));
        assert_eq!(text.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")).count(), KEYS.len());
    }

    #[test]
    fn what_is_left_out_is_as_for_every_function() {
        for text in ["a:", "a: {}", "a:\n  dependencies:\n  environment:\n"] {
            let name = "a".parse().unwrap();
            assert_eq!(read(text).unwrap(), DeclaredFunction::without_anything(name), "{text}");
        }
    }

    #[test]
    fn what_is_not_accepted_is_refused_by_name() {
        for (text, part) in [
            ("a: {timeuot: 3}", "functions.a.timeuot\" (default); did you mean \"timeout\"?"),
            ("a: {gpu: 3}", "accepted: runtime, "),
            ("a: [1]", "functions.a \"array\""),
            ("a b: {}", "functions \"a b\""),
            ("latest: {}", "functions \"latest\""),
            ("a: {timeout: 0}", "functions.a.timeout \"0\""),
            ("a: {memory: -1}", "functions.a.memory"),
            ("a: {cpu_limit: much}", "functions.a.cpu_limit"),
            ("a: {runtime: cobol}", "functions.a.runtime \"cobol\""),
            ("a: {execution_mode: container}", "functions.a.execution_mode \"container\""),
            ("a: {handler: ''}", "functions.a.handler"),
            ("a: {dependencies: requests}", "functions.a.dependencies"),
            ("a: {dependencies: [[x]]}", "functions.a.dependencies"),
            ("a: {allow_build: maybe}", "functions.a.allow_build \"maybe\""),
            ("a: {environment: [A=b]}", "functions.a.environment"),
            ("a: {min_instances: -1}", "functions.a.min_instances"),
            ("a: {max_instances: 0}", "functions.a.max_instances \"0\""),
            ("a: {concurrency: 101}", "functions.a.concurrency \"101\""),
            ("a: {code: {}}", "functions.a.code"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
        let error = read("a: {environment: {KEY: [hunter2]}}").expect_err("no text");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
