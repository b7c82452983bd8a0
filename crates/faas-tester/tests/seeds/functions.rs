//! The proofs of seed 001's functions: made, asked, changed, listed and deleted by what the document prints.

use super::curl::{Answer, post, request, sh};
use super::items;
use super::proofs::{Outcome, holds, without_comments};
use super::server::{Launch, Server};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

/// The name that stands for `<function_name>`.
const NAME: &str = "my-function";
/// The key of the printed requests.
const KEY: [&str; 2] = ["-H", "Authorization: Bearer demo-key"];

/// Sends a printed request with these names in the places of its `<…>`, and without the comments of its body.
fn printed(server: &Server, lines: &str, names: &[(&str, &str)]) -> Result<Answer> {
    let text = items::text("001", lines, "http")?;
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut head = head.lines();
    let (method, path) = head.next().and_then(|line| line.split_once(' ')).context("a method and a path")?;
    let path = names.iter().fold(path.to_owned(), |path, (place, name)| path.replace(place, name));
    ensure!(!path.contains('<'), "{path} has a place without a name");
    let mut arguments = vec!["-X", method];
    for header in head {
        arguments.extend(["-H", header]);
    }
    let body = without_comments(body);
    if !body.is_empty() {
        arguments.extend(["--data-binary", &body]);
    }
    request(server, &path, &arguments)
}

fn of_function(server: &Server, lines: &str, name: &str) -> Result<Answer> {
    printed(server, lines, &[("<function_name>", name)])
}

/// There is such a function afterwards, and it is new.
fn deploy(server: &Server, name: &str, code: &str) -> Result<()> {
    remove(server, name)?;
    post(server, "/functions", &json!({"name": name, "code": code}).to_string())?.expect(201)?;
    Ok(())
}

fn remove(server: &Server, name: &str) -> Result<()> {
    let answer = request(server, &format!("/functions/{name}"), &["-X", "DELETE"])?;
    ensure!([204, 404].contains(&answer.status), "{answer:?}");
    Ok(())
}

/// What the printed body defines, without the dependencies, which have an item of their own.
fn deploy_printed(server: &Server) -> Result<()> {
    let text = items::text("001", "155-172", "http")?;
    let (_, body) = text.split_once("\n\n").context("a body")?;
    let mut body: Value = serde_json::from_str(&without_comments(body))?;
    body["config"].as_object_mut().context("config")?.remove("dependencies").context("dependencies")?;
    remove(server, NAME)?;
    post(server, "/functions", &body.to_string())?.expect(201)?;
    Ok(())
}

fn json_of(server: &Server, lines: &str) -> Result<Value> {
    let output = sh(server, &items::text("001", lines, "sh")?)?;
    ensure!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).with_context(|| format!("{output:?}"))
}

fn asked(server: &Server, name: &str, body: &Value) -> Result<Answer> {
    post(server, &format!("/invoke/{name}"), &body.to_string())
}

pub(super) fn curl_creates(server: &Server) -> Result<Outcome> {
    remove(server, "hello-world")?;
    let created = json_of(server, "67-80")?;
    let kept = request(server, "/functions/hello-world", &[])?.expect(200)?.json()?;
    ensure!(kept["id"] == created["id"], "{created} {kept}");
    holds(&created, &json!({"name": "hello-world", "version": 1, "handler": "handle"}))
}

pub(super) fn curl_invokes(server: &Server) -> Result<Outcome> {
    curl_creates(server)?;
    let answer = json_of(server, "81-86")?;
    let expected = json!({"message": "Hello, World!", "data": {"name": "AITest", "test": true}});
    ensure!(answer == expected, "{answer}");
    Ok(Outcome::Works)
}

pub(super) fn lists(server: &Server) -> Result<Outcome> {
    deploy_printed(server)?;
    let answer = printed(server, "143-144", &[])?.expect(200)?.json()?;
    let functions = answer["functions"].as_array().context("functions")?;
    ensure!(functions.iter().any(|function| function["name"] == NAME), "{answer:#}");
    Ok(Outcome::Works)
}

pub(super) fn shows(server: &Server) -> Result<Outcome> {
    deploy_printed(server)?;
    of_function(server, "149-150", "no-such-function")?.expect(404)?;
    let answer = of_function(server, "149-150", NAME)?.expect(200)?.json()?;
    holds(&answer, &json!({"name": NAME, "env": {"API_KEY": "secret"}}))?;
    holds(&answer["resources"], &json!({"memory_mb": 256, "cpu_cores": 0.1}))
}

/// As printed, its comment makes it no JSON.
pub(super) fn creates(server: &Server) -> Result<Outcome> {
    remove(server, NAME)?;
    let text = items::text("001", "155-172", "http")?;
    let (_, body) = text.split_once("\n\n").context("a body")?;
    holds(&post(server, "/functions", body)?.expect(400)?.json()?, &json!({"code": "invalid_json"}))?;
    let answer = printed(server, "155-172", &[])?;
    if answer.status == 422 {
        let answer = answer.json()?;
        holds(&answer, &json!({"field": "config.dependencies"}))?;
        return Ok(Outcome::Refused(answer["code"].as_str().context("a code")?.to_owned()));
    }
    answer.expect(201)?;
    let answer = asked(server, NAME, &json!({}))?.expect(200)?.json()?;
    ensure!(answer == json!({"result": "success"}), "{answer}");
    Ok(Outcome::Works)
}

