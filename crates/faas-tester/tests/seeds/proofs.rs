//! One proof for each item that works or is refused.

use super::curl::{post, request, sh};
use super::server::{Launch, Server, plain, programs, root};
use super::socket;
use super::{functions, items, lines, routes};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::cell::OnceCell;
use std::net::{Ipv4Addr, TcpListener};

/// What came of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Works,
    Refused(String),
}

/// The proof of one item.
pub(crate) struct Proof {
    pub(crate) seed: &'static str,
    pub(crate) lines: &'static str,
    pub(crate) run: fn(&Servers) -> Result<Outcome>,
}

const fn proof(seed: &'static str, lines: &'static str, run: fn(&Servers) -> Result<Outcome>) -> Proof {
    Proof { seed, lines, run }
}

/// Every proof, in the order of `STATUS`.
pub(crate) const PROOFS: &[Proof] = &[
    proof("000", "50-53", |_| has_target("bin", "faas-bin", "faas-server")),
    proof("000", "54-57", |servers| curl_prints_hello(servers.usual()?)),
    proof("000", "66", |_| has_package("faas-bin")),
    proof("000", "77-78", |_| has_package("faas-bin")),
    proof("000", "132", |servers| execute_route(servers.usual()?)),
    proof("000", "133", |servers| stream_route(servers.usual()?)),
    proof("000", "162-166", |servers| body(servers.usual()?, "162-166", "Hello\n")),
    proof("000", "172-176", |servers| body(servers.usual()?, "172-176", "Fast start\n")),
    proof("000", "182-186", |servers| body(servers.usual()?, "182-186", "")),
    proof("000", "192-196", |servers| body(servers.usual()?, "192-196", "")),
    proof("000", "202-208", |servers| body(servers.usual()?, "202-208", "")),
    proof("000", "318-320", |_| has_package("faas-tester")),
    proof("000", "321-323", |_| has_target("test", "faas-tester", "hostile")),
    proof("000", "324-326", |_| has_any_target("bench", "faas-lib")),
    proof("000", "334-337", |_| has_package("faas-lib")),
    proof("000", "353", |_| start_is_refused("FAAS_EXECUTOR_TYPE", "docker")),
    proof("000", "354", |_| start_is_refused("DATABASE_URL", "postgres://db/faas")),
    proof("000", "391-392", |_| starts_with("FAAS_EXECUTOR_TYPE", "platform")),
    proof("001", "38-40", |_| lines::check_system()),
    proof("001", "41-43", |_| lines::create_config()),
    proof("001", "49-51", |_| lines::start("49-51")),
    proof("001", "52-54", |_| lines::start_with_file()),
    proof("001", "55-57", |_| lines::debug()),
    proof("001", "58-59", |_| lines::host_and_port()),
    proof("001", "65-66", |servers| curl_health(servers.usual()?)),
    proof("001", "67-80", |servers| functions::curl_creates(servers.usual()?)),
    proof("001", "81-86", |servers| functions::curl_invokes(servers.usual()?)),
    proof("001", "130", |servers| unknown_key_is_local(servers.usual()?)),
    proof("001", "134-135", |servers| sample_keys_work(servers.usual()?)),
    proof("001", "143-144", |servers| functions::lists(servers.usual()?)),
    proof("001", "149-150", |servers| functions::shows(servers.usual()?)),
    proof("001", "155-172", |servers| functions::creates(servers.usual()?)),
    proof("001", "177-186", |servers| functions::updates(servers.usual()?)),
    proof("001", "191-192", |servers| functions::deletes(servers.usual()?)),
    proof("001", "199-206", |servers| functions::invokes(servers.usual()?)),
    proof("001", "213-214", |servers| functions::platform_stats(servers.usual()?)),
    proof("001", "219-220", |servers| functions::function_stats(servers.usual()?)),
    proof("001", "225-226", |servers| functions::lists_instances(servers.usual()?)),
    proof("001", "231-232", |servers| functions::stops_an_instance(servers.usual()?)),
    proof("001", "240-250", |_| printed_configuration()),
    proof("001", "251-266", |_| functions::configured()),
    proof("001", "271", |_| configuration_file()),
    proof("001", "272", |_| starts_with("FAAS_DEFAULT_MODE", "process")),
    proof("001", "273", |_| port_variable("faas-server", "FAAS_API_PORT", "")),
    proof("001", "274", |_| starts_with("FAAS_LOG_LEVEL", "INFO")),
    proof("001", "275", |_| no_container()),
    proof("001", "282-306", |servers| functions::documented_handler(servers.usual()?)),
    proof("001", "313-317", |servers| functions::echo(servers.usual()?)),
    proof("001", "322-339", |servers| functions::mathematics(servers.usual()?)),
    proof("002", "46", |_| has_package("faas-bin")),
    proof("002", "63-64", |_| port_variable("faas-bin", "FAAS_GATEWAY_PORT", "")),
    proof("002", "65", |_| starts_with("RUST_LOG", "info")),
    proof("002", "70", |_| printed_start_line()),
    proof("002", "80", |servers| invoke_runs_the_command(servers.usual()?)),
    proof("002", "85-92", |servers| printed_invoke_body(servers.usual()?)),
    proof("002", "100-104", |servers| invoke_answers_three_members(servers.usual()?)),
    proof("002", "110-114", |servers| failing_commands_are_answers(servers.usual()?)),
    proof("002", "119-121", refusals_of_invoke),
    proof("002", "147", |_| starts_with("RUST_LOG", "faas_gateway=debug,warn")),
    proof("002", "148", |_| port_variable("faas-bin", "FAAS_GATEWAY_PORT", "")),
    proof("002", "152", |_| has_package("faas-tester")),
    proof("002", "153", |_| has_package("faas-tester")),
    proof("003", "85-86", |_| port_variable("faas-server", "SERVER_ADDRESS", ":")),
    proof("003", "89-90", |_| concurrency_variable()),
    proof("003", "91-93", |_| start_is_refused("NATS_URL", "nats://localhost:4222")),
    proof("003", "354-369", |servers| argument_program(servers.usual()?)),
    proof("004", "79-83", |servers| routes::hello(servers.usual()?)),
    proof("004", "84-85", |servers| routes::info(servers.usual()?)),
    proof("004", "90-94", |servers| routes::refused(servers.usual()?, "90-94")),
    proof("004", "95-96", |servers| routes::refused(servers.usual()?, "95-96")),
    proof("004", "101-108", |servers| routes::inserted(servers.usual()?)),
    proof("004", "109-115", |servers| routes::refused(servers.usual()?, "109-115")),
    proof("004", "198-202", |servers| routes::watched(servers.usual()?)),
];

