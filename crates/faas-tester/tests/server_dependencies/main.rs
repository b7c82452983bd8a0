//! Dependencies on the built server, from an index of the test's own: refused, missing, slow, and with an attack
//! in what builds them.
#![expect(clippy::print_stdout, reason = "a test that cannot run here says so")]

use anyhow::{Context, Result, ensure};
use faas_tester::server::{Connection, DataDirectory, Event, EventStream, Options, ask, done};
use serde_json::{Value, json};
use std::future::Future;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::task::LocalSet;

/// How long anything may take that is bound to happen.
const SOON: Duration = Duration::from_secs(60);
const FUNCTIONS: &str = "/api/v1/functions";
/// What the server proves to the index who it is with.
const USER: &str = "reader:s3cret-of-the-host";

/// The index; its process ends with it.
struct Index {
    process: Child,
    address: SocketAddr,
}

impl Index {
    fn start() -> Result<Self> {
        let program = include_str!("index.py");
        let mut process = Command::new("/usr/bin/python3")
            .args(["-I", "-c", program])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("python3 for the index")?;
        let mut line = String::new();
        let mut lines = BufReader::new(process.stdout.take().context("its output")?);
        lines.read_line(&mut line)?;
        let port: u16 = line.trim().parse().with_context(|| format!("a port, not {line:?}"))?;
        Ok(Self { process, address: SocketAddr::from(([127, 0, 0, 1], port)) })
    }

