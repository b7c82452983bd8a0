//! Schemas of functions.

use super::request::{content, contract, files, labels, number, quantity, texts, to_come, variables};
use super::{count, exact, one_of_names, or_null, reference, text, text_or_null};
use faas_types::{IsolationLevel, Mode};
use serde_json::{Map, Value, json};

const NAME: &str = "^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$";

fn members() -> Map<String, Value> {
    let modes = [Mode::Ephemeral.as_str(), Mode::Cached.as_str()];
    let levels = [IsolationLevel::Strict.as_str(), IsolationLevel::Standard.as_str()];
    let line = |description: &str| json!({"type": ["string", "null"], "minLength": 1, "description": description});
    let members = [
        ("name", json!({"type": ["string", "null"], "pattern": NAME, "description": "Unique within its tenant."})),
        ("runtime", line("The language, or one version of it: python, python3.11, node20, bash.")),
        ("code", line("The source of one file; this, files or module.")),
        ("files", files()),
        ("main", line("Which of files is run; main.py, main.js or main.sh where absent.")),
        ("module", line("A file or folder beneath one of the server's function roots.")),
        ("handler", line("The function in the code that is called; handle where absent.")),
        ("contract", or_null(contract())),
        ("executor", line("auto (or platform), or the executor's own name.")),
        ("isolation", or_null(one_of_names(&levels, "strict refuses where a layer or limit is missing."))),
        ("mode", or_null(one_of_names(&modes, "What becomes of a sandbox after a call; cached where absent."))),
        ("resources", or_null(reference("Resources"))),
        ("timeout", quantity("Seconds when bare, or with ms, s, m, h; from 1ms to 24h. This or timeout_ms.")),
        ("timeout_ms", number("Milliseconds.")),
        ("env", variables()),
        ("output_limit", quantity("Bytes of stdout and stderr together; MiB when bare.")),
        ("on_output_limit", or_null(one_of_names(&["discard", "kill"], "What happens past the output limit."))),
        ("scaling", or_null(reference("Scaling"))),
        ("routes", texts("Where it is called by HTTP: METHOD:/path.")),
        ("auth", or_null(one_of_names(&["key", "public"], "Who may call it there; key where absent."))),
        ("image", to_come(json!([null]), "To come.")),
        ("secrets", to_come(json!([null, []]), "To come.")),
        ("network", to_come(json!([null, "none"]), "Only none so far.")),
        (
            "dependencies",
            texts(
                "Packages as pip or npm writes them: requests==2.28.0, left-pad@1.3.0; installed when it is deployed.",
            ),
        ),
        (
            "allow_build",
            json!({"type": ["boolean", "null"], "description": "Whether packages of python without a wheel are built from their source, and install scripts of packages of javascript run: their code runs then in a sandbox that reaches nothing."}),
        ),
    ];
    members.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

pub(super) fn request() -> Value {
    json!({
        "type": "object",
        "description": "A function. null is the same as absence.",
        "required": ["name"],
        "additionalProperties": false,
        "properties": members(),
    })
}

pub(super) fn patch() -> Value {
    let mut patch = json!({
        "type": "object",
        "description": "A JSON merge patch (RFC 7396) of the function: null removes a member, what is absent stays.",
        "additionalProperties": false,
        "properties": members(),
    });
    // A file, a variable and the other form of a file's content can be removed as well.
    if let Some(forms) = patch.pointer_mut("/properties/files/additionalProperties/anyOf").and_then(Value::as_array_mut)
    {
        let form = json!({"type": ["string", "null"]});
        let both = json!({"text": form, "base64": form, "executable": {"type": "boolean"}});
        forms.push(json!({"type": "object", "additionalProperties": false, "properties": both}));
        forms.push(json!({"type": "null"}));
    }
    if let Some(variable) = patch.pointer_mut("/properties/env/anyOf/0/additionalProperties") {
        *variable = json!({"type": ["string", "null"]});
    }
    patch
}

pub(super) fn scaling() -> Value {
    let count = |description: &str| json!({"type": ["integer", "null"], "minimum": 0, "description": description});
    json!({
        "type": "object",
        "description": "How many instances it has.",
        "additionalProperties": false,
        "properties": {
            "min": count("Kept warm even when nobody calls."),
            "max": count("The most instances. Calls that they have no room for wait."),
            "concurrency": count(
                "Calls one instance takes at once, 1 to 100. Above 1 only for handlers in Python and JavaScript, in mode cached.",
            ),
            "idle_ttl": quantity("How long an instance waits for its next call. This or idle_ttl_ms; without them the platform decides, by how the function is called."),
            "idle_ttl_ms": number("Milliseconds."),
        },
    })
}

pub(super) fn call() -> Value {
    json!({
        "type": "object",
        "description": "What a call is given.",
        "additionalProperties": false,
        "properties": {
            "input": {"description": "JSON: the body a handler is sent, the first argument under argv-json; at most 96 KiB."},
            "stdin": content("Bytes: the body a handler is sent, the standard input of others; this or payload."),
            "payload": content("Another name of stdin."),
            "wait": {"type": ["boolean", "null"], "default": true, "description": "false answers 202 at once."},
            "on_disconnect": or_null(one_of_names(&["cancel", "detach"], "What happens when the caller goes away.")),
            "labels": labels(),
        },
    })
}

pub(super) fn rollback() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {"version": {
            "description": "A number or an alias; the version before the live one where absent.",
            "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "minLength": 1}, {"type": "null"}],
        }},
    })
}