/// Servers that several proofs share, started when first wanted.
#[derive(Default)]
pub(crate) struct Servers {
    usual: OnceCell<Server>,
    hasty: OnceCell<Server>,
}

impl Servers {
    /// One as it is without configuration.
    fn usual(&self) -> Result<&Server> {
        started(&self.usual, &[])
    }

    /// One that lets nothing run longer than a second.
    fn hasty(&self) -> Result<&Server> {
        started(&self.hasty, &[("FAAS_LIMITS_TIMEOUT", "1s")])
    }

    /// Ends them; each has to end well.
    pub(crate) fn stop(self) -> Result<()> {
        for server in [self.usual, self.hasty].into_iter().filter_map(OnceCell::into_inner) {
            let status = server.stop()?;
            ensure!(status.success(), "the server ended with {status}");
        }
        Ok(())
    }
}

fn started<'a>(cell: &'a OnceCell<Server>, environment: &[(&str, &str)]) -> Result<&'a Server> {
    if cell.get().is_none() {
        let server = Launch::with(environment).start()?;
        ensure!(cell.set(server).is_ok(), "started twice");
    }
    cell.get().context("just started")
}

// Cargo's own commands: that cargo finds what they name. The suite itself is what they run.

fn packages() -> Result<Vec<Value>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let output = plain(cargo).args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    Ok(metadata["packages"].as_array().context("packages")?.clone())
}

fn targets(package: &str, kind: &str) -> Result<Vec<String>> {
    let packages = packages()?;
    let found = packages.iter().find(|candidate| candidate["name"] == package).context("no such package")?;
    let targets = found["targets"].as_array().context("targets")?.iter();
    let of_kind = targets.filter(|target| target["kind"][0] == kind);
    Ok(of_kind.filter_map(|target| target["name"].as_str().map(str::to_owned)).collect())
}

fn has_package(name: &str) -> Result<Outcome> {
    ensure!(packages()?.iter().any(|package| package["name"] == name), "no package {name}");
    Ok(Outcome::Works)
}

fn has_any_target(kind: &str, package: &str) -> Result<Outcome> {
    ensure!(!targets(package, kind)?.is_empty(), "{package} has no {kind}");
    Ok(Outcome::Works)
}