/// What the change does not name stays as it was.
pub(super) fn updates(server: &Server) -> Result<Outcome> {
    deploy_printed(server)?;
    let before = asked(server, NAME, &json!({}))?.expect(200)?.json()?;
    ensure!(before == json!({"result": "success"}), "{before}");
    let changed = of_function(server, "177-186", NAME)?.expect(200)?.json()?;
    holds(&changed, &json!({"version": 2, "live": 2, "env": {"API_KEY": "secret"}, "timeout_ms": 60000}))?;
    holds(&changed["resources"], &json!({"memory_mb": 256}))?;
    let after = asked(server, NAME, &json!({}))?.expect(200)?.json()?;
    ensure!(after == json!({"result": "updated"}), "{after}");
    Ok(Outcome::Works)
}

pub(super) fn deletes(server: &Server) -> Result<Outcome> {
    deploy_printed(server)?;
    of_function(server, "191-192", NAME)?.expect(204)?;
    of_function(server, "191-192", NAME)?.expect(404)?;
    asked(server, NAME, &json!({}))?.expect(404)?;
    Ok(Outcome::Works)
}

pub(super) fn invokes(server: &Server) -> Result<Outcome> {
    deploy(server, NAME, "def handle(request):\n    return request.get_json()\n")?;
    let answer = of_function(server, "199-206", NAME)?.expect(200)?.json()?;
    ensure!(answer == json!({"input": "data", "parameters": {"key": "value"}}), "{answer}");
    Ok(Outcome::Works)
}

pub(super) fn platform_stats(server: &Server) -> Result<Outcome> {
    let answer = printed(server, "213-214", &[])?.expect(200)?.json()?;
    let canonical = request(server, "/api/v1/stats", &KEY)?.expect(200)?.json()?;
    let names = |value: &Value| value.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>());
    ensure!(names(&answer).is_some() && names(&answer) == names(&canonical), "{answer:#} {canonical:#}");
    Ok(Outcome::Works)
}

/// The numbers of a new function are those of its calls.
pub(super) fn function_stats(server: &Server) -> Result<Outcome> {
    const OWN: &str = "counted";
    deploy(server, OWN, "def handle(request):\n    return request.get_json()['there']\n")?;
    let stats = || of_function(server, "219-220", OWN)?.expect(200)?.json();
    let before = stats()?;
    asked(server, OWN, &json!({"there": 1}))?.expect(200)?;
    asked(server, OWN, &json!({}))?.expect(500)?;
    let after = stats()?;
    holds(&before, &json!({"function": OWN}))?;
    let ended = |stats: &Value, how: &str| stats["ended"][how].as_u64().context("a number");
    for how in ["succeeded", "failed"] {
        ensure!(ended(&after, how)? == ended(&before, how)? + 1, "{how}: {before:#} {after:#}");
    }
    of_function(server, "219-220", "no-such-function")?.expect(404)?;
    Ok(Outcome::Works)
}

/// The sandbox that waits for the next call of this function.
fn instance(server: &Server, name: &str) -> Result<String> {
    // A sandbox is kept only after its call was answered: asked until it is, a bounded number of times.
    for _ in 0..200 {
        let answer = printed(server, "225-226", &[])?.expect(200)?.json()?;
        let instances = answer["instances"].as_array().context("instances")?;
        if let Some(found) = instances.iter().find(|instance| instance["function"] == name) {
            return Ok(found["id"].as_str().context("an id")?.to_owned());
        }
    }
    anyhow::bail!("no instance of {name} is listed")
}

pub(super) fn lists_instances(server: &Server) -> Result<Outcome> {
    const OWN: &str = "listed";
    deploy(server, OWN, "def handle(request):\n    return 1\n")?;
    asked(server, OWN, &json!({}))?.expect(200)?;
    instance(server, OWN)?;
    Ok(Outcome::Works)
}

pub(super) fn stops_an_instance(server: &Server) -> Result<Outcome> {
    const OWN: &str = "stopped";
    deploy(server, OWN, "calls = 0\ndef handle(request):\n    global calls\n    calls += 1\n    return calls\n")?;
    asked(server, OWN, &json!({}))?.expect(200)?;
    let id = instance(server, OWN)?;
    let stop = || printed(server, "231-232", &[("<runtime_id>", &id)]);
    stop()?.expect(204)?;
    stop()?.expect(404)?;
    // What the ended one counted is gone with it.
    let answer = asked(server, OWN, &json!({}))?.expect(200)?;
    ensure!(answer.body.trim() == "1", "{answer:?}");
    Ok(Outcome::Works)
}

