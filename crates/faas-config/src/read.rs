//! The layers flattened: for every key the text that wins and where it stands.

use crate::nearest::nearest;
use crate::source::{ConfigFile, Flags, Origin};
use crate::{ConfigError, Key};
use std::collections::BTreeMap;

/// Names of variables that are read elsewhere and are no configuration keys.
const OTHER_VARIABLES: [&str; 2] = ["FAAS_CONFIG_FILE", "FAAS_INPUT"];

/// The winning texts.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    texts: BTreeMap<Key, (String, Origin)>,
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
        for key in Key::ALL {
            if let Some(text) = flags.get(key) {
                layers.texts.insert(key, (text.to_owned(), Origin::Flag { name: key.info().flag }));
            }
        }
        Ok(layers)
    }

    /// The winning text of a key.
    pub(crate) fn get(&self, key: Key) -> Option<(&str, Origin)> {
        self.texts.get(&key).map(|(text, origin)| (text.as_str(), origin.clone()))
    }

    fn read_file(&mut self, file: &ConfigFile) -> Result<(), ConfigError> {
        let table: toml::Table = file.text.parse().map_err(|error: toml::de::Error| ConfigError::Syntax {
            path: file.path.clone(),
            reason: error.to_string().trim_end().to_owned(),
        })?;
        self.read_table(file, "", &table)
    }

    fn read_table(&mut self, file: &ConfigFile, prefix: &str, table: &toml::Table) -> Result<(), ConfigError> {
        for (name, value) in table {
            let dotted = format!("{prefix}{name}");
            let origin = Origin::File { path: file.path.clone() };
            match (Key::from_name(&dotted), value) {
                (Some(key), value) => {
                    let text = scalar_text(value).ok_or_else(|| ConfigError::Value {
                        key: key.info().name,
                        given: value.type_str().to_owned(),
                        origin: origin.clone(),
                        accepted: key.info().accepted,
                    })?;
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
        for (name, text) in env.iter().filter(|(name, _)| name.starts_with("FAAS_")) {
            if let Some(key) = Key::from_env(name) {
                self.texts.insert(key, (text.clone(), Origin::Env { name: key.info().env }));
            } else if !OTHER_VARIABLES.contains(&name.as_str())
                && let Some(nearest) = nearest(name, Key::ALL.into_iter().map(|key| key.info().env))
            {
                return Err(ConfigError::UnknownVariable { name: name.clone(), nearest: nearest.to_owned() });
            }
        }
        Ok(())
    }
}

/// Whether some key lies below this name.
fn is_section(dotted: &str) -> bool {
    Key::ALL.into_iter().any(|key| key.info().name.strip_prefix(dotted).is_some_and(|rest| rest.starts_with('.')))
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

fn unknown_key(key: String, origin: Origin) -> ConfigError {
    let names = || Key::ALL.into_iter().map(|key| key.info().name);
    // A limit written without its section is the likeliest slip.
    let in_section = format!("limits.{key}");
    let nearest = names()
        .find(|name| *name == in_section)
        .or_else(|| nearest(&key, names()))
        .or_else(|| nearest(&in_section, names()))
        .map(str::to_owned);
    ConfigError::UnknownKey { key, origin, nearest, accepted: names().collect::<Vec<_>>().join(", ") }
}
