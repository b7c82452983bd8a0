//! The source of functions on the built server: archives as `tar` and `zip` make them and as attackers make them,
//! sent by `curl` and by `faas`, and modules of the host. The number in a name is the row in the list of hostile
//! inputs.

#[path = "seeds/curl.rs"]
mod curl;
#[path = "seeds/server.rs"]
mod server;

use anyhow::{Context, Result, ensure};
use curl::{post, request, shell};
use serde_json::{Value, json};
use server::{Launch, Server, functions};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

const FUNCTIONS: &str = "/api/v1/functions";
const MAIN: &str = "import lib.words\ndef handle(request):\n    return lib.words.WORD\n";

/// Runs a line in the server's home, which has to succeed; what it printed.
fn run(server: &Server, line: &str) -> Result<String> {
    let output = shell(server)?.current_dir(server.home()).arg("-c").arg(line).output()?;
    ensure!(output.status.success(), "{line}: {output:?}");
    Ok(String::from_utf8(output.stdout)?)
}

/// A folder `hello` in the server's home, whose answer is this word.
fn folder(server: &Server, word: &str) -> Result<()> {
    let folder = server.home().join("hello");
    fs::create_dir_all(folder.join("lib"))?;
    fs::write(folder.join("main.py"), MAIN)?;
    fs::write(folder.join("lib/words.py"), format!("WORD = '{word}'\n"))?;
    fs::write(folder.join("tool"), "#!/bin/sh\n")?;
    fs::set_permissions(folder.join("tool"), fs::Permissions::from_mode(0o755))?;
    Ok(())
}

fn answers(server: &Server, function: &str, word: &str) -> Result<()> {
    let answer = request(server, &format!("{FUNCTIONS}/{function}/http"), &[])?.expect(200)?;
    ensure!(answer.body == word, "{function}: expected {word:?}: {answer:?}");
    Ok(())
}

#[test]
fn an_archive_of_every_kind_is_a_function_by_one_line_of_curl() -> Result<()> {
    let server = Launch::with(&[]).start()?;
    for (name, pack) in [
        ("tar", "tar -c -C hello ."),
        ("targz", "tar -cz -C hello ."),
        ("pax", "tar -cz --format=pax -C hello ."),
        ("zip", "cd hello && zip -qr - ."),
    ] {
        folder(&server, name)?;
        let curl = format!(
            "curl -sf localhost:8080{FUNCTIONS} -F 'function={{\"name\":\"{name}\",\"runtime\":\"python\"}};type=application/json' -F source=@-"
        );
        let made: Value = serde_json::from_str(&run(&server, &format!("({pack}) | {curl}"))?)?;
        ensure!(made["files"]["tool"]["executable"] == true, "{name}: {made}");
        ensure!(made["files"]["main.py"]["executable"] == false, "{name}: {made}");
        answers(&server, name, name)?;
    }

    folder(&server, "changed")?;
    let change = "curl -sf -X PUT localhost:8080/api/v1/functions/tar -F 'function={\"timeout\": 5}' -F source=@-";
    let changed: Value = serde_json::from_str(&run(&server, &format!("tar -cz -C hello . | {change}"))?)?;
    ensure!(changed["version"] == 2 && changed["timeout_ms"] == 5000, "{changed}");
    answers(&server, "tar", "changed")?;
    answers(&server, "tar@1", "tar")?;
    ensure!(server.stop()?.success(), "it did not end well");
    Ok(())
}

#[test]
fn an_archive_is_deployed_as_its_folder_is() -> Result<()> {
    let server = Launch::with(&[]).start()?;
    folder(&server, "one")?;
    fs::write(server.home().join("hello/faas.yaml"), "name: packed\ntimeout: 5s\n")?;
    let faas = format!("FAAS_SERVER=http://{} faas", server.address()?);
    let made = run(&server, &format!("tar -czf hello.tar.gz -C hello . && {faas} deploy hello.tar.gz"))?;
    ensure!(made.starts_with("packed: made; version 1 is live"), "{made}");
    answers(&server, "packed", "one")?;
    let same = run(&server, &format!("{faas} deploy hello"))?;
    ensure!(same.starts_with("packed: nothing changed"), "{same}");
    folder(&server, "two")?;
    let again = run(&server, &format!("(cd hello && zip -qr ../hello.zip .) && {faas} deploy hello.zip"))?;
    ensure!(again.starts_with("packed: version 2 is live") && again.contains("lib/words.py: changed"), "{again}");
    answers(&server, "packed", "two")?;

    // Without faas.yaml it has the archive's name, and the language of its main file.
    run(&server, &format!("tar -czf bare.tgz -C hello main.py lib && {faas} deploy bare.tgz"))?;
    answers(&server, "bare", "two")?;
    let evil = run(
        &server,
        &format!("ln -s /etc hello/etc; tar -cf evil.tar -C hello .; {faas} deploy evil.tar 2>&1 || true"),
    )?;
    ensure!(evil.contains("etc\" is a link"), "{evil}");
    ensure!(server.stop()?.success(), "it did not end well");
    Ok(())
}

