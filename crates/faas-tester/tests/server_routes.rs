//! The routes file in the running server: rows live, changed, bad, shadowed, removed; the file
//! replaced. All SQL goes through the `sqlite3` command line, as people write it.

#[path = "seeds/curl.rs"]
mod curl;
#[path = "seeds/server.rs"]
mod server;

use anyhow::{Context, Result, ensure};
use curl::{Answer, post, request, sh, shell};
use faas_tester::server::until;
use serde_json::{Value, json};
use server::{Launch, Server, functions, root};
use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

/// How long anything may take that is bound to happen.
const SOON: Duration = Duration::from_secs(60);
/// How long a committed row may take until it is live.
const LIVE: Duration = Duration::from_secs(1);

fn printed(name: &str) -> Result<String> {
    Ok(fs::read_to_string(root().join("tests/seeds/printed").join(name))?)
}

fn sql(server: &Server, statements: &str) -> Result<()> {
    in_home(server, &format!("sqlite3 faas_meta.db <<'END'\n{statements}\nEND"))
}

fn in_home(server: &Server, line: &str) -> Result<()> {
    let output = shell(server)?.current_dir(server.home()).arg("-c").arg(line).output()?;
    ensure!(output.status.success(), "{line}: {output:?}");
    Ok(())
}

/// A row whose `v` has these members beside its name.
fn row(server: &Server, key: &str, name: &str, members: &Value) -> Result<()> {
    let mut value = members.clone();
    value["name"] = name.into();
    let value = value.to_string().replace('\'', "''");
    sql(server, &format!("INSERT OR REPLACE INTO functions VALUES ('{key}', '{value}', strftime('%s','now'));"))
}

/// Waits for something that the server is bound to do.
fn eventually<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(until(what, SOON, async || look()))
}

/// The details of the events that say that a route is not served.
fn refusals(server: &Server) -> Result<Vec<String>> {
    let events = request(server, "/api/v1/events", &[])?.expect(200)?.json()?;
    let items = events["items"].as_array().context("items")?.iter();
    let refused = items.filter(|event| event["kind"] == "route_refused");
    Ok(refused.filter_map(|event| event["detail"].as_str().map(str::to_owned)).collect())
}

/// Waits for an event about this row, and checks what it says.
fn refused(server: &Server, row: &str, reason: &str) -> Result<()> {
    let begins = format!("row {row}: ");
    let detail = eventually(&format!("{row} is told"), || {
        Ok(refusals(server)?.into_iter().find(|detail| detail.contains(&begins)))
    })?;
    ensure!(detail.contains(reason), "expected {reason:?}: {detail}");
    Ok(())
}

fn get(server: &Server, path: &str) -> Result<Answer> {
    request(server, path, &[])
}

/// Waits until a path gives this body.
fn gives(server: &Server, path: &str, body: &str) -> Result<()> {
    eventually(&format!("{path} gives {body}"), || Ok((get(server, path)?.body == body).then_some(())))
}

fn gone(server: &Server, path: &str) -> Result<()> {
    eventually(&format!("{path} is gone"), || Ok((get(server, path)?.status == 404).then_some(())))
}

#[test]
fn the_printed_statements_change_routes_live_and_a_bad_row_changes_nothing() -> Result<()> {
    let server = Launch::with(&[]).start()?;
    let ping = get(&server, "/ping")?.expect(503)?.json()?;
    ensure!(
        ping["code"] == "field_unsupported" && ping["detail"].as_str().is_some_and(|it| it.contains("wasm")),
        "{ping}"
    );
    ensure!(get(&server, "/api/convert")?.status == 404, "nobody has it yet");

    in_home(&server, &printed("004-101-108.sh")?)?;
    let committed = Instant::now();
    eventually("the printed row is live", || Ok((get(&server, "/api/convert")?.status == 405).then_some(())))?;
    let took = committed.elapsed();
    println!("a row was live {took:?} after its commit");
    ensure!(took <= LIVE, "a row was live after {took:?}");

    let printed_update = printed("004-217-220.sql")?;
    sql(&server, &printed_update)?;
    refused(&server, "POST:/resize", "v is not accepted")?;
    ensure!(post(&server, "/resize", "{}")?.expect(503)?.json()?["code"] == "field_unsupported", "it is as it was");

    let hello = || sh(&server, &printed("004-79-83.sh")?).map(|output| output.stdout);
    let before = hello()?;
    sql(&server, &printed_update.replace("/resize", "/api/hello"))?;
    refused(&server, "POST:/api/hello", "v is not accepted")?;
    if fs::exists("/usr/bin/php-cgi")? {
        ensure!(
            hello()? == before && before.starts_with(b"{\"message\":\"Hello, Alice!\"}"),
            "the last good version serves"
        );
    } else {
        println!("SKIP the printed PHP answers: php-cgi is not installed");
    }
    sql(&server, "DELETE FROM functions WHERE k = 'GET:/ping';")?;
    gone(&server, "/ping")?;
    ensure!(server.stop()?.success(), "it did not end well");
    Ok(())
}

