use super::{ArgvJsonError, MAX_RESULT_BYTES, MAX_RESULT_DEPTH, argv_json, error_message};
use faas_types::{Contract, ExecutionId, ExecutionRecord};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn found(text: &str) -> Value {
    argv_json(text.as_bytes(), false).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

#[test]
fn the_last_document_is_the_result() {
    for (text, result) in [
        ("{\"a\":1}", json!({"a": 1})),
        ("{\"a\":1}\n", json!({"a": 1})),
        ("{\"a\":1}\r\n\n\n", json!({"a": 1})),
        ("starting\n{\"a\":1}\n", json!({"a": 1})),
        ("{\"a\":1}\n{\"b\":2}\n", json!({"b": 2})),
        ("{\"a\":1}{\"b\":2} {\"c\":3}\n", json!({"c": 3})),
        ("{\n  \"a\": [\n    1\n  ]\n}\ndone\n", json!({"a": [1]})),
        ("{\"a\":1}\ntrailing garbage", json!({"a": 1})),
        ("{\"a\":1}\n{\"b\":2} trailing", json!({"a": 1})),
        ("{\"a\":1}\n{\"b\":", json!({"a": 1})),
        ("{\"a\":1}\nNaN\n", json!({"a": 1})),
        ("{\"a\":1}\n42 files\n", json!({"a": 1})),
        ("[INFO] up\n\"text\"\n", json!("text")),
        ("null", Value::Null),
        ("{\"error\":null}", json!({"error": null})),
        // The inner lines of a document that never ends are not documents.
        ("7\n[\n  {\"a\":1}\n", json!(7)),
    ] {
        assert_eq!(found(text), result, "{text:?}");
    }
}

#[test]
fn no_document_is_an_error() {
    for text in ["", "\n", "hello", "{\"a\":1} x", "{'a': 1}", "\u{0}", "  {\"indented\":1}", "{\"a\":"] {
        assert_eq!(argv_json(text.as_bytes(), false), Err(ArgvJsonError::NoDocument), "{text:?}");
    }
    assert_eq!(argv_json(&[0xff, 0xfe, b'\n', b'{'], false), Err(ArgvJsonError::NoDocument));
}

#[test]
fn a_document_that_cannot_be_read_is_named_as_such() {
    for text in [r#"{"f": "\udcff"}"#, r#"{"f": 1e999}"#] {
        assert_eq!(argv_json(text.as_bytes(), false), Err(ArgvJsonError::Invalid), "{text}");
    }
}

fn nested(levels: usize) -> String {
    (0..levels).rev().fold("1".to_owned(), |inner, level| match level % 2 {
        0 => format!("[{inner}]"),
        _ => format!("{{\"a\":{inner}}}"),
    })
}

#[test]
fn a_document_may_be_so_deep_and_no_deeper() {
    assert!(argv_json(nested(MAX_RESULT_DEPTH).as_bytes(), false).is_ok());
    for levels in [MAX_RESULT_DEPTH + 1, 120, 127] {
        let refused = argv_json(nested(levels).as_bytes(), false);
        assert_eq!(refused, Err(ArgvJsonError::Invalid), "{levels} levels");
    }
}

#[test]
fn of_cut_output_only_a_document_at_the_very_end_counts() {
    assert_eq!(argv_json(b"end of a line\n{\"a\":1}\n", true), Ok(json!({"a": 1})));
    // What looks like a document may be the inside of one that began before the cut.
    assert_eq!(argv_json(b"2,\n{\"a\":1}\n]\n", true), Err(ArgvJsonError::Cut));
    assert_eq!(argv_json(b"{\"a\":1}", true), Err(ArgvJsonError::Cut));
}

#[test]
fn an_error_that_is_not_null_is_a_message() {
    assert_eq!(error_message(&json!({"error": "bad"})).as_deref(), Some("bad"));
    assert_eq!(error_message(&json!({"error": {"code": 1}})).as_deref(), Some("{\"code\":1}"));
    assert_eq!(error_message(&json!({"error": false})).as_deref(), Some("false"));
    assert_eq!(error_message(&json!({"error": null})), None);
    assert_eq!(error_message(&json!({"ok": true})), None);
    assert_eq!(error_message(&json!(["error"])), None);
}

#[test]
fn brackets_that_never_close_do_not_buy_time() {
    let mut text = "[\n".repeat(120);
    text.push_str(&"[1],\n".repeat((MAX_RESULT_BYTES - text.len()) / 5));
    let begin = Instant::now();
    assert_eq!(argv_json(text.as_bytes(), false), Err(ArgvJsonError::Unreadable));
    assert_eq!(argv_json("[".repeat(MAX_RESULT_BYTES).as_bytes(), false), Err(ArgvJsonError::NoDocument));
    // Generous for a debug build on a busy machine; without the budget it takes fifteen times as long.
    assert!(begin.elapsed() < Duration::from_secs(20));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512), cut: bool) {
        drop(argv_json(&bytes, cut));
    }

    #[test]
    fn any_jumble_of_json_parts_is_read_without_panic(
        parts in proptest::collection::vec(
            prop_oneof!["\\{", "\\}", "\\[", "\\]", "\"", ":", ",", "\n", " ", "1", "null", "x", "\\\\"], 0..64),
        cut: bool,
    ) {
        drop(argv_json(parts.concat().as_bytes(), cut));
    }

    /// What is taken for a result can be kept in a record and read back.
    #[test]
    fn a_result_survives_in_its_record(levels in 0..140_usize) {
        if let Ok(result) = argv_json(nested(levels).as_bytes(), false) {
            let record = ExecutionRecord::queued(ExecutionId::generate(), None, Contract::ArgvJson, "fake");
            let record = ExecutionRecord { result: Some(result), ..record };
            let json = serde_json::to_vec(&record).expect("json");
            prop_assert_eq!(serde_json::from_slice::<ExecutionRecord>(&json).expect("it reads back"), record);
        }
    }

    #[test]
    fn a_document_after_noise_is_found(noise in "([a-z ]{0,20}\n){0,10}", number: i64) {
        let text = format!("{noise}{{\"n\":{number}}}\n");
        prop_assert_eq!(argv_json(text.as_bytes(), false), Ok(json!({"n": number})));
    }
}
