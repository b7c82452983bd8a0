//! A function as seed 001 writes it: `config` beside name and code.

use super::error::BodyError;
use super::object::{Object, Value, read};
use serde::de::MapAccess;
use serde_json::{Map, json};

/// Members of `config`, and where they stand in a function's body.
const MEMBERS: [(&str, &[&str]); 10] = [
    ("execution_mode", &["executor"]),
    ("runtime", &["runtime"]),
    ("handler", &["handler"]),
    ("timeout", &["timeout"]),
    ("memory", &["resources", "memory"]),
    ("cpu_limit", &["resources", "cpu"]),
    ("dependencies", &["dependencies"]),
    ("environment", &["env"]),
    ("min_instances", &["scaling", "min"]),
    ("max_instances", &["scaling", "max"]),
];

/// A function as the seed writes it, as a patch of a function's body.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SeedFunctionBody {
    members: Map<String, serde_json::Value>,
}

impl SeedFunctionBody {
    /// Reads a body, and gives the same as a function's body.
    ///
    /// # Errors
    /// Names the field and what is accepted. The values of `config` are judged with the function's body.
    pub fn from_json(body: &[u8]) -> Result<serde_json::Value, BodyError> {
        let Self { members } = read(body)?;
        Ok(serde_json::Value::Object(members))
    }

    /// What the seed calls a field of a function's body.
    #[must_use]
    pub fn name_of(field: &str) -> Option<String> {
        MEMBERS.iter().find(|(_, place)| place.join(".") == field).map(|(name, _)| format!("config.{name}"))
    }
}

impl Object for SeedFunctionBody {
    const FIELDS: &'static [&'static str] = &["name", "code", "config"];
    const PREFIX: &'static str = "";

    fn read<'de, A: MapAccess<'de>>(&mut self, field: &'static str, value: Value<'_, A>) -> Result<(), A::Error> {
        if field == "config" {
            if let Some(Config { members }) = value.object()? {
                self.members.extend(members);
            }
        } else if let Some(value) = value.get()? {
            self.members.insert(field.to_owned(), value);
        }
        Ok(())
    }
}

#[derive(Default)]
struct Config {
    members: Map<String, serde_json::Value>,
}

impl Object for Config {
    const FIELDS: &'static [&'static str] = &[
        "execution_mode",
        "runtime",
        "handler",
        "timeout",
        "memory",
        "cpu_limit",
        "dependencies",
        "environment",
        "min_instances",
        "max_instances",
    ];
    const PREFIX: &'static str = "config.";

    fn read<'de, A: MapAccess<'de>>(&mut self, field: &'static str, value: Value<'_, A>) -> Result<(), A::Error> {
        let Some(value) = value.get::<serde_json::Value>()? else { return Ok(()) };
        match MEMBERS.iter().find(|(name, _)| *name == field).map(|(_, place)| *place) {
            Some([outer, inner]) => {
                let object = self.members.entry(*outer).or_insert_with(|| json!({}));
                if let Some(object) = object.as_object_mut() {
                    object.insert((*inner).to_owned(), value);
                }
            }
            Some([name]) => drop(self.members.insert((*name).to_owned(), value)),
            Some(_) | None => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, MEMBERS, SeedFunctionBody};
    use crate::request::object::Object as _;
    use serde_json::json;

    #[test]
    fn what_the_seed_prints_is_a_functions_body() {
        let printed = json!({
            "name": "my-function",
            "code": "def handle(request):\n    return {'result': 'success'}",
            "config": {
                "execution_mode": "process", "timeout": 30, "memory": "256Mi", "cpu_limit": "100m",
                "dependencies": ["requests==2.28.0"], "environment": {"API_KEY": "secret"},
                "min_instances": 0, "max_instances": 10,
            },
        });
        let read = SeedFunctionBody::from_json(printed.to_string().as_bytes()).expect("accepted");
        let meant = json!({
            "name": "my-function", "code": printed["code"], "executor": "process", "timeout": 30,
            "resources": {"memory": "256Mi", "cpu": "100m"}, "dependencies": ["requests==2.28.0"],
            "env": {"API_KEY": "secret"}, "scaling": {"min": 0, "max": 10},
        });
        assert_eq!(read, meant);
        assert_eq!(SeedFunctionBody::name_of("resources.memory").as_deref(), Some("config.memory"));
        let unknown = SeedFunctionBody::from_json(br#"{"config": {"gpu": 1}}"#).expect_err("refused");
        assert_eq!(unknown.field_name(), Some("config.gpu"));
    }

    #[test]
    fn every_member_has_its_place() {
        assert_eq!(MEMBERS.map(|(name, _)| name).as_slice(), Config::FIELDS);
    }
}
