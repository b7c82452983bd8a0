//! The names of all metrics. Adding one is compatible; renaming one breaks dashboards and alerts.

/// Answered requests by route, method and class of status.
pub const HTTP_REQUESTS: &str = "faas_http_requests_total";
/// From a request's head read to its answer's head sent, by route.
pub const HTTP_REQUEST_DURATION: &str = "faas_http_request_duration_seconds";
/// Ended executions by how they ended.
pub const EXECUTIONS: &str = "faas_executions_total";
/// Executions waiting for a sandbox at this moment.
pub const EXECUTIONS_QUEUED: &str = "faas_executions_queued";
/// Executions with a sandbox at this moment.
pub const EXECUTIONS_RUNNING: &str = "faas_executions_running";
/// Log lines dropped because nobody read them fast enough.
pub const LOG_LINES_DROPPED: &str = "faas_log_lines_dropped_total";
