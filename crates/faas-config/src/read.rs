//! The layers flattened: for every key the text that wins and where it stands.

use crate::declared::{DeclaredFunction, DeclaredFunctions};
use crate::foreign::{self, Meaning};
use crate::nearest::nearest;
use crate::pick::shortened;
use crate::source::{ConfigFile, Flags, Origin};
use crate::{ConfigError, Key, Unused, path, yaml};
use std::collections::BTreeMap;

/// Names of variables that are read elsewhere and are no configuration keys.
const OTHER_VARIABLES: [&str; 2] = ["FAAS_CONFIG_FILE", "FAAS_INPUT"];
/// Variables that ask for a part of the platform that this build does not have: the variable, the key's
/// place in the platform, what there is instead. Passing them over would put executions elsewhere than asked.
const NOT_BUILT: [(&str, &str, &str); 1] = [("NATS_URL", "queue", "the queue in its own database")];
/// A variable that wins over another of its key; any other two that differ are refused.
const STRONGEST: &str = "RUST_LOG";

/// Whether a variable is one that only this platform reads.
#[must_use]
pub fn is_own_variable(name: &str) -> bool {
    name.starts_with("FAAS_")
}

/// The winning texts, and every variable that speaks about a key.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    texts: BTreeMap<Key, (String, Origin)>,
    variables: BTreeMap<Key, Vec<Variable>>,
    /// What is set and has no effect.
    pub(crate) unused: Vec<Unused>,
    /// The functions of the file.
    pub(crate) functions: DeclaredFunctions,
}

/// A variable that sets a key.
#[derive(Debug, Clone)]
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    pub(crate) text: String,
}

impl Variable {
    pub(crate) const fn origin(&self) -> Origin {
        Origin::Env { name: self.name }
    }
}

impl Layers {
    /// Puts the layers on top of each other.
    pub(crate) fn read(
        file: Option<&ConfigFile>,
        env: &BTreeMap<String, String>,
        flags: &Flags,
    ) -> Result<Self, ConfigError> {
        let mut layers = Self::default();
        if let Some(file) = file {
            layers.read_file(file)?;
        }
        layers.read_env(env)?;
        layers.unused.extend(Unused::find(env));
        for key in Key::ALL {
            if let Some(text) = flags.get(*key) {
                layers.texts.insert(*key, (text.to_owned(), Origin::Flag { name: key.info().flag }));
            }
        }
        Ok(layers)
    }

    /// The winning text of a key.
    pub(crate) fn get(&self, key: Key) -> Option<(&str, Origin)> {
        self.texts.get(&key).map(|(text, origin)| (text.as_str(), origin.clone()))
    }

    /// The variables that set a key, whichever layer wins.
    pub(crate) fn variables(&self, key: Key) -> &[Variable] {
        self.variables.get(&key).map_or(&[], Vec::as_slice)
    }

    fn read_file(&mut self, file: &ConfigFile) -> Result<(), ConfigError> {
        let not_valid = |form, reason: &str| ConfigError::Syntax {
            path: file.path.clone(),
            form,
            reason: reason.trim_end().to_owned(),
        };
        if file.text.len() > ConfigFile::MAX_BYTES {
            return Err(ConfigError::TooLarge { path: file.path.clone() });
        }
        if file.is_yaml() {
            let mut table = yaml::parse(&file.text).map_err(|reason| not_valid("YAML", &reason))?;
            let foreign = [table.remove("system"), table.remove("functions")];
            self.read_table(file, "", &table)?;
            self.read_foreign(file, foreign)
        } else {
            let table = file.text.parse().map_err(|error: toml::de::Error| not_valid("TOML", &error.to_string()))?;
            self.read_table(file, "", &table)
        }
    }

    /// Reads the two sections of another platform's file, after the keys of ours.
    fn read_foreign(&mut self, file: &ConfigFile, sections: [Option<toml::Value>; 2]) -> Result<(), ConfigError> {
        let origin = Origin::File { path: file.path.clone() };
        let [system, functions] = sections.map(|section| match section {
            None => Some(toml::Table::new()),
            Some(toml::Value::Table(table)) => Some(table),
            Some(_) => None,
        });
        for (name, value) in system.ok_or_else(|| unknown_key("system".to_owned(), origin.clone()))? {
            let dotted = format!("system.{name}");
            let Some((known, meaning)) = foreign::SYSTEM.iter().find(|(known, _)| *known == dotted) else {
                return Err(unknown_key(dotted, origin));
            };
            match meaning {
                Meaning::FunctionStorage => {
                    let accepted = "an absolute path";
                    let refused = |given: &str| ConfigError::Function {
                        place: dotted.clone(),
                        given: shortened(given),
                        origin: origin.clone(),
                        accepted,
                    };
                    let text = value.as_str().ok_or_else(|| refused(value.type_str()))?;
                    self.functions.storage = Some(path::absolute(text).ok_or_else(|| refused(text))?);
                }
                Meaning::Nothing(why) => self.unused.push(Unused { name: (*known).into(), why }),
                Meaning::Key(key) => {
                    let info = key.info();
                    let text = text_of(*key, &value).ok_or_else(|| not_accepted(*key, &value, &origin))?;
                    if self.texts.get(key).is_some_and(|(ours, _)| *ours != text) {
                        return Err(ConfigError::Conflict { key: info.name, first: info.name, second: known });
                    }
                    self.texts.insert(*key, (text, origin.clone()));
                }
            }
        }
        for (name, value) in functions.ok_or_else(|| unknown_key("functions".to_owned(), origin.clone()))? {
            self.functions.all.push(DeclaredFunction::read(&name, &value, &origin)?);
        }
        Ok(())
    }