/// As printed it uses `time`, which it does not import; with the import it answers.
pub(super) fn documented_handler(server: &Server) -> Result<Outcome> {
    const OWN: &str = "documented";
    let code = items::text("001", "282-306", "py")?;
    let body = json!({"name": "Alice"});
    deploy(server, OWN, &code)?;
    let failed = asked(server, OWN, &body)?.expect(500)?;
    ensure!(failed.header("x-faas-error-kind") == Some("user_error"), "{failed:?}");
    deploy(server, OWN, &format!("import time\n{code}"))?;
    let answer = asked(server, OWN, &body)?.expect(200)?.json()?;
    ensure!(answer["timestamp"].is_number(), "{answer}");
    holds(&answer, &json!({"message": "Hello, Alice!", "method": "POST"}))?;
    let nobody = asked(server, OWN, &json!({}))?.expect(200)?.json()?;
    holds(&nobody, &json!({"message": "Hello, World!"}))
}

pub(super) fn echo(server: &Server) -> Result<Outcome> {
    deploy(server, "echo", &items::text("001", "313-317", "py")?)?;
    let body = json!({"a": [1, 2.5, null, "ä"]});
    let answer = asked(server, "echo", &body)?.expect(200)?.json()?;
    ensure!(answer == json!({"echo": body, "method": "POST"}), "{answer}");
    Ok(Outcome::Works)
}

pub(super) fn mathematics(server: &Server) -> Result<Outcome> {
    deploy(server, "mathematics", &items::text("001", "322-339", "py")?)?;
    for (body, expected) in [
        (json!({"a": 2, "b": 3}), json!({"result": 5, "operation": "add", "inputs": {"a": 2, "b": 3}})),
        (
            json!({"a": 2, "b": 3, "operation": "multiply"}),
            json!({"result": 6, "operation": "multiply", "inputs": {"a": 2, "b": 3}}),
        ),
        (json!({"operation": "divide"}), json!({"error": "Unsupported operation"})),
    ] {
        let answer = asked(server, "mathematics", &body)?.expect(200)?.json()?;
        ensure!(answer == expected, "{body}: {answer}");
    }
    Ok(Outcome::Works)
}

/// The printed file, with a storage path of the test's own. As long as that has no source the function is listed as
/// such and cannot be called; with one it is deployed by the next start.
pub(super) fn configured() -> Result<Outcome> {
    const OWN: &str = "example-function";
    let directory = tempfile::tempdir()?;
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
    let storage = directory.path().join("functions");
    fs::create_dir(&storage)?;
    let printed = items::text("001", "240-250", "yaml")? + &items::text("001", "251-266", "yaml")?;
    let shown = storage.to_str().context("a path of text")?;
    let text = printed.replace("/tmp/faas_functions", shown);
    ensure!(text != printed, "the printed file has another storage path");
    let file = directory.path().join("faas_config.yaml");
    fs::write(&file, text)?;
    let launch = Launch::with(&[("FAAS_CONFIG_FILE", file.to_str().context("a path of text")?)]);

    let without = launch.start()?;
    let event = refusal(&without)?.context("no event says that it has no source")?;
    ensure!(event.contains(&format!("nothing is at {shown}/{OWN}/ or {shown}/{OWN}.py")), "{event}");
    let listed = request(&without, "/functions", &[])?.expect(200)?.json()?;
    holds(&listed["not_deployed"][0], &json!({"name": OWN, "status": "no_source"}))?;
    asked(&without, OWN, &json!({}))?.expect(409)?;
    ensure!(without.stop()?.success(), "it did not end well");

    let source = "import os, requests\ndef handle(request):\n    return [requests.__version__, os.environ['DEBUG']]\n";
    fs::write(storage.join("example-function.py"), source)?;
    let server = launch.start()?;
    // Its packages are fetched while the server serves already.
    let until = Instant::now() + Duration::from_secs(120);
    let answer = loop {
        let answer = asked(&server, OWN, &json!({}))?;
        if answer.status != 404 {
            break answer.expect(200)?.json()?;
        }
        if let Some(event) = refusal(&server)? {
            anyhow::bail!("{event}");
        }
        ensure!(Instant::now() < until, "it is not deployed in time");
    };
    ensure!(answer == json!(["2.28.0", "false"]), "{answer}");
    let kept = request(&server, &format!("/functions/{OWN}"), &[])?.expect(200)?.json()?;
    holds(&kept, &json!({"version": 1, "runtime": "python3.11", "dependencies": ["requests==2.28.0"]}))?;
    ensure!(server.stop()?.success(), "it did not end well");
    Ok(Outcome::Works)
}

/// What the server says of a declared function that it did not deploy.
fn refusal(server: &Server) -> Result<Option<String>> {
    let events = request(server, "/api/v1/events", &[])?.expect(200)?.json()?;
    let events = events["items"].as_array().context("items")?;
    let found = events.iter().find(|event| event["kind"] == "function_refused");
    Ok(found.and_then(|event| event["detail"].as_str()).map(str::to_owned))
}
