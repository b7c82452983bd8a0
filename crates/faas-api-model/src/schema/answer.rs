//! Schemas of every other answer.

use super::execution::id;
use super::{count, exact, one_of_names, or_null, reference, text, text_or_null};
use faas_types::ErrorCode;
use serde_json::{Value, json};

pub(super) fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("Problem", problem()),
        ("Health", health()),
        ("Limits", limits()),
        ("Capabilities", capabilities()),
        ("Stats", stats()),
        ("Spares", spares()),
        ("Kept", kept()),
        ("Lane", lane()),
        ("Latency", latency()),
        ("FunctionStats", function_stats()),
        ("PlatformEvent", platform_event()),
        ("EventPage", event_page()),
        ("StreamEvent", stream_event()),
        ("InvokeAnswer", invoke_answer()),
        ("InvokeRefusal", invoke_refusal()),
    ]
}

fn problem() -> Value {
    let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    exact(
        "RFC 9457. code is stable, detail may change.",
        json!({
            "type": text("The code as a URI."),
            "title": text("The code in words."),
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": text("What is wrong with this request, and the next step."),
            "code": one_of_names(&codes, "The stable code."),
            "request_id": text("As in x-request-id."),
            "error": text("detail once more."),
            "field": text("The field that is wrong."),
            "limit": count("The limit that was passed."),
            "retry_after_ms": count("When trying again may help."),
            "log": text("What the tools said that failed."),
        }),
        &["request_id", "field", "limit", "retry_after_ms", "log"],
    )
}

fn health() -> Value {
    exact("The server answers.", json!({"status": text("ok or ready."), "version": text("Its version.")}), &[])
}

