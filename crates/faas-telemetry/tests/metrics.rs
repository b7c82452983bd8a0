//! What is counted appears in Prometheus text, and no request can add a series beyond the closed sets.

use faas_telemetry::{Ended, Method, Metrics, UNMATCHED_ROUTE, names};
use std::collections::BTreeSet;
use std::time::Duration;

#[test]
fn what_happened_is_rendered_by_its_labels() {
    let metrics = Metrics::new();
    metrics.request("/api/v1/executions/{id}", "GET", 200, Duration::from_micros(400));
    metrics.request("/api/v1/executions/{id}", "GET", 204, Duration::from_micros(600));
    metrics.request("/api/v1/executions/{id}", "GET", 404, Duration::from_secs(60));
    metrics.clone().gauges(7, 3);
    let text = metrics.render();
    for line in [
        "# TYPE faas_http_requests_total counter",
        "faas_http_requests_total{method=\"GET\",route=\"/api/v1/executions/{id}\",status=\"2xx\"} 2",
        "faas_http_requests_total{method=\"GET\",route=\"/api/v1/executions/{id}\",status=\"4xx\"} 1",
        "# TYPE faas_http_request_duration_seconds histogram",
        "faas_http_request_duration_seconds_bucket{route=\"/api/v1/executions/{id}\",le=\"0.0005\"} 1",
        "faas_http_request_duration_seconds_bucket{route=\"/api/v1/executions/{id}\",le=\"+Inf\"} 3",
        "faas_http_request_duration_seconds_count{route=\"/api/v1/executions/{id}\"} 3",
        "# TYPE faas_executions_queued gauge",
        "faas_executions_queued 7",
        "faas_executions_running 3",
    ] {
        assert!(text.lines().any(|found| found == line), "{line:?} is missing in:\n{text}");
    }
}

#[test]
fn two_platforms_of_one_process_count_apart() {
    let (one, other) = (Metrics::new(), Metrics::default());
    one.request(UNMATCHED_ROUTE, Method::Get, 404, Duration::ZERO);
    assert!(one.render().contains(names::HTTP_REQUESTS));
    assert!(!other.render().contains("unmatched"));
}

#[test]
fn invented_methods_and_statuses_add_no_series() {
    let metrics = Metrics::new();
    for number in 0..2000_u16 {
        metrics.request(UNMATCHED_ROUTE, format!("BREW{number}").as_str(), number, Duration::ZERO);
        metrics.request(UNMATCHED_ROUTE, "get", number, Duration::ZERO);
    }
    let text = metrics.render();
    let series: BTreeSet<&str> = text.lines().filter(|line| line.starts_with("faas_http_requests_total{")).collect();
    // Five classes and the rest.
    assert_eq!(series.len(), 6, "{series:?}");
    assert!(series.iter().all(|line| line.contains("method=\"other\"")), "{series:?}");
}

#[test]
fn totals_are_set_and_never_go_back() {
    let metrics = Metrics::new();
    for succeeded in [3, 5, 5, 4] {
        metrics.ended(Ended { succeeded, failed: 1, cancelled: 2 });
    }
    let text = metrics.render();
    for line in ["{end=\"succeeded\"} 5", "{end=\"failed\"} 1", "{end=\"cancelled\"} 2"] {
        assert!(text.contains(&format!("faas_executions_total{line}")), "{line}: {text}");
    }
}
