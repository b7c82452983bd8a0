//! Holds answers against the OpenAPI document: the status, the media type, every field.

use crate::harness::Answer;
use serde_json::Value;

/// Fails unless the document describes this answer.
pub(crate) fn hold(document: &Value, method: &str, path: &str, answer: &Answer) {
    let status = answer.status.as_u16();
    let Some((template, methods)) =
        document["paths"].as_object().expect("paths").iter().find(|(template, _)| matches(template, path))
    else {
        assert!(matches!(status, 400 | 403 | 404), "{path} is no documented path and answers {status}");
        return;
    };
    let Some(operation) = methods.get(method.to_ascii_lowercase()) else {
        assert!(matches!(status, 400 | 403 | 405), "{method} {template} is not documented and answers {status}");
        assert!(status != 405 || !answer.header("allow").is_empty(), "405 without Allow");
        return;
    };
    let place = format!("{method} {template} {status}");
    let response = &operation["responses"][status.to_string()];
    let own = &operation["responses"]["default"];
    if own.is_object() && (!response.is_object() || !answer.header("x-faas-execution-id").is_empty()) {
        // A function's own answer is whatever it is.
        return;
    }
    assert!(response.is_object(), "{place} is not documented; {}", String::from_utf8_lossy(&answer.body));
    let media_type = answer.header("content-type").split(';').next().unwrap_or("").trim().to_owned();
    if answer.body.is_empty() && response["content"].is_null() {
        return;
    }
    let content = response["content"].get(&media_type);
    let schema = &content.unwrap_or_else(|| panic!("{place}: {media_type:?} is not documented"))["schema"];
    if media_type.ends_with("json") && !path.ends_with("openapi.json") {
        let body = answer.json();
        if let Err(fault) = check(document, schema, &body) {
            panic!("{place}: {fault}\n{body:#}");
        }
        if let Some(code) = body["code"].as_str().filter(|_| status >= 400) {
            let known = response["x-codes"].as_array().is_some_and(|codes| codes.iter().any(|known| known == code));
            assert!(known, "{place}: the code {code} is not documented");
        }
    }
}

fn matches(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    let is_open = template.last() == Some(&"{path}") && path.len() > template.len();
    (template.len() == path.len() || is_open)
        && template.iter().zip(&path).all(|(template, part)| {
            template.starts_with('{') && (!part.is_empty() || *template == "{path}") || template == part
        })
}

/// The part of JSON Schema that the document's answers use.
pub(crate) fn check(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        let target = document.pointer(name.trim_start_matches('#')).ok_or_else(|| format!("{name} leads nowhere"))?;
        return check(document, target, value);
    }
    for (word, enough) in [("anyOf", 1), ("oneOf", 1)] {
        if let Some(choices) = schema[word].as_array() {
            let faults: Vec<_> = choices.iter().filter_map(|choice| check(document, choice, value).err()).collect();
            if choices.len() - faults.len() < enough || (word == "oneOf" && choices.len() - faults.len() > 1) {
                return Err(format!("{word}: {}", faults.join(" / ")));
            }
        }
    }
    if let Some(wanted) = schema.get("const")
        && wanted != value
    {
        return Err(format!("{value} is not {wanted}"));
    }
    if let Some(accepted) = schema["enum"].as_array()
        && !accepted.contains(value)
    {
        return Err(format!("{value} is none of {accepted:?}"));
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = |wanted: &Value| *wanted == kind || (*wanted == "number" && kind == "integer");
    match &schema["type"] {
        Value::Null => {}
        Value::Array(kinds) if kinds.iter().any(fits) => {}
        wanted if fits(wanted) => {}
        wanted => return Err(format!("{value} is not of type {wanted}")),
    }
    for item in value.as_array().into_iter().flatten() {
        check(document, &schema["items"], item)?;
    }
    let Some(object) = value.as_object().filter(|_| schema["type"] == "object") else { return Ok(()) };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !object.contains_key(name) {
            return Err(format!("{name} is missing"));
        }
    }
    for (name, field) in object {
        match (schema["properties"].get(name), &schema["additionalProperties"]) {
            (Some(property), _) => check(document, property, field).map_err(|fault| format!("{name}: {fault}"))?,
            (None, Value::Bool(false)) => return Err(format!("the field {name} is not documented")),
            (None, other) => check(document, other, field).map_err(|fault| format!("{name}: {fault}"))?,
        }
    }
    Ok(())
}
