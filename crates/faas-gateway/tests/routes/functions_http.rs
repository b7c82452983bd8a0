//! Functions asked over HTTP.

use crate::harness::{House, hex, printing};
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

async fn create(house: &House, body: Value) {
    let answer = house.post("/api/v1/functions", &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
}

#[tokio::test]
async fn the_answer_is_the_functions_own() {
    let house = House::new().await;
    create(&house, json!({"name": "echo", "code": "answer-echo\n"})).await;
    let here = "/api/v1/functions/echo/http";
    for path in [here, "/api/v1/functions/echo/http/", "/api/v1/functions/echo@1/http/deep/er?a=b"] {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let request = Request::builder().method(method).uri(path).body(Body::from("not json"));
            let answer = house.ask(request.expect("a request")).await;
            assert_eq!((answer.status.as_u16(), answer.text().as_str()), (201, "not json"), "{method} {path}");
            let asked = if path.ends_with("a=b") { "/deep/er?a=b" } else { "/?" };
            assert_eq!(answer.header("x-asked").trim_end(), format!("{method} {asked}"), "{path}");
            assert!(answer.header("x-faas-execution-id").starts_with("exe_"));
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
            assert!(answer.header("content-security-policy").starts_with("sandbox"));
        }
    }
    assert_eq!(house.get("/api/v1/functions/echo/http/x").await.status, 201);
    let none = house.get("/api/v1/functions/nobody/http/x").await;
    assert_eq!(none.problem(), (404, "function_not_found".to_owned()));
}

#[tokio::test]
async fn a_long_answer_is_streamed_whole() {
    let house = House::new().await;
    create(&house, json!({"name": "flood", "code": "answer-flood 3000000\n"})).await;
    let answer = house.get("/api/v1/functions/flood/http").await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 3_000_000));
}

#[tokio::test]
async fn a_failure_is_told_with_its_kind() {
    let house = House::new().await;
    for (name, code, more, status, kind) in [
        ("raises", "raise\n", json!({}), 500, "user_error"),
        ("sleeps", "sleep\n", json!({"timeout_ms": 20}), 504, "timeout"),
        ("exits", "print 61 62 3\n", json!({}), 500, "user_error"),
        ("silent", "nothing\n", json!({}), 500, "user_error"),
        ("fails", "print 61 62 3\n", json!({"contract": "script"}), 500, "user_error"),
    ] {
        let mut body = json!({"name": name, "code": code});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        create(&house, body).await;
        let answer = house.get(&format!("/api/v1/functions/{name}/http")).await;
        assert_eq!((answer.status.as_u16(), answer.header("x-faas-error-kind")), (status, kind), "{name}");
        let failed = answer.json();
        assert_eq!(failed["error_kind"], kind);
        assert!(!failed["error"].as_str().expect("a reason").is_empty(), "{name}");
        let id = failed["execution_id"].as_str().expect("an id");
        assert_eq!(house.reaches(id, |state| state.is_terminal()).await["error_kind"], kind, "{name}");
    }
}

#[tokio::test]
async fn programs_that_answer_no_requests_answer_with_what_they_write() {
    let house = House::new().await;
    let script = printing(b"hello\n", b"", 0);
    create(&house, json!({"name": "script", "contract": "script", "code": script})).await;
    let answer = house.get("/api/v1/functions/script/http").await;
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, "hello\n"));
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    create(&house, json!({"name": "echo", "contract": "script", "code": "echo\n"})).await;
    let answer = house.post_with("/api/v1/functions/echo/http", &[], vec![0xff, 0]).await;
    assert_eq!((answer.status.as_u16(), answer.body), (200, vec![0xff, 0]));
    create(&house, json!({"name": "args", "contract": "argv-json", "code": "arguments 0\n"})).await;
    let answer = house.post_with("/api/v1/functions/args/http", &[], "{\"a\": [1]}").await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"a": [1]})));
    let refused = house.post_with("/api/v1/functions/args/http", &[], "{").await;
    assert_eq!(refused.problem(), (400, "invalid_json".to_owned()));
    let line = format!("print {} {} 0\n", hex(b"{\"error\": \"mine\"}"), hex(b""));
    create(&house, json!({"name": "says", "contract": "argv-json", "code": line})).await;
    let answer = house.get("/api/v1/functions/says/http").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (500, &json!("mine")));
}