fn numbers(description: &str) -> Value {
    json!({"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}, "description": description})
}

fn limits() -> Value {
    exact(
        "Every limit by name; times in milliseconds, sizes in bytes.",
        json!({
            "http": numbers("One connection and one request."),
            "execution": numbers("One execution."),
            "defaults": numbers("What an execution gets that does not ask."),
            "platform": numbers("What runs and is kept at once."),
        }),
        &[],
    )
}

fn capabilities() -> Value {
    let texts = json!({"type": "array", "items": {"type": "string"}});
    let runtime = exact("An interpreter.", json!({"language": text("Its language."), "path": text("Its path.")}), &[]);
    exact(
        "What can be asked of this server.",
        json!({
            "executor": text("The executor."),
            "verbs": texts,
            "isolation": reference("Isolation"),
            "runtimes": {"type": "array", "items": runtime},
            "modes": texts,
            "contracts": texts,
        }),
        &[],
    )
}

fn stats() -> Value {
    exact(
        "What the platform does and has done since it began.",
        json!({
            "queued": count("Executions that wait."),
            "running": count("Executions that run."),
            "concurrency": count("How many may run at once."),
            "queue_limit": count("How many may wait."),
            "ended": numbers("Ended executions by status."),
            "errors": numbers("Failed executions by cause."),
            "cold_starts": count("Executions that began in a sandbox of their own."),
            "latency": or_null(reference("Latency")),
            "routes": numbers("Routes that lead to functions: deployed, and of the routes file."),
            "refused": count("Turned away because the queue was full."),
            "warm": count("Used sandboxes that wait for an execution in mode cached."),
            "warm_starts": count("Executions that began in one of them."),
            "retired": count("Sandboxes that were to be kept and could not be made as new."),
            "log_bytes": count("Output of ended executions that is kept."),
            "spares": {"type": "array", "items": reference("Spares")},
            "kept": {"type": "array", "items": reference("Kept")},
            "lanes": {"type": "array", "items": reference("Lane")},
            "uptime_ms": count("Milliseconds since the server began."),
        }),
        &[],
    )
}

fn spares() -> Value {
    exact(
        "Sandboxes of one kind that are made before anybody asks.",
        json!({
            "language": text_or_null("Their language; null for plain commands."),
            "memory_limit_bytes": count("The memory that each may use."),
            "packages": text_or_null("The packages in them."),
            "wanted": count("How many there are to be."),
            "reason": one_of_names(
                &["arrivals", "rare", "min", "most", "calming", "short"],
                "Why so many: as many as come while one is made; it is asked for too rarely; the least or the most \
                 there may be; fewer would do but not for long yet; others save more with the number or the memory \
                 there is.",
            ),
            "ready": count("How many there are."),
            "made": count("How many were made."),
            "used": count("How many of those were handed over."),
            "unused": count("How many ended without."),
            "start_us": or_null(count("Microseconds that it took to make the last one.")),
            "memory_bytes": or_null(count("The memory that it took until it waited.")),
        }),
        &[],
    )
}

fn lane() -> Value {
    let share = |description: &str| or_null(count(description));
    exact(
        "How loaded a lane is in which sandboxes are made, sampled twice a second and smoothed; so far the one lane is this \
         host.",
        json!({
            "lane": text("Its name."),
            "capacity": count("How many sandboxes it may hold for calls."),
            "in_use": count("How many it holds: of calls that run, and those that wait warm."),
            "cpu_percent": share("The part of its processors in use; null before the first samples."),
            "memory_percent": share("The part of its memory that is not available."),
            "io_percent": share("The part of the time in which something waited for input or output."),
            "score_percent": share("0.5 of the first, 0.3 of the second and 0.2 of the third: the lower, the better."),
        }),
        &[],
    )
}

fn kept() -> Value {
    exact(
        "For how long an instance of a version is kept after its last call, where the function leaves it to the platform.",
        json!({
            "function": text("The function."),
            "version": count("The number of its version."),
            "keep_ms": count("Milliseconds."),
            "reason": one_of_names(
                &["returns", "new", "memory"],
                "Why so long: its calls come back within that time; too little is known of it, so that what holds for any \
                 function does for it; its calls come too late, and the memory saves more elsewhere.",
            ),
            "returns_percent": or_null(count("Of 100 calls so many come within that time after the one before.")),
        }),
        &[],
    )
}

fn latency() -> Value {
    exact(
        "From acceptance to end in microseconds, each within an eighth above the true value.",
        json!({
            "p50_us": count("Half took no longer."),
            "p95_us": count("95 of 100 took no longer."),
            "p99_us": count("99 of 100 took no longer."),
        }),
        &[],
    )
}

fn function_stats() -> Value {
    exact(
        "What a function does and has done since the server began.",
        json!({
            "function": text("Its name."),
            "running": count("Calls that run."),
            "waiting": count("Callers that wait."),
            "warm": count("Sandboxes that wait for a call."),
            "ended": numbers("Ended calls by status."),
            "errors": numbers("Failed calls by cause."),
            "cold_starts": count("Calls that began in a sandbox of their own."),
            "warm_starts": count("Calls that began in a warm one."),
            "latency": or_null(reference("Latency")),
        }),
        &[],
    )
}

fn platform_event() -> Value {
    exact(
        "One thing that happened.",
        json!({
            "seq": count("Its number."),
            "at": {"type": "string", "format": "date-time"},
            "kind": text("What."),
            "execution_id": or_null(id()),
            "detail": text("More about it."),
        }),
        &[],
    )
}

fn event_page() -> Value {
    exact(
        "The last events, oldest first.",
        json!({"items": {"type": "array", "items": reference("PlatformEvent")}}),
        &[],
    )
}

fn stream_event() -> Value {
    let kind = |name: &str| json!({"const": name});
    let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    json!({
        "description": "One event of a stream: SSE data, or a WebSocket text frame.",
        "oneOf": [
            exact("The program was started.", json!({"type": kind("started"), "seq": count("1."), "execution_id": id()}), &[]),
            exact(
                "It wrote something.",
                json!({
                    "type": kind("output"),
                    "seq": count("Its number."),
                    "stream": one_of_names(&["stdout", "stderr"], "Where."),
                    "data": text("The text, U+FFFD for what is not UTF-8."),
                    "data_base64": text("The exact bytes, where data is not them."),
                }),
                &["data_base64"],
            ),
            exact(
                "The execution ended; nothing follows.",
                json!({
                    "type": kind("complete"),
                    "seq": count("Its number."),
                    "status": reference("ExecutionStatus"),
                    "exit_code": {"type": ["integer", "null"]},
                    "signal": {"type": ["integer", "null"]},
                    "error": text_or_null("What went wrong."),
                    "error_kind": or_null(reference("ErrorKind")),
                    "execution": reference("Execution"),
                }),
                &[],
            ),
            exact(
                "The stream ends before the execution does, could not begin, or the program was never started: then complete follows.",
                json!({
                    "type": kind("error"),
                    "code": one_of_names(&codes, "The stable code."),
                    "detail": text("What happened."),
                    "error": text("detail once more."),
                    "field": text("The field that is wrong."),
                    "retry_after_ms": count("When trying again may help."),
                }),
                &["field", "retry_after_ms"],
            ),
        ],
    })
}

fn invoke_answer() -> Value {
    exact(
        "A command ran.",
        json!({
            "stdout": text("Its standard output."),
            "stderr": text("Its standard error."),
            "error": text_or_null("What went wrong; null when nothing did."),
        }),
        &[],
    )
}

fn invoke_refusal() -> Value {
    exact("No command ran, or what became of it is unknown.", json!({"error": text("Why.")}), &[])
}
