//! JSON Schema (2020-12, as OpenAPI 3.1 takes it) of every body, by name.
//!
//! Written next to the types and held to them by tests: every field of a serialised answer is in its
//! schema, and every field a request takes is in its schema.

mod answer;
mod execution;
mod function;
mod request;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

/// Every schema by its name, for `components.schemas`.
#[must_use]
pub fn components() -> Map<String, Value> {
    [request::all(), execution::all(), function::all(), answer::all()]
        .into_iter()
        .flatten()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect()
}

/// A reference to one of [`components`].
#[must_use]
pub fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// An object whose properties are all there and are all there is.
fn exact(description: &str, properties: Value, optional: &[&str]) -> Value {
    let required: Vec<&str> = properties
        .as_object()
        .map(|map| map.keys().map(String::as_str).filter(|name| !optional.contains(name)).collect())
        .unwrap_or_default();
    json!({
        "type": "object",
        "description": description,
        "required": required,
        "properties": properties,
        "additionalProperties": false,
    })
}

fn text(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

fn text_or_null(description: &str) -> Value {
    json!({"type": ["string", "null"], "description": description})
}

fn count(description: &str) -> Value {
    json!({"type": "integer", "minimum": 0, "description": description})
}

fn flag(description: &str) -> Value {
    json!({"type": "boolean", "description": description})
}

fn one_of_names(names: &[&str], description: &str) -> Value {
    json!({"type": "string", "enum": names, "description": description})
}

/// The same schema with `null` beside it.
fn or_null(schema: Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}