fn has_target(kind: &str, package: &str, name: &str) -> Result<Outcome> {
    let names = targets(package, kind)?;
    ensure!(names.iter().any(|found| found == name), "{package} has no {kind} {name}: {names:?}");
    Ok(Outcome::Works)
}

// Requests.

fn curl_prints_hello(server: &Server) -> Result<Outcome> {
    let output = sh(server, &items::text("000", "54-57", "sh")?)?;
    ensure!(output.status.success(), "{output:?}");
    let answer: Value = serde_json::from_slice(&output.stdout)?;
    holds(&answer, &json!({"status": "succeeded", "stdout": "hello\n", "language": "python", "exit_code": 0}))?;
    holds(&answer["isolation"], &json!({"level": "strict", "missing": []}))
}

/// Every member of `expected` is in `answer`.
pub(super) fn holds(answer: &Value, expected: &Value) -> Result<Outcome> {
    for (name, value) in expected.as_object().context("an object")? {
        ensure!(answer.get(name) == Some(value), "{name} is not {value}: {answer:#}");
    }
    Ok(Outcome::Works)
}

fn execute_route(server: &Server) -> Result<Outcome> {
    let body = json!({"code": "console.log('Hello World')", "language": "javascript", "mode": "ephemeral"});
    for path in ["/api/v1/execute", "/execute", "/api/v1/executions"] {
        let answer = post(server, path, &body.to_string())?.expect(200)?.json()?;
        holds(&answer, &json!({"status": "succeeded", "stdout": "Hello World\n", "mode": "ephemeral"}))?;
        ensure!(answer["execution_id"].as_str().is_some_and(|id| id.starts_with("exe_")), "{answer:#}");
    }
    Ok(Outcome::Works)
}

fn stream_route(server: &Server) -> Result<Outcome> {
    let body = json!({"code": "print('a', flush=True); raise SystemExit(3)", "language": "python"});
    let events = socket::events(server.address()?, "/api/v1/execute/stream", &body.to_string())?;
    let (first, last) = events.first().zip(events.last()).context("events")?;
    holds(first, &json!({"type": "started", "seq": 1}))?;
    holds(last, &json!({"type": "complete", "status": "failed", "exit_code": 3}))?;
    let output: String = events
        .iter()
        .filter(|event| event["type"] == "output" && event["stream"] == "stdout")
        .filter_map(|event| event["data"].as_str())
        .collect();
    ensure!(output == "a\n", "{events:#?}");
    Ok(Outcome::Works)
}

/// The printed body as it is: it runs and prints this, or it is refused.
fn body(server: &Server, lines: &str, stdout: &str) -> Result<Outcome> {
    let printed = items::text("000", lines, "json")?;
    let answer = post(server, "/api/v1/execute", &printed)?;
    if answer.status == 422 {
        let media_type = answer.header("content-type").unwrap_or_default().to_owned();
        ensure!(media_type.starts_with("application/problem+json"), "{answer:?}");
        return Ok(Outcome::Refused(answer.json()?["code"].as_str().context("a code")?.to_owned()));
    }
    let mode = serde_json::from_str::<Value>(&printed)?["mode"].clone();
    let answer = answer.expect(200)?.json()?;
    holds(&answer, &json!({"status": "succeeded", "stdout": stdout, "mode": mode}))
}

fn curl_health(server: &Server) -> Result<Outcome> {
    let output = sh(server, &items::text("001", "65-66", "sh")?)?;
    ensure!(output.status.success(), "{output:?}");
    let answer: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(answer["status"].is_string(), "{answer}");
    Ok(Outcome::Works)
}

fn unknown_key_is_local(server: &Server) -> Result<Outcome> {
    let plain = request(server, "/api/v1/limits", &[])?.expect(200)?;
    let keyed = request(server, "/api/v1/limits", &["-H", "Authorization: Bearer your-api-key"])?.expect(200)?;
    ensure!(plain.body == keyed.body, "{plain:?} {keyed:?}");
    // Whoever sends a key that nobody made is told that it did not count.
    let added =
        keyed.head.lines().filter_map(|line| line.split_once(": ")).any(|(name, _)| plain.header(name).is_none());
    ensure!(added, "no header warns of the unknown key: {}", keyed.head);
    Ok(Outcome::Works)
}