#[test]
fn a_row_keeps_its_state_while_it_is_as_it_was_and_reads_its_module_again_when_it_changes() -> Result<()> {
    let server = Launch::with(&[]).start()?;
    let modules = functions(server.home());
    let counting = |word: &str| {
        format!("count = 0\ndef greet(request):\n    global count\n    count += 1\n    return f'{word} {{count}}'\n")
    };
    fs::write(modules.join("greet.py"), counting("one"))?;
    let greet = json!({"runtime": "python", "module": "greet.py", "handler": "greet", "memory": 128, "timeout": "5s"});
    row(&server, "GET:/greet", "greet", &greet)?;
    gives(&server, "/greet", "one 1")?;
    eventually("a call finds the state of another", || Ok((get(&server, "/greet")?.body != "one 1").then_some(())))?;
    fs::write(modules.join("greet.py"), counting("two"))?;
    sql(&server, "UPDATE functions SET updated = updated + 1 WHERE k = 'GET:/greet';")?;
    gives(&server, "/greet", "two 1")?;

    // A module may be a directory; its main file is found by its name.
    fs::create_dir(modules.join("several"))?;
    fs::write(modules.join("several/main.py"), "import words\ndef handle(request):\n    return words.WORD\n")?;
    fs::write(modules.join("several/words.py"), "WORD = 'several'\n")?;
    row(&server, "GET:/several", "several", &json!({"runtime": "python", "module": "several"}))?;
    gives(&server, "/several", "several")?;

    // A module that is not there, or is not what it seems, changes nothing.
    symlink("/etc/hostname", modules.join("link.py"))?;
    for (module, reason) in [("nowhere.py", "beneath none of the function roots"), ("link.py", "symbolic link")] {
        let key = format!("GET:/{module}");
        row(&server, &key, "bad", &json!({"runtime": "python", "module": module}))?;
        refused(&server, &key, reason)?;
        ensure!(get(&server, &format!("/{module}"))?.status == 404, "{module}");
    }
    row(&server, "GET:/several", "several", &json!({"runtime": "python", "module": "nowhere.py"}))?;
    refused(&server, "GET:/several", "beneath none")?;
    gives(&server, "/several", "several")?;

    // Everything a row asks for is checked, not only its form.
    row(&server, "GET:/large", "large", &json!({"runtime": "python", "module": "greet.py", "memory": "100000Gi"}))?;
    refused(&server, "GET:/large", "memory")?;
    Ok(())
}

#[test]
fn a_file_that_is_replaced_is_read_and_one_that_cannot_be_read_changes_nothing() -> Result<()> {
    let server = Launch::with(&[]).start()?;
    let home = server.home();
    fs::write(home.join("garbage"), "this is no database".repeat(1000))?;
    fs::rename(home.join("garbage"), home.join("faas_meta.db"))?;
    eventually("garbage is told", || {
        Ok(refusals(&server)?.into_iter().find(|detail| detail.contains("cannot be read as a database")))
    })?;
    get(&server, "/ping")?.expect(503)?;

    fs::remove_file(home.join("faas_meta.db"))?;
    in_home(
        &server,
        r#"sqlite3 new.db "CREATE TABLE functions (k TEXT PRIMARY KEY, v TEXT, updated INTEGER);
           INSERT INTO functions VALUES ('GET:/pong', '{\"name\":\"pong\",\"runtime\":\"wasm\",\"module\":\"pong.wasm\"}', 1);"
           mv new.db faas_meta.db"#,
    )?;
    eventually("the new file's row is live", || Ok((get(&server, "/pong")?.status == 503).then_some(())))?;
    gone(&server, "/ping")
}

#[test]
fn a_deployed_route_goes_before_a_row() -> Result<()> {
    let server = Launch::with(&[]).start()?;
    let code = "def handle(request):\n    return 'deployed'\n";
    let function = json!({"name": "first", "runtime": "python", "code": code, "routes": ["GET:/both"]});
    post(&server, "/api/v1/functions", &function.to_string())?.expect(201)?;
    row(&server, "GET:/both", "second", &json!({"runtime": "wasm", "module": "second.wasm"}))?;
    refused(&server, "GET:/both", "the route GET:/both of the function first goes before it")?;
    ensure!(get(&server, "/both")?.expect(200)?.body == "deployed", "the deployed one answers");
    request(&server, "/api/v1/functions/first", &["-X", "DELETE"])?;
    eventually("the row answers once nothing goes before it", || {
        Ok((get(&server, "/both")?.status == 503).then_some(()))
    })
}