    /// Asks it to do something.
    async fn ask(&self, path: &str) -> Result<Value> {
        let (status, answer) = ask(&mut Connection::open(self.address).await?, "GET", path, None).await?;
        ensure!(status == 200, "{path} of the index: {status}");
        Ok(answer)
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Runs a trial on a server of its own with an index of its own, where pip is there.
fn on_server<F: Future<Output = Result<()>>>(name: &str, trial: impl FnOnce(SocketAddr, Index) -> F) -> Result<()> {
    with_tools(name, &["/usr/lib/python3/dist-packages/pip", "/usr/bin/python3"], trial)
}

/// The same where these tools are there.
fn with_tools<F: Future<Output = Result<()>>>(
    name: &str,
    needed: &[&str],
    trial: impl FnOnce(SocketAddr, Index) -> F,
) -> Result<()> {
    if let Some(missing) = needed.iter().find(|path| !Path::new(path).exists()) {
        println!("SKIP {name}: there is no {missing}");
        return Ok(());
    }
    let index = Index::start()?;
    let data = DataDirectory::make()?;
    let server = Options::new(data.path())
        .variable("PIP_INDEX_URL", format!("http://{USER}@{}/simple", index.address))
        .variable("NPM_CONFIG_REGISTRY", format!("http://{USER}@{}", index.address))
        .variable("FAAS_TEST_SECRET", "s3cret-of-the-server")
        .start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ran = LocalSet::new().block_on(&runtime, trial(server.address(), index));
    ran.with_context(|| server.last_lines())?;
    server.stop(SOON)
}

/// What a function answers.
async fn called(connection: &mut Connection, function: &str) -> Result<Value> {
    let record = done(connection, "POST", &format!("{FUNCTIONS}/{function}/invoke"), json!({})).await?;
    ensure!(record["status"] == "succeeded", "{record}");
    Ok(record["result"].clone())
}

/// What a change tells while it is made: its progress, and how it ends.
async fn heard(mut connection: Connection, method: &str, path: &str, body: &Value) -> Result<(Vec<Value>, Event)> {
    connection.send(method, path, &[("accept", "text/event-stream")], Some(body)).await?;
    ensure!(connection.head().await?.status == 200);
    let (mut stream, mut heard, mut last) = (EventStream::new(connection), Vec::new(), None);
    while let Some(event) = stream.next().await? {
        match event.name.as_str() {
            "progress" => heard.push(event.data),
            _ => last = Some(event),
        }
    }
    Ok((heard, last.context("an end")?))
}

/// What code of a package found that was to find nothing.
fn reached_nothing(found: &Value) -> Result<()> {
    let found: Value = serde_json::from_str(found.as_str().context("text")?)?;
    let seen = found["seen"].as_str().context("what it saw")?;
    ensure!(seen.contains("PATH") && !seen.contains("s3cret") && !seen.contains("127.0.0.1"), "{seen}");
    for tried in ["index", "elsewhere", "usr", "packages", "shadow"] {
        ensure!(found[tried].as_str().is_some_and(|text| text.starts_with("refused: ")), "{tried}: {found}");
    }
    Ok(())
}

fn python(name: &str, code: &str, dependencies: &[&str]) -> Value {
    let code = format!("def handle(request):\n    {code}\n");
    json!({"name": name, "runtime": "python", "code": code, "dependencies": dependencies})
}

/// Row 94: what is no name with versions never reaches a tool.
#[test]
fn row_94_hostile_dependencies_are_refused_at_the_door() -> Result<()> {
    on_server("row_94_hostile_dependencies_are_refused_at_the_door", |address, index| async move {
        let mut connection = Connection::open(address).await?;
        done(&mut connection, "POST", FUNCTIONS, python("steady", "return 1", &[])).await?;
        for runtime in ["python", "javascript"] {
            for entry in ["--index-url=http://x", "-r /etc/passwd", "git+ssh://git@host/x", "a; rm -rf /"] {
                let body =
                    json!({"name": "hostile", "runtime": runtime, "code": "x", "dependencies": ["words", entry]});
                let (status, refused) = ask(&mut connection, "POST", FUNCTIONS, Some(&body)).await?;
                let what = (&refused["code"], &refused["field"]);
                ensure!(status == 400 && what == (&json!("invalid_field"), &json!("dependencies")), "{refused}");
                let detail = refused["detail"].as_str().unwrap_or_default();
                ensure!(detail.contains(&format!("{entry:?}")) && detail.contains("accepted: "), "{detail}");
                let patch = json!({"dependencies": [entry], "runtime": runtime});
                let (status, refused) =
                    ask(&mut connection, "PUT", &format!("{FUNCTIONS}/steady"), Some(&patch)).await?;
                ensure!(status == 400 && refused["field"] == "dependencies", "{refused}");
            }
        }
        let (status, _) = ask(&mut connection, "GET", &format!("{FUNCTIONS}/hostile"), None).await?;
        ensure!(status == 404, "nothing was made");
        ensure!(called(&mut connection, "steady").await? == 1 && index.ask("/asked").await? == json!([]));
        Ok(())
    })
}

/// Row 94: a package whose `setup.py` attacks is not built unless that is allowed, and then reaches nothing.
#[test]
fn row_94_a_setup_py_that_attacks_reaches_nothing() -> Result<()> {
    on_server("row_94_a_setup_py_that_attacks_reaches_nothing", |address, index| async move {
        let mut connection = Connection::open(address).await?;
        let mut body = python("attacked", "import attack; return attack.FOUND", &["attack"]);
        let (status, refused) = ask(&mut connection, "POST", FUNCTIONS, Some(&body)).await?;
        ensure!(status == 422 && refused["code"] == "dependency_not_found", "{status} {refused}");
        ensure!(!index.ask("/asked").await?.to_string().contains("tar.gz"), "it is not even fetched");

        body["allow_build"] = json!(true);
        let (heard, last) = heard(connection, "POST", FUNCTIONS, &body).await?;
        ensure!(last.name == "function", "{last:?}");
        for phase in ["resolving", "fetching", "building", "unpacking"] {
            ensure!(heard.iter().any(|told| told["phase"] == phase), "{phase} is not in {heard:?}");
        }
        let lock = last.data["lock"].as_str().unwrap_or_default();
        ensure!(lock.contains(" attack-1.0-py3-none-any.whl built from attack-1.0.tar.gz"), "{lock}");

        let mut connection = Connection::open(address).await?;
        reached_nothing(&called(&mut connection, "attacked").await?)?;
        let asked = index.ask("/asked").await?.to_string();
        ensure!(asked.contains("/files/attack-1.0.tar.gz") && !asked.contains("\"/\""), "{asked}");
        Ok(())
    })
}

/// Row 94: install scripts of npm's do not run unless that is allowed, and then reach nothing; one that fails is
/// a deploy that fails.
#[test]
fn row_94_an_install_script_that_attacks_reaches_nothing() -> Result<()> {
    let (name, needed) = (
        "row_94_an_install_script_that_attacks_reaches_nothing",
        ["/usr/bin/python3", "/usr/bin/npm", "/usr/bin/node"],
    );
    with_tools(name, &needed, |address, index| async move {
        let mut connection = Connection::open(address).await?;
        let code = "const fs = require('fs')\n\
                    exports.handle = () => fs.readFileSync(require.resolve('attack/found.json'), 'utf8')\n";
        let mut body = json!({"name": "attacked", "runtime": "javascript", "code": code, "dependencies": ["attack"]});
        let (status, refused) = ask(&mut connection, "POST", FUNCTIONS, Some(&body)).await?;
        let what = (&refused["code"], &refused["field"]);
        ensure!(status == 422 && what == (&json!("dependency_refused"), &json!("allow_build")), "{refused}");
        ensure!(refused["detail"].as_str().is_some_and(|detail| detail.starts_with("attack@1.0.0 ")), "{refused}");

        body["allow_build"] = json!(true);
        let (told, last) = heard(connection, "POST", FUNCTIONS, &body).await?;
        ensure!(last.name == "function", "{last:?}");
        ensure!(told.contains(&json!({"phase": "building", "line": "the script runs"})), "{told:?}");
        let lock = last.data["lock"].as_str().unwrap_or_default();
        ensure!(lock.contains(" node_modules/attack built by its install scripts for node "), "{lock}");
        let mut connection = Connection::open(address).await?;
        reached_nothing(&called(&mut connection, "attacked").await?)?;

        let place = format!("{FUNCTIONS}/attacked");
        let patch = json!({"dependencies": ["attack", "failing"]});
        let (status, refused) = ask(&mut connection, "PUT", &place, Some(&patch)).await?;
        ensure!(status == 502 && refused["code"] == "build_failed", "{status} {refused}");
        let detail = refused["detail"].as_str().unwrap_or_default();
        ensure!(detail.contains("postinstall of node_modules/failing ended with status 3"), "{refused}");
        ensure!(refused["log"].as_str().is_some_and(|log| log.contains("the compiler is missing")), "{refused}");
        let (_, shown) = ask(&mut connection, "GET", &place, None).await?;
        ensure!((&shown["version"], &shown["newest"]) == (&json!(1), &json!(1)), "{shown}");
        reached_nothing(&called(&mut connection, "attacked").await?)?;
        ensure!(!index.ask("/asked").await?.to_string().contains("\"/\""), "nothing but the relay asked");
        Ok(())
    })
}

#[test]
fn a_dependency_that_does_not_exist_fails_its_deploy_and_nothing_else() -> Result<()> {
    on_server("a_dependency_that_does_not_exist_fails_its_deploy_and_nothing_else", |address, index| async move {
        let mut connection = Connection::open(address).await?;
        let code = "import words; return words.HELLO";
        let made = done(&mut connection, "POST", FUNCTIONS, python("greeter", code, &["words"])).await?;
        ensure!(made["lock"].as_str().is_some_and(|lock| lock.contains("words==1.0 sha256:")), "{made}");
        let patch = json!({"dependencies": ["words", "no-such-package"]});
        let place = format!("{FUNCTIONS}/greeter");
        let (status, refused) = ask(&mut connection, "PUT", &place, Some(&patch)).await?;
        ensure!(status == 422 && refused["code"] == "dependency_not_found", "{status} {refused}");
        ensure!(refused["detail"].as_str().is_some_and(|detail| detail.contains("no-such-package")), "{refused}");
        ensure!(refused["log"].as_str().is_some_and(|log| log.contains("no-such-package")), "{refused}");
        ensure!(!refused.to_string().contains("s3cret"), "{refused}");
        let (_, shown) = ask(&mut connection, "GET", &place, None).await?;
        ensure!((&shown["version"], &shown["newest"]) == (&json!(1), &json!(1)), "{shown}");
        ensure!(called(&mut connection, "greeter").await? == "hello");

        // The same, heard while it happens.
        let (_, last) = heard(connection, "PUT", &place, &patch).await?;
        let said = (last.name.as_str(), &last.data["code"], &last.data["status"]);
        ensure!(said == ("error", &json!("dependency_not_found"), &json!(422)), "{last:?}");
        // It ends after everything else.
        drop(index);
        Ok(())
    })
}

#[test]
fn a_function_that_is_started_again_finds_its_packages_loaded() -> Result<()> {
    on_server("a_function_that_is_started_again_finds_its_packages_loaded", |address, index| async move {
        let mut connection = Connection::open(address).await?;
        for (name, code) in
            [("marks", "import marked; return marked.MARK"), ("looks", "import sys; return 'marked' in sys.modules")]
        {
            let mut body = python(name, code, &["marked"]);
            body["mode"] = json!("ephemeral");
            done(&mut connection, "POST", FUNCTIONS, body).await?;
        }
        // What was loaded once has the same mark in every program.
        let until = Instant::now() + SOON;
        let mut before = called(&mut connection, "marks").await?;
        loop {
            let now = called(&mut connection, "marks").await?;
            if now == before {
                break;
            }
            ensure!(Instant::now() < until, "{now} and {before} were loaded anew within {SOON:?}");
            before = now;
        }
        // It is the lock's: another function with the same has it, and sees nothing of what it does not import.
        ensure!(called(&mut connection, "looks").await? == false);
        ensure!(called(&mut connection, "marks").await? == before);
        drop(index);
        Ok(())
    })
}

#[test]
fn an_update_during_a_build_is_made_at_once_and_not_lost() -> Result<()> {
    on_server("an_update_during_a_build_is_made_at_once_and_not_lost", |address, index| async move {
        let mut admin = Connection::open(address).await?;
        let place = format!("{FUNCTIONS}/steady");
        done(&mut admin, "POST", FUNCTIONS, python("steady", "return 1", &[])).await?;

        let mut building = Connection::open(address).await?;
        let patch = json!({"dependencies": ["slow"]});
        building.send("PUT", &place, &[], Some(&patch)).await?;
        index.ask("/wait/slow").await?;
        ensure!(called(&mut admin, "steady").await? == 1, "what is live is called while another version is built");
        let updated = done(&mut admin, "PUT", &place, json!({"timeout": 7})).await?;
        ensure!(updated["version"] == 2, "{updated}");
        index.ask("/release/slow").await?;
        ensure!(building.head().await?.status == 200);
        while building.piece().await?.is_some() {}
        let (_, both) = ask(&mut admin, "GET", &place, None).await?;
        let what = (&both["version"], &both["timeout_ms"], &both["dependencies"]);
        ensure!(what == (&json!(3), &json!(7000), &json!(["slow"])), "{both}");

        // Who names what it has seen is told that it is another one by now.
        let etag = format!("\"{}\"", both["etag"].as_str().context("an etag")?);
        let patch = json!({"dependencies": ["slower"]});
        building.send("PUT", &place, &[("if-match", &etag)], Some(&patch)).await?;
        index.ask("/wait/slower").await?;
        done(&mut admin, "PUT", &place, json!({"timeout": 8})).await?;
        index.ask("/release/slower").await?;
        ensure!(building.head().await?.status == 412);
        while building.piece().await?.is_some() {}
        let (_, shown) = ask(&mut admin, "GET", &place, None).await?;
        let what = (&shown["version"], &shown["timeout_ms"], &shown["dependencies"]);
        ensure!(what == (&json!(4), &json!(8000), &json!(["slow"])), "{shown}");
        ensure!(called(&mut admin, "steady").await? == 1);
        Ok(())
    })
}