fn sample_keys_work(server: &Server) -> Result<Outcome> {
    for key in ["demo-key", "admin-key"] {
        for header in [format!("Authorization: Bearer {key}"), format!("X-API-Key: {key}")] {
            request(server, "/api/v1/executions", &["-H", &header])?.expect(200)?;
        }
    }
    Ok(Outcome::Works)
}

fn argument_program(server: &Server) -> Result<Outcome> {
    let code = items::text("003", "354-369", "py")?;
    let body = json!({"code": code, "language": "python", "contract": "argv-json", "input": {"name": "Alice"}});
    let answer = post(server, "/execute", &body.to_string())?.expect(200)?.json()?;
    holds(&answer, &json!({"status": "succeeded", "result": {"message": "Hello Alice"}}))
}

// Seed 002's commands.

const INVOKE: &str = "/functions/any-id/invoke";

/// What is answered: exactly these members, and never more.
fn members(answer: &Value, names: &[&str]) -> Result<()> {
    let object = answer.as_object().context("an object")?;
    ensure!(object.keys().map(String::as_str).eq(names.iter().copied()), "expected {names:?}: {answer}");
    Ok(())
}

fn invoke_runs_the_command(server: &Server) -> Result<Outcome> {
    let body = json!({
        "image": "ignored-for-firecracker",
        "command": ["/usr/bin/bash", "-c", "cat; echo $VAR1-$VAR2 $0 $1", "arg1", "arg2"],
        "env_vars": ["VAR1=value1", "VAR2=value2"],
        "payload": [104, 105, 10],
    });
    let answer = post(server, INVOKE, &body.to_string())?.expect(200)?.json()?;
    holds(&answer, &json!({"stdout": "hi\nvalue1-value2 arg1 arg2\n", "stderr": "", "error": null}))
}

/// As printed it is no JSON; without its comments it asks for a program that does not exist.
fn printed_invoke_body(server: &Server) -> Result<Outcome> {
    let printed = items::text("002", "85-92", "json")?;
    members(&post(server, INVOKE, &printed)?.expect(400)?.json()?, &["error"])?;
    let answer = post(server, INVOKE, &without_comments(&printed))?.expect(200)?.json()?;
    members(&answer, &["error", "stderr", "stdout"])?;
    ensure!(answer["error"].as_str().is_some_and(|error| error.contains("/path/to/executable")), "{answer}");
    Ok(Outcome::Works)
}

pub(super) fn without_comments(text: &str) -> String {
    let line = |line: &str| {
        let line = line.split(" // ").next().unwrap_or(line);
        if line.trim_start().starts_with("/*") { String::new() } else { line.to_owned() }
    };
    text.lines().map(line).collect()
}

fn invoke_answers_three_members(server: &Server) -> Result<Outcome> {
    let body = json!({"command": ["/usr/bin/bash", "-c", "echo out; echo err >&2"]});
    let answer = post(server, INVOKE, &body.to_string())?.expect(200)?.json()?;
    members(&answer, &["error", "stderr", "stdout"])?;
    holds(&answer, &json!({"stdout": "out\n", "stderr": "err\n", "error": null}))
}

fn failing_commands_are_answers(server: &Server) -> Result<Outcome> {
    let failing = json!({"command": ["/usr/bin/bash", "-c", "echo out; exit 3"]});
    for (body, stdout) in [(failing, "out\n"), (json!({"command": ["no-such-command"]}), "")] {
        let answer = post(server, INVOKE, &body.to_string())?.expect(200)?.json()?;
        members(&answer, &["error", "stderr", "stdout"])?;
        holds(&answer, &json!({"stdout": stdout}))?;
        ensure!(answer["error"].as_str().is_some_and(|error| !error.is_empty()), "{answer}");
    }
    Ok(Outcome::Works)
}

fn refusals_of_invoke(servers: &Servers) -> Result<Outcome> {
    let usual = servers.usual()?;
    for body in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"command": []}"#,
        r#"{"command": "ls"}"#,
        r#"{"command": ["ls"], "nobody_knows": 1}"#,
        r#"{"command": ["ls"], "payload": [256]}"#,
        r#"{"command": ["ls"], "env_vars": ["VAR"]}"#,
    ] {
        let answer = post(usual, INVOKE, body)?.expect(400).with_context(|| body.to_owned())?;
        members(&answer.json()?, &["error"]).with_context(|| body.to_owned())?;
    }
    let sleeps = json!({"command": ["/usr/bin/sleep", "60"]}).to_string();
    members(&post(servers.hasty()?, INVOKE, &sleeps)?.expect(504)?.json()?, &["error"])?;
    Ok(Outcome::Works)
}

