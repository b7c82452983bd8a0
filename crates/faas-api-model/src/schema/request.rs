//! Schemas of requests.

use super::{one_of_names, or_null};
use crate::{MAX_ENTRIES, MAX_LABELS};
use faas_types::Contract;
use serde_json::{Value, json};

pub(super) fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("ExecutionRequest", execution_request()),
        ("FunctionRequest", super::function::request()),
        ("FunctionPatch", super::function::patch()),
        ("SeedFunctionRequest", super::function::seed_request()),
        ("Scaling", super::function::scaling()),
        ("CallRequest", super::function::call()),
        ("RollbackRequest", super::function::rollback()),
        ("AliasRequest", super::function::alias()),
        ("Resources", resources()),
        ("Content", content("Bytes: a text, a list of bytes, or base64.")),
        ("InvokeRequest", invoke_request()),
        ("ClientFrame", client_frame()),
    ]
}

pub(super) fn quantity(description: &str) -> Value {
    json!({
        "anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "minLength": 1}, {"type": "null"}],
        "description": description,
    })
}

pub(super) fn number(description: &str) -> Value {
    json!({"type": ["number", "null"], "exclusiveMinimum": 0, "description": description})
}

pub(super) fn content(description: &str) -> Value {
    json!({
        "description": description,
        "anyOf": [
            {"type": "string"},
            {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 255}},
            {"type": "object", "required": ["base64"], "properties": {"base64": {"type": "string", "format": "byte"}}, "additionalProperties": false},
            {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}, "additionalProperties": false},
            {"type": "null"},
        ],
    })
}

pub(super) fn variables() -> Value {
    json!({
        "description": "The whole environment: an object of names and texts, or a list of NAME=VALUE.",
        "anyOf": [
            {"type": "object", "maxProperties": MAX_ENTRIES, "propertyNames": {"pattern": "^[^=\\u0000]+$"}, "additionalProperties": {"type": "string"}},
            {"type": "array", "maxItems": MAX_ENTRIES, "items": {"type": "string", "pattern": "^[^=]+="}},
            {"type": "null"},
        ],
    })
}

pub(super) fn texts(description: &str) -> Value {
    json!({"type": ["array", "null"], "maxItems": MAX_ENTRIES, "items": {"type": "string"}, "description": description})
}

fn command(description: &str) -> Value {
    json!({
        "type": ["array", "null"],
        "minItems": 1,
        "maxItems": MAX_ENTRIES,
        "prefixItems": [{"type": "string", "minLength": 1}],
        "items": {"type": "string"},
        "description": description,
    })
}

pub(super) fn files() -> Value {
    json!({
        "type": ["object", "null"],
        "maxProperties": MAX_ENTRIES,
        "description": "Files of the working directory by relative path.",
        "additionalProperties": {"anyOf": [
            {"type": "string"},
            {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 255}},
            {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}, "executable": {"type": "boolean"}}, "additionalProperties": false},
            {"type": "object", "required": ["base64"], "properties": {"base64": {"type": "string", "format": "byte"}, "executable": {"type": "boolean"}}, "additionalProperties": false},
        ]},
    })
}

pub(super) fn labels() -> Value {
    json!({
        "type": ["object", "null"],
        "maxProperties": MAX_LABELS,
        "propertyNames": {"pattern": "^[A-Za-z0-9._/-]{1,63}$"},
        "additionalProperties": {"type": "string", "maxLength": 256},
        "description": "What its owner marks it with and filters lists by.",
    })
}

pub(super) fn contract() -> Value {
    let names: Vec<&str> = Contract::ALL.into_iter().map(Contract::as_str).collect();
    one_of_names(&names, "How it is called; inferred where absent.")
}

/// What is known by name and refused with `field_unsupported` unless it asks for nothing.
pub(super) fn to_come(nothing: Value, description: &str) -> Value {
    json!({"enum": nothing, "description": description})
}

