//! The schemas say what the types do.

use super::components;
use crate::{AliasBody, ExecuteBody, FunctionBody, InvokeBody, RollbackBody, SeedFunctionBody};
use faas_types::{Contract, ExecutionId, ExecutionRecord, Language};
use serde_json::{Value, json};

fn properties(name: &str) -> Vec<String> {
    let components = components();
    components[name]["properties"].as_object().expect("an object's schema").keys().cloned().collect()
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(value: &Value, names: &mut Vec<String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| match value.as_str() {
                Some(target) if key == "$ref" => names.push(target.to_owned()),
                _ => walk(value, names),
            }),
            Value::Array(values) => values.iter().for_each(|value| walk(value, names)),
            _ => {}
        }
    }
    let components = components();
    let mut names = Vec::new();
    components.values().for_each(|schema| walk(schema, &mut names));
    assert!(!names.is_empty());
    for name in names {
        let name = name.strip_prefix("#/components/schemas/").expect("a component");
        assert!(components.contains_key(name), "{name}");
    }
}

#[test]
fn a_record_has_exactly_the_fields_of_its_schema() {
    let mut record = ExecutionRecord::queued(ExecutionId::generate(), Some(Language::Python), Contract::Script, "fake");
    record.labels.insert("team".to_owned(), "a".to_owned());
    record.refusal = Some(String::new());
    record.stdout_base64 = Some(String::new());
    record.stderr_base64 = Some(String::new());
    let value = serde_json::to_value(&record).expect("a record is JSON");
    let mut fields: Vec<String> = value.as_object().expect("an object").keys().cloned().collect();
    fields.sort();
    let mut documented = properties("Execution");
    documented.sort();
    assert_eq!(fields, documented);
}

#[test]
fn requests_take_exactly_the_fields_of_their_schemas() {
    type Read = fn(&[u8]) -> Option<String>;
    let execute: Read = |body| ExecuteBody::from_json(body).err().map(|error| error.to_string());
    let resources: Read = |body| {
        let body = format!(r#"{{"code": "x", "resources": {}}}"#, String::from_utf8_lossy(body));
        ExecuteBody::from_json(body.as_bytes()).err().map(|error| error.to_string())
    };
    let invoke: Read = |body| InvokeBody::from_json(body).err().map(|error| error.to_string());
    let function: Read = |body| FunctionBody::from_json(body).err().map(|error| error.to_string());
    let scaling: Read = |body| {
        let body = format!(r#"{{"scaling": {}}}"#, String::from_utf8_lossy(body));
        FunctionBody::from_json(body.as_bytes()).err().map(|error| error.to_string())
    };
    let rollback: Read = |body| RollbackBody::from_json(body).err().map(|error| error.to_string());
    let alias: Read = |body| AliasBody::from_json(body).err().map(|error| error.to_string());
    let seed: Read = |body| SeedFunctionBody::from_json(body).err().map(|error| error.to_string());
    for (name, read) in [
        ("SeedFunctionRequest", seed),
        ("ExecutionRequest", execute),
        ("Resources", resources),
        ("InvokeRequest", invoke),
        ("FunctionRequest", function),
        ("FunctionPatch", function),
        ("Scaling", scaling),
        ("RollbackRequest", rollback),
        ("AliasRequest", alias),
    ] {
        let refusal = read(br#"{"nobody_knows": 1}"#).expect("an unknown field");
        let (_, accepted) = refusal.split_once("accepted: ").expect("the accepted names");
        let mut accepted: Vec<&str> = accepted.split(", ").collect();
        accepted.sort_unstable();
        let mut documented = properties(name);
        documented.sort();
        assert_eq!(accepted, documented, "{name}");
        for field in documented {
            let body = json!({field.clone(): null}).to_string();
            let refusal = read(body.as_bytes()).unwrap_or_default();
            assert!(!refusal.contains("unknown field"), "{field}: {refusal}");
        }
    }
}