// Configuration.

/// A server of this program that a variable tells its port.
fn port_variable(program: &str, variable: &str, before: &str) -> Result<Outcome> {
    let (port, _) = start_on_a_free_port(program, variable, before)?;
    ensure!(port != 0, "no port");
    Ok(Outcome::Works)
}

fn start_on_a_free_port(program: &str, variable: &str, before: &str) -> Result<(u16, Server)> {
    let mut refused = None;
    // Between the question for a free port and the start somebody else may take it.
    for _ in 0..3 {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let environment = vec![(variable, format!("{before}{port}"))];
        let launch = Launch { program, environment, listen: None, ..Launch::with(&[]) };
        match launch.start() {
            Ok(server) => {
                let address = server.address()?;
                ensure!(address == (Ipv4Addr::LOCALHOST, port).into(), "{variable}={before}{port}: {address}");
                return Ok((port, server));
            }
            Err(error) => refused = Some(error),
        }
    }
    bail!("{:#}", refused.context("never tried")?)
}

/// The line is printed for the release binary; the same program as built for tests runs here.
fn printed_start_line() -> Result<Outcome> {
    let line = items::text("002", "70", "sh")?;
    let program = line.trim().strip_prefix("./target/release/").context("a release binary")?;
    ensure!(programs()?.join(program).exists(), "{program} is not built");
    port_variable(program, "FAAS_LISTEN", ":")
}

fn starts_with(variable: &str, value: &str) -> Result<Outcome> {
    let server = Launch::with(&[(variable, value)]).start()?;
    curl_prints_hello(&server)?;
    ensure!(server.stop()?.success(), "it did not end well");
    Ok(Outcome::Works)
}

/// With its second half, whose functions are only named: the file is one.
fn printed_configuration() -> Result<Outcome> {
    let file = tempfile::NamedTempFile::with_suffix(".yaml")?;
    let halves = [items::text("001", "240-250", "yaml")?, items::text("001", "251-266", "yaml")?];
    std::fs::write(file.path(), halves.concat())?;
    let path = file.path().to_str().context("a path of text")?;
    let server = Launch::with(&[("FAAS_CONFIG_FILE", path)]).start()?;
    curl_prints_hello(&server)?;
    runs_at_once(&server, 1000)
}

fn no_container() -> Result<Outcome> {
    let server = Launch::with(&[("FAAS_DISABLE_CONTAINER", "true")]).start()?;
    let capabilities = request(&server, "/api/v1/capabilities", &[])?.expect(200)?.json()?;
    curl_prints_hello(&server)?;
    holds(&capabilities, &json!({"executor": "process"}))
}

fn start_is_refused(variable: &str, value: &str) -> Result<Outcome> {
    let (code, said) = Launch::with(&[(variable, value)]).refused()?;
    ensure!(code.is_some_and(|code| code != 0), "it ended with {code:?}: {said}");
    let (_, rest) = said.split_once("error[").with_context(|| format!("no code: {said}"))?;
    let (code, message) = rest.split_once(']').context("no code")?;
    ensure!(message.contains(variable), "the variable is not named: {said}");
    Ok(Outcome::Refused(code.to_owned()))
}

fn configuration_file() -> Result<Outcome> {
    let file = tempfile::NamedTempFile::with_suffix(".toml")?;
    std::fs::write(file.path(), "max_sandboxes = 7\n")?;
    let path = file.path().to_str().context("a path of text")?;
    runs_at_once(&Launch::with(&[("FAAS_CONFIG_FILE", path)]).start()?, 7)
}

fn concurrency_variable() -> Result<Outcome> {
    runs_at_once(&Launch::with(&[("MAX_CONCURRENT_EXECUTIONS", "10")]).start()?, 10)
}

fn runs_at_once(server: &Server, number: u64) -> Result<Outcome> {
    let stats = request(server, "/api/v1/stats", &[])?.expect(200)?.json()?;
    holds(&stats, &json!({"concurrency": number}))
}

/// The documents of the repository are where the items say.
#[test]
fn comments_are_taken_out_of_the_printed_body() -> Result<()> {
    let body = without_comments(&items::text("002", "85-92", "json")?);
    let value: Value = serde_json::from_str(&body)?;
    ensure!(value["payload"] == json!([]), "{value}");
    ensure!(root().join("tests/seeds/DEVIATIONS.md").exists(), "no deviations");
    Ok(())
}