pub(super) fn alias() -> Value {
    json!({
        "type": "object",
        "required": ["version"],
        "additionalProperties": false,
        "properties": {"version": {"type": "integer", "minimum": 1, "description": "A version's number."}},
    })
}

pub(super) fn all() -> Vec<(&'static str, Value)> {
    let page = |of: &str, description: &str| {
        exact(
            description,
            json!({
                "items": {"type": "array", "items": reference(of)},
                "next_cursor": text_or_null("The next page's cursor; null at the end."),
            }),
            &[],
        )
    };
    vec![
        ("Function", function()),
        ("ChangeEvent", change_event()),
        (
            "FunctionPage",
            with_not_deployed(page(
                "Function",
                "Functions, newest first, each with its live version, without its source.",
            )),
        ),
        ("NotDeployed", not_deployed()),
        ("Version", version()),
        ("VersionPage", page("Version", "Versions, newest first, without their source.")),
        ("Aliases", exact("Versions by the names of aliases.", json!({"aliases": aliases()}), &[])),
        ("FailedCall", failed()),
        ("SeedFunctionPage", with_not_deployed(seed_page("functions", "Function"))),
        ("SeedInstancePage", seed_page("instances", "Instance")),
        ("Instance", instance()),
    ]
}

fn with_not_deployed(mut page: Value) -> Value {
    page["properties"]["not_deployed"] = json!({
        "type": "array", "items": reference("NotDeployed"),
        "description": "What the configuration declares and is no function, on every page.",
    });
    if let Some(required) = page["required"].as_array_mut() {
        required.push(json!("not_deployed"));
    }
    page
}

fn not_deployed() -> Value {
    exact(
        "A function that is declared and that nobody can call.",
        json!({
            "name": text("Its name."),
            "status": {"type": "string", "enum": ["no_source"], "description": "Why."},
            "detail": text("The same in words, with what to do."),
        }),
        &[],
    )
}

