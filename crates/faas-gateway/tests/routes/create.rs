//! Executions that are asked for: waited for, detached, repeated, cancelled, left.

use crate::harness::{House, printing, within};
use axum::body::Body;
use axum::http::Request;
use faas_executor_api::fake::FakeHost;
use faas_gateway::HttpLimits;
use faas_types::ExecutionState;
use serde_json::{Value, json};

const EXECUTIONS: &str = "/api/v1/executions";

#[tokio::test]
async fn an_execution_runs_under_every_name_of_the_route() {
    let house = House::new().await;
    for path in [EXECUTIONS, "/api/v1/execute", "/execute"] {
        let answer = house.post(path, &json!({"code": printing(b"hello\n", b"", 0), "language": "python"})).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let record = answer.json();
        assert_eq!(
            (&record["status"], &record["stdout"], &record["exit_code"]),
            (&json!("succeeded"), &json!("hello\n"), &json!(0))
        );
        assert_eq!(
            (&record["language"], &record["contract"], &record["mode"]),
            (&json!("python"), &json!("script"), &json!("ephemeral"))
        );
        let again = house.get(&format!("{EXECUTIONS}/{}", record["id"].as_str().expect("an id"))).await;
        assert_eq!((again.status.as_u16(), &again.json()["stdout"]), (200, &json!("hello\n")));
    }
}

#[tokio::test]
async fn a_failing_program_is_a_result() {
    let house = House::new().await;
    let answer = house.post(EXECUTIONS, &json!({"code": printing(b"", b"no\n", 3)})).await;
    assert_eq!(answer.status, 200);
    let record = answer.json();
    assert_eq!(
        (&record["status"], &record["error_kind"], &record["exit_code"]),
        (&json!("failed"), &json!("user_error"), &json!(3))
    );
    let answer = house.post(EXECUTIONS, &json!({"code": "sleep", "timeout_ms": 20})).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error_kind"]), (200, &json!("timeout")));
}

#[tokio::test]
async fn every_field_arrives() {
    let house = House::new().await;
    let command = |more: Value| {
        let mut body = json!({"command": ["/usr/bin/fake", "environment"]});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        body
    };
    let record = house.post(EXECUTIONS, &command(json!({"env": {"A": "1"}, "labels": {"team": "a"}}))).await.json();
    assert_eq!(
        (&record["stdout"], &record["labels"]["team"], &record["contract"]),
        (&json!("A=1\n"), &json!("a"), &json!("command"))
    );
    let record = house.post(EXECUTIONS, &command(json!({"env": ["B=2"]}))).await.json();
    assert_eq!(record["stdout"], "B=2\n");
    for stdin in [json!("hi"), json!([104, 105]), json!({"base64": "aGk="})] {
        let record = house.post(EXECUTIONS, &json!({"code": "echo", "payload": stdin})).await.json();
        assert_eq!(record["stdout"], "hi");
    }
    let body = json!({"command": ["/usr/bin/fake", "read", "a/b.txt"], "files": {"a/b.txt": "inside"}});
    assert_eq!(house.post(EXECUTIONS, &body).await.json()["stdout"], "inside");
    let body = json!({"code": "arguments 0", "args": ["one", "two"]});
    assert_eq!(house.post(EXECUTIONS, &body).await.json()["stdout"], "one\ntwo\n");
    let body = json!({"code": "arguments 0", "contract": "argv-json", "input": {"a": 1}});
    assert_eq!(house.post(EXECUTIONS, &body).await.json()["result"], json!({"a": 1}));
    let body = json!({"code": "environment", "input": [1]});
    assert_eq!(house.post(EXECUTIONS, &body).await.json()["stdout"], "FAAS_INPUT=[1]\n");
    let body = json!({"code": "flood 4096 0", "output_limit": "1024B", "on_output_limit": "kill"});
    assert_eq!(house.post(EXECUTIONS, &body).await.json()["error_kind"], "limit");
    let bytes = house.post(EXECUTIONS, &json!({"code": printing(&[0xff, 0xfe], b"", 0)})).await.json();
    assert_eq!((&bytes["stdout"], &bytes["stdout_base64"]), (&json!("\u{fffd}\u{fffd}"), &json!("//4=")));
}