/// Makes an archive with a few lines of Python and sends it; it must be refused, by a text with this in it.
fn refused(server: &Server, script: &str, status: u16, part: &str) -> Result<()> {
    let place = server.home().join("evil");
    let script = format!(
        "import io, sys, tarfile, zipfile, gzip, struct\nout = {:?}\nsrc = io.BytesIO(b'x')\n{script}\n",
        place.display().to_string()
    );
    let made = server::plain("python3").arg("-c").arg(&script).output()?;
    ensure!(made.status.success(), "{script}: {made:?}");
    let source = format!("source=@{}", place.display());
    let function = "function={\"name\": \"evil\", \"runtime\": \"python\"};type=application/json";
    let answer = request(server, FUNCTIONS, &["-F", function, "-F", &source])?;
    let problem = answer.json()?;
    let detail = problem["detail"].as_str().unwrap_or_default();
    ensure!(answer.status == status && problem["field"] == "source", "{script}: {answer:?}");
    ensure!(detail.contains(part) && detail.contains("accepted"), "{script}: expected {part:?}: {detail}");
    Ok(())
}

/// A tar archive whose entry is made by these lines.
fn tar(entry: &str) -> String {
    format!(
        "entry = tarfile.TarInfo('evil')\nentry.size = 1\n{entry}\nwith tarfile.open(out, 'w:gz') as tar: tar.addfile(entry, src)"
    )
}

fn zip(entry: &str) -> String {
    format!("with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as zip:\n    {entry}")
}

#[test]
fn row_100_hostile_zips_are_refused_by_the_server() -> Result<()> {
    let server = Launch::with(&[]).start()?;
    for (entry, status, part) in [
        ("zip.writestr('../evil', 'x')", 400, "../evil"),
        ("zip.writestr('/etc/cron.d/evil', 'x')", 400, "/etc/cron.d/evil"),
        (
            "link = zipfile.ZipInfo('link'); link.external_attr = 0o120777 << 16; link.create_system = 3; zip.writestr(link, '/etc'); zip.writestr('link/passwd', 'x')",
            400,
            "\"link\" is a link",
        ),
        ("zip.writestr('bomb', bytes(15 << 20))", 413, "100 times its packed size"),
        ("zip.writestr('bomb', bytes(20 << 20))", 413, "16Mi"),
        ("[zip.writestr(str(number), '') for number in range(9000)]", 413, "8192 entries"),
        ("zip.writestr('twice', 'x'); zip.writestr('twice', 'y')", 400, "duplicate"),
    ] {
        refused(&server, &zip(entry), status, part)?;
    }
    // Two entries of the directory point to the same bytes.
    let overlapping = format!(
        "{}\nbytes = bytearray(open(out, 'rb').read())\nat = bytes.rindex(b'PK\\x01\\x02') + 42\nbytes[at:at + 4] = bytes[at:at + 4].__class__(4)\nopen(out, 'wb').write(bytes)",
        zip("zip.writestr('a', 'x'); zip.writestr('b', 'x')")
    );
    refused(&server, &overlapping, 400, "inconsistency")?;
    nothing_was_made(server)
}