    fn read_table(&mut self, file: &ConfigFile, prefix: &str, table: &toml::Table) -> Result<(), ConfigError> {
        for (name, value) in table {
            let dotted = format!("{prefix}{name}");
            let origin = Origin::File { path: file.path.clone() };
            match (Key::from_name(&dotted), value) {
                (Some(key), value) => {
                    let text = text_of(key, value).ok_or_else(|| not_accepted(key, value, &origin))?;
                    self.texts.insert(key, (text, origin));
                }
                (None, toml::Value::Table(inner)) if is_section(&dotted) => {
                    self.read_table(file, &format!("{dotted}."), inner)?;
                }
                (None, _) => return Err(unknown_key(dotted, origin)),
            }
        }
        Ok(())
    }

    /// Variables of other programs may share the prefix, so only a near miss is refused.
    fn read_env(&mut self, env: &BTreeMap<String, String>) -> Result<(), ConfigError> {
        for key in Key::ALL {
            let found: Vec<Variable> = key.variables().filter_map(|name| variable(*key, name, env)).collect();
            let strongest = found.iter().find(|variable| variable.name == STRONGEST).cloned();
            let found = strongest.map_or(found, |variable| vec![variable]);
            if let Some(winner) = found.first() {
                self.texts.insert(*key, (winner.text.clone(), winner.origin()));
                self.variables.insert(*key, found);
            }
        }
        for (name, key, available) in NOT_BUILT {
            if let Some(text) = env.get(name).filter(|text| !text.is_empty()) {
                // What follows may hold a password.
                let given = format!("{}:…", shortened(text.split(':').next().unwrap_or_default()));
                return Err(ConfigError::NotBuilt { key, given, origin: Origin::Env { name }, available });
            }
        }
        let known = || Key::ALL.iter().flat_map(|key| key.variables()).chain(Unused::names());
        for name in env.keys().filter(|name| is_own_variable(name)) {
            if Key::from_env(name).is_none()
                && !OTHER_VARIABLES.contains(&name.as_str())
                && !Unused::names().any(|known| known == name)
                && let Some(nearest) = nearest(name, known())
            {
                return Err(ConfigError::UnknownVariable { name: name.clone(), nearest: nearest.to_owned() });
            }
        }
        Ok(())
    }
}

/// What a variable says about its key. Where a service has the name of ours, Kubernetes sets
/// `NAME_PORT` to `tcp://ADDRESS:PORT` in every container; that is not addressed to us.
fn variable(key: Key, name: &'static str, env: &BTreeMap<String, String>) -> Option<Variable> {
    let text = env.get(name)?;
    let foreign = name != key.info().env;
    let is_service_link = name.ends_with("_PORT") && ["tcp://", "udp://"].iter().any(|start| text.starts_with(start));
    if foreign && (text.is_empty() || is_service_link) {
        return None;
    }
    Some(Variable { name, text: text.clone() })
}

/// Whether some key lies below this name.
fn is_section(dotted: &str) -> bool {
    Key::ALL.iter().any(|key| key.info().name.strip_prefix(dotted).is_some_and(|rest| rest.starts_with('.')))
}

/// A value as text. A key that takes several takes them as a list too, and one that is true or false as such.
fn text_of(key: Key, value: &toml::Value) -> Option<String> {
    match (key, value) {
        (Key::CompatPorts | Key::Zygotes, toml::Value::Boolean(value)) => Some(value.to_string()),
        (Key::Listen | Key::FunctionRoots, toml::Value::Array(parts)) => {
            parts.iter().map(scalar_text).collect::<Option<Vec<_>>>().map(|parts| parts.join(","))
        }
        _ => scalar_text(value),
    }
}

/// Numbers and texts are the same to a quantity: `256` and `"256"` are both MiB.
fn scalar_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(_) | toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => None,
    }
}

fn not_accepted(key: Key, value: &toml::Value, origin: &Origin) -> ConfigError {
    let info = key.info();
    let (given, origin) = (value.type_str().to_owned(), origin.clone());
    ConfigError::Value { key: info.name, given, origin, accepted: info.accepted }
}

fn unknown_key(key: String, origin: Origin) -> ConfigError {
    let names = || Key::ALL.iter().map(|key| key.info().name);
    // A limit written without its section is the likeliest slip.
    let in_section = format!("limits.{key}");
    let nearest = names()
        .find(|name| *name == in_section)
        .or_else(|| nearest(&key, names()))
        .or_else(|| nearest(&in_section, names()))
        .map(str::to_owned);
    ConfigError::UnknownKey { key, origin, nearest, accepted: names().collect::<Vec<_>>().join(", ") }
}
