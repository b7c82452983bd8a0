//! `docs/openapi.json` is the document that a server serves, so that whoever changes v1 sees it in
//! review. `FAAS_UPDATE_GOLDEN=1` rewrites it.

use crate::harness::House;
use serde_json::{Map, Value};
use std::fs;
use std::path::Path;

const RENEW: &str = "FAAS_UPDATE_GOLDEN=1 cargo test -p faas-gateway --test routes golden";

#[tokio::test]
async fn the_document_is_the_one_in_docs() {
    let served = sorted(House::new().await.document);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let text = format!("{served:#}\n");
    if std::env::var_os("FAAS_UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        fs::write(&path, text).expect("docs/openapi.json is writable");
        return;
    }
    let golden = fs::read_to_string(&path).expect("docs/openapi.json is readable");
    let mut differences = Vec::new();
    compare("", &serde_json::from_str(&golden).expect("docs/openapi.json is JSON"), &served, &mut differences);
    assert!(
        golden == text,
        "API v1 is not what docs/openapi.json says:\n{}\n\
         v1 is frozen: requests stay as strict as they are, answers may gain fields and values of enumerations. \
         When the change is one of these and meant, renew the file with {RENEW}",
        differences.join("\n"),
    );
}

#[test]
fn every_kind_of_difference_is_named_by_its_place() {
    let before = serde_json::json!({"a": {"b/c": 1}, "gone": null, "list": [1, 2]});
    let after = serde_json::json!({"a": {"b/c": 2}, "list": [1], "new": true});
    let mut differences = Vec::new();
    compare("", &before, &after, &mut differences);
    assert_eq!(
        differences,
        ["/a/b~1c: 1 became 2", "/gone: null is gone", "/list: [1,2] became [1]", "/new: true is new"]
    );
    compare("", &before, &before, &mut differences);
    assert_eq!(differences.len(), 4, "{differences:?}");
}

/// The same with the fields of every object in alphabetical order, whatever order the library keeps.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.into_iter().map(|(name, field)| (name, sorted(field))).collect();
            fields.sort_by(|(left, _), (right, _)| left.cmp(right));
            Value::Object(fields.into_iter().collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// Notes each place, as a JSON pointer, at which the two differ.
fn compare(place: &str, before: &Value, after: &Value, differences: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let added = after.keys().filter(|name| !before.contains_key(*name));
            for name in before.keys().chain(added) {
                let place = format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"));
                match (before.get(name), after.get(name)) {
                    (Some(before), Some(after)) => compare(&place, before, after, differences),
                    (Some(before), None) => differences.push(format!("{place}: {before} is gone")),
                    (None, Some(after)) => differences.push(format!("{place}: {after} is new")),
                    (None, None) => {}
                }
            }
        }
        _ if before == after => {}
        _ => differences.push(format!("{place}: {before} became {after}")),
    }
}