#[test]
fn row_101_hostile_tars_are_refused_by_the_server() -> Result<()> {
    let server = Launch::with(&[]).start()?;
    for (entry, status, part) in [
        ("entry.type = tarfile.LNKTYPE; entry.linkname = '/etc/passwd'; entry.size = 0", 400, "\"evil\" is a link"),
        ("entry.type = tarfile.SYMTYPE; entry.linkname = '/etc/passwd'; entry.size = 0", 400, "\"evil\" is a link"),
        ("entry.type = tarfile.CHRTYPE; entry.size = 0", 400, "\"evil\" is a link"),
        ("entry.type = tarfile.FIFOTYPE; entry.size = 0", 400, "\"evil\" is a link"),
        ("entry.mode = 0o4755", 400, "\"evil\" is setuid"),
        ("entry.pax_headers = {'path': '../../etc/cron.d/evil'}", 400, "../../etc/cron.d/evil"),
        ("entry.pax_headers = {'GNU.sparse.major': '1', 'GNU.sparse.realsize': str(8 << 60)}", 400, "sparse"),
        ("entry.type = tarfile.GNUTYPE_SPARSE", 400, "special file"),
        ("entry.name = '../evil'", 400, "../evil"),
    ] {
        refused(&server, &tar(entry), status, part)?;
    }
    let exabytes = "entry = tarfile.TarInfo('evil')\nentry.size = 8 << 60\nopen(out, 'wb').write(entry.tobuf(tarfile.GNU_FORMAT) + bytes(1024))";
    refused(&server, exabytes, 413, "16Mi")?;
    let cut = format!("{}\nbytes = gzip.open(out).read()\nopen(out, 'wb').write(bytes[:1024])", tar(""));
    refused(&server, &cut, 400, "cut off")?;
    refused(&server, "open(out, 'w').write('#!/bin/sh\\n' * 100)", 400, "no archive")?;
    nothing_was_made(server)
}

/// That no function came of all that, and that the server works.
fn nothing_was_made(server: Server) -> Result<()> {
    let listed = request(&server, FUNCTIONS, &[])?.expect(200)?.json()?;
    ensure!(listed["items"] == json!([]), "{listed}");
    folder(&server, "well")?;
    run(
        &server,
        "tar -cz -C hello . | curl -sf localhost:8080/api/v1/functions -F 'function={\"name\":\"good\"}' -F source=@-",
    )?;
    answers(&server, "good", "well")?;
    ensure!(server.stop()?.success(), "it did not end well");
    Ok(())
}

fn deployed(server: &Server, body: &Value) -> Result<Value> {
    post(server, FUNCTIONS, &body.to_string())?.expect(201)?.json()
}

#[test]
fn a_module_of_the_host_becomes_a_version_that_never_changes() -> Result<()> {
    let server = Launch::with(&[]).start()?;
    let roots = functions(server.home());
    let greet = |word: &str| format!("def handle(request):\n    return '{word}'\n");
    fs::write(roots.join("greet.py"), greet("one"))?;
    let made = deployed(&server, &json!({"name": "greet", "runtime": "python", "module": "greet.py"}))?;
    ensure!(made["main"] == "greet.py" && made["module"].is_null(), "{made}");
    answers(&server, "greet", "one")?;
    fs::write(roots.join("greet.py"), greet("two"))?;
    answers(&server, "greet", "one")?;
    let body = json!({"module": "greet.py"}).to_string();
    let put = ["-X", "PUT", "-H", "Content-Type: application/json", "--data-binary", &body];
    request(&server, &format!("{FUNCTIONS}/greet"), &put)?.expect(200)?;
    answers(&server, "greet", "two")?;
    answers(&server, "greet@1", "one")?;

    fs::create_dir(roots.join("site"))?;
    fs::write(roots.join("site/main.py"), MAIN)?;
    fs::create_dir(roots.join("site/lib"))?;
    fs::write(roots.join("site/lib/words.py"), "WORD = 'site'\n")?;
    let whole = roots.join("site");
    deployed(&server, &json!({"name": "site", "runtime": "python", "module": whole.display().to_string()}))?;
    answers(&server, "site", "site")?;

    symlink("/etc", roots.join("etc"))?;
    fs::write(server.home().join("outside.py"), greet("secret"))?;
    let outside = server.home().join("outside.py").display().to_string();
    for (module, code, part) in [
        ("../outside.py", "invalid_field", "no path"),
        (outside.as_str(), "file_refused", "beneath none"),
        ("/etc/passwd", "file_refused", "beneath none"),
        ("nowhere.py", "file_refused", "beneath none"),
        ("etc/passwd", "file_refused", "symbolic link"),
    ] {
        let body = json!({"name": "bad", "runtime": "python", "module": module}).to_string();
        let problem = post(&server, FUNCTIONS, &body)?.expect(400)?.json()?;
        let detail = problem["detail"].as_str().context("a text")?;
        ensure!(problem["code"] == code && problem["field"] == "module" && detail.contains(part), "{problem}");
        ensure!(!names(detail, server.home()), "it tells where the roots are: {detail}");
    }
    ensure!(server.stop()?.success(), "it did not end well");
    Ok(())
}

fn names(text: &str, place: &Path) -> bool {
    text.contains(&place.display().to_string())
}
