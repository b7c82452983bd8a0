//! Bodies and requests that mean harm: refused by name, quickly.

use crate::harness::{House, printing};
use axum::body::Body;
use axum::http::{Method, Request};
use faas_gateway::HttpLimits;
use faas_types::ByteSize;
use serde_json::json;

const EXECUTIONS: &str = "/api/v1/executions";

/// Row 80.
#[tokio::test]
async fn hostile_json_is_400() {
    let house = House::new().await;
    let deep = format!(r#"{{"code": "x", "input": {}}}"#, "[".repeat(100_000));
    let cases = [
        (deep.as_str(), "invalid_json"),
        (r#"{"code": "x", "timeout": 1e999}"#, "invalid_json"),
        (r#"{"code": "x", "code": "y"}"#, "invalid_json"),
        (r#"{"code": "x", "input": {"a": 1, "a": 2}}"#, "invalid_field"),
        (r#"{"code": "\ud800"}"#, "invalid_json"),
        (r#"{"code": "x", "timeout_ms": 9223372036854775808}"#, "invalid_field"),
        (r#"{"code": "x", "cmd": []}"#, "unknown_field"),
        (r#"{"code": ""}"#, "code_empty"),
        (r#"{"code": "a\u0000b"}"#, "not_text"),
        ("", "invalid_json"),
        ("null", "invalid_json"),
    ];
    for path in [EXECUTIONS, "/execute", "/execute/stream"] {
        for (body, code) in cases {
            let answer = house.post_with(path, &[], body.to_owned()).await;
            assert_eq!(answer.problem(), (400, code.to_owned()), "{body:.80}");
        }
    }
    let answer = house.post_with(EXECUTIONS, &[], r#"{"code": "x", "resources": {"gpus": 1}}"#).await;
    assert_eq!(answer.json()["field"], "resources.gpus");
}

/// Row 80: what inflates is not taken, and what is too long neither.
#[tokio::test]
async fn compressed_and_overlong_bodies_are_refused() {
    let limits = HttpLimits { body_bytes: ByteSize::from_bytes(4096), ..HttpLimits::default() };
    let house = House::with(|_| {}, limits, faas_executor_api::fake::FakeHost::default()).await;
    for coding in ["gzip", "br", "deflate", "zstd"] {
        let answer = house.post_with(EXECUTIONS, &[("content-encoding", coding)], "x").await;
        assert_eq!(answer.problem(), (415, "unsupported_media_type".to_owned()));
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json"] {
        let answer = house.post_with(EXECUTIONS, &[("content-type", kind)], "{}").await;
        assert_eq!(answer.problem(), (415, "unsupported_media_type".to_owned()), "{kind}");
    }
    let long = json!({"code": "x".repeat(8192)}).to_string();
    let answer = house.post_with(EXECUTIONS, &[], long).await;
    assert_eq!((answer.problem(), &answer.json()["limit"]), ((413, "body_too_large".to_owned()), &json!(4096)));
    let fits = json!({"code": printing(b"", b"", 0)}).to_string();
    let answer = house.post_with(EXECUTIONS, &[("content-type", "Application/JSON; charset=utf-8")], fits).await;
    assert_eq!(answer.status, 200);
}

/// Row 92.
#[tokio::test]
async fn quantities_out_of_range_are_400_with_the_accepted_forms() {
    let house = House::new().await;
    let cases = [
        json!({"resources": {"memory_mb": -1}}),
        json!({"resources": {"memory_mb": 0}}),
        json!({"resources": {"memory_mb": 1e18}}),
        json!({"resources": {"memory": "256MiB "}}),
        json!({"resources": {"cpu": "1e3m"}}),
        json!({"resources": {"cpu_cores": 10_000}}),
        json!({"resources": {"pids": 0}}),
        json!({"resources": {"disk_mb": 0}}),
        json!({"timeout": 0}),
        json!({"timeout": "NaN"}),
        json!({"timeout_ms": 0}),
        json!({"timeout_ms": -5}),
        json!({"output_limit": 0}),
        json!({"resources": {"memory": "1Mi"}}),
    ];
    for mut body in cases {
        body["code"] = json!("x");
        let answer = house.post(EXECUTIONS, &body).await;
        assert_eq!(answer.problem(), (400, "invalid_field".to_owned()), "{body}");
        assert!(answer.json()["detail"].as_str().expect("detail").contains("accepted"), "{}", answer.text());
    }
}

/// Row 85, as far as there is one tenant: what is not there and what is no id answer alike.
#[tokio::test]
async fn unknown_and_malformed_ids_are_404() {
    let house = House::new().await;
    let unknown = faas_types::ExecutionId::generate().to_string();
    for id in [unknown.as_str(), "exe_1", "EXE_", "1%20OR%201=1", "fn_00000000000000000000000000000000"] {
        for path in ["", "/logs", "/stream"] {
            let answer = house.get(&format!("{EXECUTIONS}/{id}{path}")).await;
            assert_eq!(answer.problem(), (404, "execution_not_found".to_owned()), "{id}{path}");
        }
        let answer = house.post_with(&format!("{EXECUTIONS}/{id}/cancel"), &[], Body::empty()).await;
        assert_eq!(answer.problem(), (404, "execution_not_found".to_owned()), "{id}");
    }
}

#[tokio::test]
async fn unknown_paths_methods_and_parameters_are_named() {
    let house = House::new().await;
    for path in ["/", "/api/v1", "/api/v1/nothing", "/execute/", "/api/v1/executions/"] {
        assert_eq!(house.get(path).await.problem(), (404, "not_found".to_owned()), "{path}");
    }
    let request = Request::builder().method(Method::DELETE).uri(EXECUTIONS).body(Body::empty()).expect("a request");
    let answer = house.ask(request).await;
    assert_eq!(answer.problem(), (405, "method_not_allowed".to_owned()));
    let allowed: Vec<&str> = answer.header("allow").split(',').map(str::trim).collect();
    assert!(allowed.contains(&"GET") && allowed.contains(&"POST"), "{allowed:?}");
    for path in ["/api/v1/limits?x=1", "/api/v1/stats?x", "/api/v1/executions?limits=3", "/api/v1/events?from=1"] {
        assert_eq!(house.get(path).await.problem(), (400, "unknown_field".to_owned()), "{path}");
    }
    assert_eq!(house.get("/api/v1/executions?limit=1&limit=2").await.problem(), (400, "invalid_field".to_owned()));
}

/// Row 96.
#[tokio::test]
async fn labels_of_metrics_are_the_routes_and_nothing_else() {
    let house = House::new().await;
    for index in 0..50 {
        house.get(&format!("/made/up/{index}")).await;
        house.get(&format!("/api/v1/executions/exe_{index:032x}")).await;
        house.post(&format!("/functions/f{index}/invoke"), &json!({})).await;
        let method = Method::from_bytes(format!("M{index}").as_bytes()).expect("a method");
        house.ask(Request::builder().method(method).uri("/health").body(Body::empty()).expect("a request")).await;
    }
    let answer = house.get("/metrics").await;
    assert_eq!(answer.status, 200);
    let text = answer.text();
    assert!(!text.contains("/made/up") && !text.contains("M1"), "{text}");
    let routes: std::collections::BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.split_once("route=\"").and_then(|(_, rest)| rest.split_once('"')))
        .map(|(route, _)| route)
        .collect();
    let documented: Vec<&str> =
        house.document["paths"].as_object().expect("paths").keys().map(String::as_str).collect();
    for route in &routes {
        assert!(documented.contains(route) || *route == faas_telemetry::UNMATCHED_ROUTE, "{route}");
    }
    assert!(
        routes.contains("/functions/{id}/invoke") && routes.contains(faas_telemetry::UNMATCHED_ROUTE),
        "{routes:?}"
    );
}
