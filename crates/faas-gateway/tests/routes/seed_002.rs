//! Seed 002's route, with the seed's own bodies (row 93).

use crate::harness::House;
use axum::body::Body;
use serde_json::{Value, json};

const INVOKE: &str = "/functions/my-function/invoke";

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[tokio::test]
async fn a_command_runs_as_printed() {
    let house = House::new().await;
    let body = json!({
        "image": "ignored-for-firecracker",
        "command": ["/usr/bin/fake", "environment"],
        "env_vars": ["VAR1=value1", "VAR2=value2"],
        "payload": [],
    });
    let answer = house.post(INVOKE, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json(), json!({"stdout": "VAR1=value1\nVAR2=value2\n", "stderr": "", "error": null}));
    let body = json!({"command": ["/usr/bin/fake", "echo"], "payload": [104, 105]});
    assert_eq!(house.post(INVOKE, &body).await.json(), json!({"stdout": "hi", "stderr": "", "error": null}));
}

#[tokio::test]
async fn a_failing_command_is_200_with_an_error() {
    let house = House::new().await;
    for command in
        [json!(["/usr/bin/fake", "print", "6f", "65", "3"]), json!(["/no/such"]), json!(["/usr/bin/fake", "kill", "9"])]
    {
        let answer = house.post(INVOKE, &json!({"command": command})).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let body = answer.json();
        assert_eq!(keys(&body), ["error", "stderr", "stdout"]);
        assert!(body["error"].is_string(), "{body}");
    }
}

#[tokio::test]
async fn what_runs_too_long_is_504() {
    let house = House::new().await;
    tokio::time::pause();
    let answer = house.post(INVOKE, &json!({"command": ["/usr/bin/fake", "sleep"]})).await;
    assert_eq!((answer.status.as_u16(), keys(&answer.json())), (504, vec!["error"]));
}

/// Row 93.
#[tokio::test]
async fn a_body_that_means_nothing_is_400() {
    let house = House::new().await;
    let bodies = [
        json!({"command": ["x"], "payload": [256]}),
        json!({"command": ["x"], "payload": [-1]}),
        json!({"command": ["x"], "payload": ["a"]}),
        json!({"command": ["x"], "env_vars": ["NOEQUALS"]}),
        json!({"command": ["x"], "env_vars": ["=x"]}),
        json!({"command": []}),
        json!({"command": [""]}),
        json!({}),
        json!({"command": ["x"], "image": "../.."}),
        json!({"command": ["x"], "code": "y"}),
        json!({"command": ["x\u{0}"]}),
    ];
    for body in bodies {
        let answer = house.post(INVOKE, &body).await;
        assert_eq!((answer.status.as_u16(), keys(&answer.json())), (400, vec!["error"]), "{body}");
        assert_eq!(answer.header("content-type"), "application/json");
    }
    let answer = house.post_with(INVOKE, &[], "not json").await;
    assert_eq!((answer.status.as_u16(), keys(&answer.json())), (400, vec!["error"]));
    let answer = house.post_with(INVOKE, &[("content-type", "text/plain")], Body::empty()).await;
    assert_eq!((answer.status.as_u16(), keys(&answer.json())), (415, vec!["error"]));
}

#[tokio::test]
async fn a_key_is_honoured_and_an_unknown_parameter_is_refused() {
    let house = House::new().await;
    let body = json!({"command": ["/usr/bin/fake", "environment"], "env_vars": ["A=b"]}).to_string();
    let key = [("idempotency-key", "k")];
    for _ in 0..2 {
        let answer = house.post_with(INVOKE, &key, body.clone()).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["stdout"]), (200, &json!("A=b\n")));
    }
    assert_eq!(house.get("/api/v1/executions").await.json()["items"].as_array().expect("items").len(), 1);
    for (path, headers, wanted) in [
        ("/functions/other/invoke", &key[..], 409),
        ("/functions/my-function/invoke?async=true", &[], 400),
        (INVOKE, &[("idempotency-key", "a b")], 400),
    ] {
        let answer = house.post_with(path, headers, body.clone()).await;
        assert_eq!((answer.status.as_u16(), keys(&answer.json())), (wanted, vec!["error"]), "{path}");
    }
}