fn execution_request() -> Value {
    let mut schema = json!({
        "type": "object",
        "description": "An execution: code in a language, a command, or a call of a function. null is the same as absence.",
        "additionalProperties": false,
        "oneOf": [
            {"required": ["code"], "properties": {"code": {"type": "string", "minLength": 1}}},
            {"required": ["command"], "properties": {"command": {"type": "array"}}},
            {"required": ["function"], "properties": {"function": {"type": "string"}}},
        ],
    });
    let properties = [
        ("code", json!({"type": ["string", "null"], "minLength": 1, "description": "Source text; this or command."})),
        (
            "name",
            json!({"type": ["string", "null"], "minLength": 1, "maxLength": 255, "description": "The file name shown in tracebacks."}),
        ),
        (
            "language",
            or_null(one_of_names(
                &["python", "python3", "py", "javascript", "js", "node", "bash", "sh", "php"],
                "The language of code; the server's default where absent.",
            )),
        ),
        ("command", command("Program and arguments; this or code.")),
        ("args", texts("Arguments after the program's name.")),
        ("mode", or_null(one_of_names(&["ephemeral", "cached"], "What becomes of the sandbox."))),
        (
            "executor",
            or_null(json!({"type": "string", "description": "auto (or platform), or the executor's own name."})),
        ),
        (
            "isolation",
            or_null(one_of_names(&["strict", "standard"], "strict refuses where a layer or limit is missing.")),
        ),
        ("contract", or_null(contract())),
        ("stdin", content("Standard input; this or payload.")),
        ("payload", content("Another name of stdin.")),
        ("env", variables()),
        ("files", files()),
        (
            "input",
            json!({"description": "JSON: $FAAS_INPUT of a script, the first argument under argv-json, the body a handler is sent; at most 96 KiB."}),
        ),
        ("resources", or_null(super::reference("Resources"))),
        ("timeout", quantity("Seconds when bare, or with ms, s, m, h; from 1ms to 24h. This or timeout_ms.")),
        ("timeout_ms", number("Milliseconds.")),
        ("output_limit", quantity("Bytes of stdout and stderr together; MiB when bare.")),
        ("on_output_limit", or_null(one_of_names(&["discard", "kill"], "What happens past the output limit."))),
        ("wait", json!({"type": ["boolean", "null"], "default": true, "description": "false answers 202 at once."})),
        (
            "on_disconnect",
            or_null(one_of_names(
                &["cancel", "detach"],
                "What happens when the caller goes away; cancel where absent, detach with an Idempotency-Key.",
            )),
        ),
        ("labels", labels()),
        (
            "function",
            json!({"type": ["string", "null"], "minLength": 1, "description": "A function to call, as hello, hello@3 or hello@alias; this, code or command."}),
        ),
        ("version", to_come(json!([null]), "Write it behind the function's name.")),
        ("image", to_come(json!([null]), "To come.")),
        ("secrets", to_come(json!([null, []]), "To come.")),
        ("network", to_come(json!([null, "none"]), "Only none so far.")),
        ("checkpoint_after", to_come(json!([null, false]), "To come.")),
        ("parent_snapshot", to_come(json!([null]), "To come.")),
        ("keep_ms", to_come(json!([null, 0]), "To come.")),
        ("callback_url", to_come(json!([null]), "To come.")),
        ("retry", to_come(json!([null]), "To come.")),
    ];
    schema["properties"] = properties.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    schema
}

fn resources() -> Value {
    json!({
        "type": "object",
        "description": "Limits of the sandbox, each under one of its names. Zero is refused.",
        "additionalProperties": false,
        "properties": {
            "cpu_cores": quantity("Cores (1, 0.5) or thousandths (500m)."),
            "cpu": quantity("Another name of cpu_cores."),
            "memory_mb": number("Memory in MiB."),
            "memory": quantity("Memory: MiB when bare, or 256Mi, 1Gi."),
            "disk_mb": number("Writable areas in MiB."),
            "disk": quantity("Writable areas: MiB when bare, or 128Mi."),
            "pids": quantity("Processes and threads, from 4."),
            "gpu": to_come(json!([null, 0]), "To come."),
        },
    })
}

fn invoke_request() -> Value {
    json!({
        "type": "object",
        "description": "A command to run.",
        "required": ["command"],
        "additionalProperties": false,
        "properties": {
            "image": {"type": ["string", "null"], "maxLength": 255, "description": "An image's name; checked, and unused without a container executor."},
            "command": command("Program and arguments."),
            "env_vars": variables(),
            "payload": content("Standard input."),
        },
    })
}

fn client_frame() -> Value {
    let kind = |names: &[&str]| json!({"type": "string", "enum": names});
    json!({
        "description": "A text frame from a client after its request. Binary frames are bytes of standard input.",
        "oneOf": [
            {"type": "object", "required": ["type"], "properties": {"type": kind(&["eof", "cancel"])}, "additionalProperties": false},
            {
                "type": "object",
                "required": ["type", "signal"],
                "properties": {"type": kind(&["signal"]), "signal": {"type": "integer", "minimum": 1, "maximum": 64}},
                "additionalProperties": false,
            },
        ],
    })
}
