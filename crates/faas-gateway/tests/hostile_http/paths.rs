//! Row 76: one path in another spelling.

use crate::support::{Host, code, get_close, status};
use faas_gateway::HttpLimits;

#[tokio::test]
async fn a_second_spelling_of_a_path_is_refused_before_anything_is_decided() {
    let host = Host::start(HttpLimits::default()).await;
    for path in [
        "//health",
        "/./health",
        "/api/../health",
        "/%2e%2e/health",
        "/%2E/health",
        "/api%2Fv1",
        "/api%2fv1/echo",
        "/health;a=b",
        "/health%3ba=b",
        "/health.",
        "/HEALTH",
        "/Api/v1/echo",
        "/hea%6cth",
        "/api\\v1",
        "/a%00b",
        "/a%zz",
        "/api/v1/executions/%ff",
        "/a%c3%28",
        "/api/v1/..",
        "/..",
    ] {
        let answer = host.exchange(get_close(path)).await;
        assert_eq!((status(&answer), code(&answer).as_str()), (400, "path_not_canonical"), "{path}: {answer}");
    }
    host.assert_well().await;
}

#[tokio::test]
async fn targets_that_are_no_path_are_refused() {
    let host = Host::start(HttpLimits::default()).await;
    for line in ["OPTIONS * HTTP/1.1", "CONNECT localhost:80 HTTP/1.1", "GET http://evil.example/health HTTP/1.1"] {
        let answer = host.exchange(format!("{line}\r\nhost: localhost\r\nconnection: close\r\n\r\n")).await;
        assert_eq!(status(&answer), 400, "{line}: {answer}");
    }
}

#[tokio::test]
async fn what_no_route_takes_is_a_problem() {
    let host = Host::start(HttpLimits::default()).await;
    let answer = host.exchange(get_close("/api/v1/nothing")).await;
    assert_eq!((status(&answer), code(&answer).as_str()), (404, "not_found"));
    let answer = host.exchange(get_close("/api/v1/echo")).await;
    assert_eq!((status(&answer), code(&answer).as_str()), (405, "method_not_allowed"));
    assert!(answer.contains("allow: POST\r\n"), "{answer}");
}
