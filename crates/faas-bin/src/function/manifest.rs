//! `faas.yaml`: what a function is, beside its source.
//!
//! Its keys are the members of a function's body in the API, so what a server of this version takes can be
//! written there. Scalars without quotes are numbers, truths or nothing only where JSON would write them so;
//! in `env` everything is a text. Every mistake is named with its line.

use crate::diagnostic::CliError;
use faas_client::model::{BodyError, FunctionBody};
use faas_config::nearest;
use faas_config::yaml::{self, Node, Value as Yaml};
use faas_types::ErrorCode;
use serde_json::{Map, Number, Value};

/// The file's name.
pub(crate) const MANIFEST: &str = "faas.yaml";
/// Keys that the folder itself answers.
const SOURCE: [&str; 4] = ["code", "files", "module", "image"];

/// Reads the text of the file that `place` names.
pub(super) fn read(place: &str, text: &str) -> Result<FunctionBody, CliError> {
    let refused = |line: Option<usize>, reason: String| {
        let line = line.map_or_else(String::new, |line| format!(" line {line}"));
        CliError::new(ErrorCode::ConfigInvalid, format!("{place}{line}: {reason}"))
            .help("correct the file at the place named above; docs/functions.md lists every key")
    };
    let mapping = yaml::read(text).map_err(|reason| refused(None, reason))?;
    if let Some((name, node)) = mapping.iter().find(|(name, _)| SOURCE.contains(&name.as_str())) {
        let reason = format!("{name:?} is refused: the files beside this one are the source; leave it out");
        return Err(refused(Some(node.line), reason));
    }
    let body = members(&mapping, true);
    FunctionBody::from_json(Value::Object(body).to_string().as_bytes()).map_err(|error| {
        let line = error.field_name().and_then(|field| line_of(&mapping, field));
        refused(line, reason(&error))
    })
}

/// What is wrong, with the nearest name to one that nobody knows.
fn reason(error: &BodyError) -> String {
    let BodyError::Unknown { field, accepted } = error else { return error.to_string() };
    let name = field.rsplit('.').next().unwrap_or(field);
    let known = || accepted.split(", ").filter(|name| !SOURCE.contains(name));
    let meant = nearest(name, known()).map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
    format!("unknown key {field:?}{meant}; accepted: {}", known().collect::<Vec<_>>().join(", "))
}

/// The line of a field such as `resources.memory`, or of what holds it.
fn line_of(mapping: &[(String, Node)], field: &str) -> Option<usize> {
    let (first, rest) = field.split_once('.').unwrap_or((field, ""));
    let node = &mapping.iter().find(|(name, _)| name == first)?.1;
    match &node.value {
        Yaml::Mapping(inner) if !rest.is_empty() => line_of(inner, rest).or(Some(node.line)),
        Yaml::Mapping(_) | Yaml::List(_) | Yaml::Scalar { .. } => Some(node.line),
    }
}

fn members(mapping: &[(String, Node)], top: bool) -> Map<String, Value> {
    let member = |(name, node): &(String, Node)| {
        let value = if top && name == "env" { texts(node) } else { value(node) };
        (name.clone(), value)
    };
    mapping.iter().map(member).collect()
}

fn value(node: &Node) -> Value {
    match &node.value {
        Yaml::Scalar { text, plain: true } => plain(text),
        Yaml::Scalar { text, plain: false } => Value::String(text.clone()),
        Yaml::List(items) => items.iter().map(value).collect(),
        Yaml::Mapping(mapping) => Value::Object(members(mapping, false)),
    }
}

/// Variables are texts, whatever they look like.
fn texts(node: &Node) -> Value {
    match &node.value {
        Yaml::Mapping(mapping) => Value::Object(
            mapping.iter().map(|(name, node)| (name.clone(), scalar(node).unwrap_or_else(|| value(node)))).collect(),
        ),
        Yaml::List(items) => items.iter().map(|node| scalar(node).unwrap_or_else(|| value(node))).collect(),
        Yaml::Scalar { .. } => value(node),
    }
}

fn scalar(node: &Node) -> Option<Value> {
    match &node.value {
        Yaml::Scalar { text, .. } => Some(Value::String(text.clone())),
        Yaml::List(_) | Yaml::Mapping(_) => None,
    }
}

fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        // `3.10` is a version, not 3.1: only what reads back as it stands there is a number.
        text => match text.parse::<Number>() {
            Ok(number) if number.to_string() == text => Value::Number(number),
            Ok(_) | Err(_) => Value::String(text.to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::read;
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn keys_are_those_of_the_api() {
        let text = "name: hello\nruntime: python3.10\ntimeout: 5s\nresources: {memory: 512Mi, pids: 32}\n\
                    env:\n  PORT: 8080\n  DEBUG: true\n  EMPTY:\nroutes:\n  - POST:/a\nscaling:\n  max: 3\n";
        let body = read("faas.yaml", text).expect("a function");
        assert_eq!(body.runtime.map(|runtime| runtime.to_string()).as_deref(), Some("python3.10"));
        assert_eq!((body.timeout, body.pids, body.scaling.max), (Some(Duration::from_secs(5)), Some(32), Some(3)));
        let env: Vec<_> = body.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!((env.len(), env.contains(&"PORT=8080".to_owned())), (3, true), "{env:?}");
        assert_eq!(read("faas.yaml", "# nothing\n").expect("nothing").name, None);
    }

    #[test]
    fn a_mistake_is_named_with_its_line_and_what_was_meant() {
        for (text, parts) in [
            ("name: a\nruntiem: python", ["line 2: unknown key \"runtiem\"", "did you mean \"runtime\"?"]),
            ("resources:\n  pids: 8\n  memroy: 1Gi", ["line 3: unknown key \"resources.memroy\"", "\"memory\"?"]),
            ("name: a\ntimeout: soon", ["line 2: timeout is refused", "accepted"]),
            ("name: ../a", ["line 1: name is refused", "accepted"]),
            ("name: a\ncode: print(1)", ["line 2: \"code\" is refused", "leave it out"]),
            ("name: a\nname: b", ["line 2: \"name\"", "twice"]),
            ("runtime: cobol", ["cobol", "accepted"]),
            ("a: [", ["faas.yaml: ", "line"]),
        ] {
            let error = read("faas.yaml", text).expect_err(text).to_string();
            for part in parts {
                assert!(error.contains(part), "{text}: {error}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a-z:\\[\\]{}'\"&*!\\-# \\n]{0,40}") {
            let _ = read("faas.yaml", &text);
        }
    }
}
