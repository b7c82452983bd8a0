//! Changing what is shown of a function by a JSON merge patch (RFC 7396).

use super::FunctionBody;
use crate::BodyError;
use serde_json::{Map, Value};

/// Names of one thing at one place: a patch that uses one of them means all of them.
const SAME: [(&[&str], &[&str]); 6] = [
    (&[], &["timeout", "timeout_ms"]),
    (&["resources"], &["cpu", "cpu_cores"]),
    (&["resources"], &["memory", "memory_mb"]),
    (&["resources"], &["disk", "disk_mb"]),
    (&["scaling"], &["idle_ttl", "idle_ttl_ms"]),
    // Whoever sends source anew sends all of it.
    (&[], &["code", "module"]),
];

/// Members whose own members have names of the user's choice, each of which a patch may remove.
const OPEN: [&str; 2] = ["files", "env"];

/// Reads a patch, each of whose members is one that a function may have.
///
/// # Errors
/// Names the field and what is accepted.
pub fn read_patch(body: &[u8]) -> Result<Value, BodyError> {
    let patch = serde_json::from_slice(body).map_err(|error| BodyError::Json { reason: error.to_string() });
    match (FunctionBody::from_json(body), patch) {
        (Ok(_), patch) => patch,
        // What a patch removes has no value that could be judged.
        (Err(refused), Ok(patch)) => match without_removed(&patch) {
            Some(rest) => FunctionBody::from_json(rest.to_string().as_bytes()).map(|_| patch),
            None => Err(refused),
        },
        (Err(refused), Err(_)) => Err(refused),
    }
}

/// The patch without what it removes from open members; `None` where it removes nothing there.
fn without_removed(patch: &Value) -> Option<Value> {
    let mut rest = patch.clone();
    let mut removes = false;
    for name in OPEN {
        let Some(members) = rest.get_mut(name).and_then(Value::as_object_mut) else { continue };
        let before = members.len();
        members.retain(|_, value| !value.is_null());
        removes |= members.len() < before;
        for member in members.values_mut().filter_map(Value::as_object_mut) {
            let before = member.len();
            member.retain(|_, value| !value.is_null());
            removes |= member.len() < before;
        }
    }
    removes.then_some(rest)
}

/// What is shown, changed by a patch.
#[must_use]
pub fn merge(mut shown: Value, patch: Value) -> Value {
    for (place, names) in SAME {
        if let (Some(shown), Some(patch)) = (at_mut(&mut shown, place), at(&patch, place))
            && names.iter().any(|name| patch.contains_key(*name))
        {
            names.iter().for_each(|name| drop(shown.remove(*name)));
        }
    }
    if let (Some(shown), Some(patch)) = (shown.as_object_mut(), patch.as_object()) {
        let sends = |name: &str| patch.get(name).is_some_and(|value| !value.is_null());
        if sends("code") || sends("module") {
            shown.remove("files");
            shown.remove("main");
        }
        if sends("files") {
            shown.remove("code");
            shown.remove("module");
        }
    }
    apply(&mut shown, patch);
    shown
}

fn at<'a>(value: &'a Value, place: &[&str]) -> Option<&'a Map<String, Value>> {
    place.iter().try_fold(value, |value, name| value.get(name))?.as_object()
}

fn at_mut<'a>(value: &'a mut Value, place: &[&str]) -> Option<&'a mut Map<String, Value>> {
    place.iter().try_fold(value, |value, name| value.get_mut(name))?.as_object_mut()
}

/// RFC 7396, section 2.
fn apply(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(target) = target.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(&name);
        } else {
            apply(target.entry(name).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{merge, read_patch};
    use serde_json::{Value, json};

    #[test]
    fn the_examples_of_the_standard() {
        // RFC 7396, appendix A, those whose document is an object.
        for (target, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
            (json!({"a": "foo"}), Value::Null, Value::Null),
            (json!({"a": "foo"}), json!("bar"), json!("bar")),
        ] {
            assert_eq!(merge(target, patch), result);
        }
    }

    #[test]
    fn a_patch_may_use_the_other_name_of_what_is_shown() {
        let shown =
            json!({"timeout_ms": 1000, "resources": {"memory_mb": 256, "pids": 64}, "scaling": {"idle_ttl_ms": 5}});
        let patch = json!({"timeout": "5s", "resources": {"memory": "1Gi"}, "scaling": {"idle_ttl": 2}});
        let merged = json!({"timeout": "5s", "resources": {"memory": "1Gi", "pids": 64}, "scaling": {"idle_ttl": 2}});
        assert_eq!(merge(shown, patch), merged);
    }

    #[test]
    fn a_patch_may_remove_a_file_a_variable_and_the_other_form_of_a_content() {
        let patch = json!({"files": {"a": null, "b": {"text": null, "base64": "/w=="}}, "env": {"A": null, "B": "c"}});
        let read = read_patch(patch.to_string().as_bytes()).expect("a patch");
        assert_eq!(read, patch);
        let shown = json!({"files": {"a": "1", "b": {"text": "2"}}, "env": {"A": "1"}});
        assert_eq!(merge(shown, read), json!({"files": {"b": {"base64": "/w=="}}, "env": {"B": "c"}}));
        for (patch, field) in [
            (json!({"files": {"a": null, "b": 7}}), Some("files")),
            (json!({"env": {"A": null}, "nobody": 1}), Some("nobody")),
            (json!({"env": {"A": 7}}), Some("env")),
            (json!([]), None),
        ] {
            let refused = read_patch(patch.to_string().as_bytes()).expect_err("refused");
            assert_eq!(refused.field_name(), field, "{patch}");
        }
    }

    #[test]
    fn source_is_replaced_by_source() {
        let files = json!({"files": {"main.py": "1", "lib.py": "2"}, "main": "main.py"});
        assert_eq!(merge(files.clone(), json!({"code": "3"})), json!({"code": "3"}));
        assert_eq!(merge(json!({"code": "3"}), json!({"files": {"main.py": "4"}})), json!({"files": {"main.py": "4"}}));
        let one = json!({"files": {"main.py": "1", "lib.py": "5"}, "main": "main.py"});
        assert_eq!(merge(files, json!({"files": {"lib.py": "5"}})), one, "files are merged by their paths");
    }
}