#[tokio::test]
async fn what_cannot_be_done_here_is_422_and_names_its_code() {
    let house = House::new().await;
    let cases = [
        (json!({"code": "x", "language": "cobol"}), "unknown_language"),
        (json!({"code": "x", "language": "javascript"}), "runtime_missing"),
        (json!({"code": "x", "resources": {"memory": "64Gi"}}), "resources_above_host"),
        (json!({"code": "x", "executor": "docker"}), "field_unsupported"),
        (json!({"code": "x", "mode": "persistent"}), "field_unsupported"),
        (json!({"function": "resize"}), "function_not_found"),
        (json!({"code": "x", "network": {"egress": []}}), "field_unsupported"),
        (json!({"command": ["/no/such"]}), "command_not_found"),
    ];
    for (body, code) in cases {
        assert_eq!(house.post(EXECUTIONS, &body).await.problem(), (422, code.to_owned()), "{body}");
    }
    let body = json!({"code": printing(b"", b"", 0), "executor": "auto", "network": "none", "keep_ms": 0});
    assert_eq!(house.post(EXECUTIONS, &body).await.status, 200);
}

#[tokio::test]
async fn a_detached_execution_is_accepted_and_ends() {
    let house = House::new().await;
    let body = json!({"code": printing(b"later", b"", 0), "wait": false});
    let answer = house.post(EXECUTIONS, &body).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (202, &json!("queued")));
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(answer.header("location"), format!("{EXECUTIONS}/{id}"));
    let record = house.reaches(&id, ExecutionState::is_terminal).await;
    assert_eq!((&record["status"], &record["stdout"]), (&json!("succeeded"), &json!("later")));
    let body = json!({"code": "x", "wait": false, "on_disconnect": "cancel"});
    assert_eq!(house.post(EXECUTIONS, &body).await.problem(), (400, "invalid_field".to_owned()));
}

/// Row 88.
#[tokio::test]
async fn a_key_is_done_once_and_conflicts_with_another_body() {
    let house = House::new().await;
    let body = json!({"code": printing(b"once", b"", 0)}).to_string();
    let key = [("idempotency-key", "k-1")];
    let together = (0..6).map(|_| house.post_with(EXECUTIONS, &key, body.clone()));
    let answers = futures_util::future::join_all(together).await;
    let first = answers[0].json();
    for answer in &answers {
        assert_eq!((answer.status.as_u16(), answer.json()), (200, first.clone()));
    }
    assert_eq!(house.get(EXECUTIONS).await.json()["items"].as_array().expect("items").len(), 1);

    let other = json!({"code": printing(b"twice", b"", 0)}).to_string();
    assert_eq!(house.post_with(EXECUTIONS, &key, other).await.problem(), (409, "idempotency_conflict".to_owned()));
    assert_eq!(house.post_with("/execute", &key, body).await.json(), first, "another path of the same operation");

    let detached = json!({"code": printing(b"", b"", 0), "wait": false}).to_string();
    let key = [("idempotency-key", "k-2")];
    let one = house.post_with(EXECUTIONS, &key, detached.clone()).await;
    let two = house.post_with(EXECUTIONS, &key, detached).await;
    assert_eq!((one.status.as_u16(), two.status.as_u16(), &one.json()["id"]), (202, 202, &two.json()["id"]));

    let long = "k".repeat(256);
    for wrong in ["", "a b", &long] {
        let answer = house.post_with(EXECUTIONS, &[("idempotency-key", wrong)], "{}").await;
        assert_eq!(answer.problem(), (400, "invalid_field".to_owned()));
    }
}