fn aliases() -> Value {
    json!({"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}, "description": "Versions by the names of aliases."})
}

fn version_id() -> Value {
    json!({"type": "string", "pattern": "^ver_[0-9a-f]{32}$", "description": "A version's id."})
}

fn moment(description: &str) -> Value {
    json!({"type": "string", "format": "date-time", "description": description})
}

/// Members of its own, all there, and those of what it is, some there.
fn shown(description: &str, own: Value, optional: &[&str]) -> Value {
    let mut schema = exact(description, own, optional);
    if let Some(properties) = schema["properties"].as_object_mut() {
        for (name, member) in members() {
            properties.entry(name).or_insert(member);
        }
    }
    schema
}

fn function() -> Value {
    shown(
        "A function with one of its versions.",
        json!({
            "id": {"type": "string", "pattern": "^fn_[0-9a-f]{32}$", "description": "A function's id."},
            "name": {"type": "string", "pattern": NAME, "description": "Unique within its tenant."},
            "version": count("The number of the version that is shown."),
            "version_id": version_id(),
            "live": count("The number of the version that its name alone means."),
            "newest": count("The number of its newest version."),
            "etag": text("What If-Match of a change is compared with, without its quotes."),
            "aliases": aliases(),
            "created_at": moment("When it was made."),
            "updated_at": moment("When it was changed last."),
            "deployed_at": moment("When the version that is shown was made."),
            "lock": text("What its dependencies led to: a line for each package with its version and its digest."),
        }),
        &["lock"],
    )
}

fn change_event() -> Value {
    let phases = ["resolving", "fetching", "building", "unpacking"];
    let progress = exact(
        "progress: what is done, and a line that was said.",
        json!({"phase": one_of_names(&phases, "What is being done."), "line": text("A line.")}),
        &[],
    );
    json!({
        "description": "What a change says: progress any number of times, then function, or error.",
        "anyOf": [progress, reference("Function"), reference("Problem")],
    })
}

fn version() -> Value {
    shown(
        "One version of a function, without its source.",
        json!({
            "version": count("Its number, counted from 1."),
            "version_id": version_id(),
            "live": {"type": "boolean", "description": "Whether the function's name alone means it."},
            "aliases": {"type": "array", "items": {"type": "string"}, "description": "The aliases that mean it."},
            "deployed_at": moment("When it was made."),
        }),
        &[],
    )
}

/// A page with the same list under a seed's own name.
fn seed_page(name: &str, of: &str) -> Value {
    let items = json!({"type": "array", "items": reference(of)});
    let next = text_or_null("The next page's cursor; null at the end.");
    exact("A page, its items under two names.", json!({"items": items, "next_cursor": next, (name): items}), &[])
}

fn instance() -> Value {
    exact(
        "An instance.",
        json!({
            "id": {"type": "string", "pattern": "^ins_[0-9a-f]{32}$", "description": "Its id."},
            "kind": text("worker: a warm sandbox of the platform's own."),
            "status": text("running."),
            "function": text_or_null("The function it serves."),
            "version": {"type": ["integer", "null"], "description": "That function's version."},
            "expires_in_ms": count("How long it waits for its next call before it ends."),
        }),
        &[],
    )
}

pub(super) fn seed_request() -> Value {
    json!({
        "type": "object",
        "description": "A function as a seed writes it.",
        "additionalProperties": false,
        "properties": {
            "name": {"type": ["string", "null"], "pattern": NAME},
            "code": {"type": ["string", "null"], "minLength": 1},
            "config": {
                "type": ["object", "null"],
                "additionalProperties": false,
                "properties": {
                    "execution_mode": {"type": ["string", "null"], "description": "process."},
                    "runtime": {"type": ["string", "null"]},
                    "handler": {"type": ["string", "null"]},
                    "timeout": quantity("Seconds when bare."),
                    "memory": quantity("MiB when bare, or 256Mi."),
                    "cpu_limit": quantity("Cores, or thousandths as 100m."),
                    "dependencies": texts("Packages."),
                    "environment": variables(),
                    "min_instances": {"type": ["integer", "null"], "minimum": 0},
                    "max_instances": {"type": ["integer", "null"], "minimum": 1},
                },
            },
        },
    })
}

fn failed() -> Value {
    exact(
        "Why a function gave no answer.",
        json!({
            "error": text("One line on what went wrong."),
            "error_kind": reference("ErrorKind"),
            "execution_id": text("The execution, whose log says more."),
        }),
        &[],
    )
}