#[tokio::test]
async fn whoever_gives_a_key_may_go_away_and_come_back() {
    let house = House::new().await;
    for (key, policy, end) in [("k-1", json!(null), "running"), ("k-2", json!("cancel"), "cancelled")] {
        let body = json!({"code": "wait-for-signal", "on_disconnect": policy, "labels": {"key": key}}).to_string();
        let request = Request::post(EXECUTIONS)
            .header("host", "localhost")
            .header("content-type", "application/json")
            .header("idempotency-key", key)
            .body(Body::from(body))
            .expect("a request");
        let calling = tokio::spawn(tower::ServiceExt::oneshot(house.router.clone(), request));
        let listed = format!("{EXECUTIONS}?label=key%3D{key}&status=running");
        let id = within("running execution", async {
            loop {
                let page = house.get(&listed).await.json();
                if let Some(id) = page["items"][0]["id"].as_str() {
                    return id.to_owned();
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
        calling.abort();
        drop(calling.await);
        if end == "running" {
            assert_eq!(house.get(&format!("{EXECUTIONS}/{id}")).await.json()["status"], end);
            house.post_with(&format!("{EXECUTIONS}/{id}/cancel"), &[], Body::empty()).await;
        }
        let record = house.reaches(&id, ExecutionState::is_terminal).await;
        let by_caller = record["error"].as_str().expect("a reason").contains("cancelled by the caller");
        assert_eq!(by_caller, end == "running", "{record}");
    }
}

/// Above what is read in place.
#[tokio::test]
async fn a_large_body_is_read_like_a_small_one() {
    let house = House::new().await;
    let body = json!({"code": "echo", "stdin": "x".repeat(3 << 20)});
    let record = house.post(EXECUTIONS, &body).await.json();
    assert_eq!((&record["status"], &record["stdout_bytes"]), (&json!("succeeded"), &json!(3 << 20)));
    let body = format!("{}{{", " ".repeat(3 << 20));
    assert_eq!(house.post_with(EXECUTIONS, &[], body).await.problem(), (400, "invalid_json".to_owned()));
}

#[tokio::test]
async fn an_execution_is_cancelled_wherever_it_stands() {
    let house = House::with(|settings| settings.concurrency = 1, HttpLimits::default(), FakeHost::default()).await;
    let running = house.detach("sleep").await;
    house.reaches(&running, |state| state == ExecutionState::Running).await;
    let queued = house.detach("sleep").await;
    for id in [&queued, &running] {
        let answer = house.post_with(&format!("{EXECUTIONS}/{id}/cancel"), &[], Body::empty()).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (202, format!("{EXECUTIONS}/{id}").as_str()));
        let record = house.reaches(id, ExecutionState::is_terminal).await;
        assert_eq!((&record["status"], &record["error_kind"]), (&json!("cancelled"), &json!("cancelled")));
        let again = house.post_with(&format!("{EXECUTIONS}/{id}/cancel"), &[], Body::empty()).await;
        assert_eq!(again.problem(), (409, "execution_finished".to_owned()));
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_cancels_unless_it_detached() {
    let house = House::new().await;
    for (policy, end) in [(json!("cancel"), ExecutionState::Cancelled), (json!("detach"), ExecutionState::Succeeded)] {
        let marker = policy.as_str().expect("a policy").to_owned();
        let code = if end == ExecutionState::Cancelled { "sleep" } else { "wait-for-signal" };
        let body = json!({"code": code, "on_disconnect": policy, "labels": {"policy": marker}, "timeout_ms": 60_000});
        let request = Request::post(EXECUTIONS)
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()))
            .expect("a request");
        let calling = tokio::spawn({
            let router = house.router.clone();
            async move { tower::ServiceExt::oneshot(router, request).await }
        });
        let listed = format!("{EXECUTIONS}?label=policy%3D{marker}&status=running");
        let id = within("running execution", async {
            loop {
                let page = house.get(&listed).await.json();
                if let Some(id) = page["items"][0]["id"].as_str() {
                    return id.to_owned();
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
        calling.abort();
        drop(calling.await);
        if end == ExecutionState::Succeeded {
            // It goes on; only its own cancellation ends it.
            let record = house.get(&format!("{EXECUTIONS}/{id}")).await.json();
            assert_eq!(record["status"], "running");
            house.post_with(&format!("{EXECUTIONS}/{id}/cancel"), &[], Body::empty()).await;
        }
        let record = house.reaches(&id, ExecutionState::is_terminal).await;
        let expected = if end == ExecutionState::Cancelled { "caller went away" } else { "cancelled by the caller" };
        assert!(record["error"].as_str().expect("a reason").contains(expected), "{record}");
    }
}

#[tokio::test]
async fn a_full_queue_and_a_stopping_platform_say_when_to_retry() {
    let small = |settings: &mut faas_orchestrator::Settings| {
        settings.concurrency = 1;
        settings.queue = 1;
    };
    let house = House::with(small, HttpLimits::default(), FakeHost::default()).await;
    let running = house.detach("sleep").await;
    house.reaches(&running, |state| state == ExecutionState::Running).await;
    let waiting = tokio::spawn({
        let router = house.router.clone();
        let request = Request::post(EXECUTIONS)
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Body::from(json!({"code": "sleep"}).to_string()))
            .expect("a request");
        async move { tower::ServiceExt::oneshot(router, request).await }
    });
    within("waiting caller", async {
        while house.orchestrator.stats().queued == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(house.post(EXECUTIONS, &json!({"code": "sleep"})).await.problem(), (503, "queue_full".to_owned()));
    waiting.abort();
    drop(waiting.await);
    within("end", house.orchestrator.drain(std::time::Duration::ZERO)).await;
    assert_eq!(house.post(EXECUTIONS, &json!({"code": "sleep"})).await.problem(), (503, "stopping".to_owned()));
    assert_eq!(house.get("/ready").await.problem(), (503, "stopping".to_owned()));
    assert_eq!(house.get("/health").await.status, 200);
}
