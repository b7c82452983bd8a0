//! Install scripts of npm packages: what they are for, and what they cannot do to anybody else.

use crate::index::FakeIndex;
use crate::{House, can};
use faas_build::{BuildError, Built, Limits, Phase};
use faas_types::{ByteSize, ErrorCode, Language};
use std::path::Path;
use std::time::{Duration, Instant};

/// Looks for everything that a script must not find, leaves it as the package's text, and a process behind.
const ATTACK: &str = r#"
const fs = require("fs"), net = require("net"), dns = require("dns"), os = require("os"), child = require("child_process");
const tried = what => { try { return what() || "done" } catch (error) { return error.code } };
const connect = (host, port) => new Promise(resolve => {
  const socket = net.connect({host, port, timeout: 5000}, () => resolve("connected"));
  socket.on("error", error => resolve(error.code)).on("timeout", () => resolve("timeout"));
});
const texts = file => fs.readdirSync("/proc").filter(name => /^\d+$/.test(name)).map(pid => {
  try { return fs.readFileSync(`/proc/${pid}/${file}`, "latin1") } catch { return "" }
});
(async () => {
  const found = {
    variables: Object.keys(process.env),
    seen: texts("environ").concat(texts("cmdline")).join(" "),
    user: os.userInfo().uid,
    index: await connect("127.0.0.1", PORT),
    elsewhere: await connect("1.1.1.1", 53),
    name: await new Promise(resolve => dns.lookup("registry.example", error => resolve(error ? error.code : "found"))),
    npm: child.spawnSync("npm", ["view", "words", "version"]).status,
    shadow: tried(() => fs.readFileSync("/etc/shadow", "utf8")),
    store: fs.existsSync("STORE"),
    usr: tried(() => fs.writeFileSync("/usr/lib/evil", "x")),
    etc: tried(() => fs.writeFileSync("/etc/evil", "x")),
    packages: tried(() => fs.writeFileSync("/packages/evil", "x")),
    root: tried(() => fs.writeFileSync("/evil", "x")),
    outside: tried(() => fs.writeFileSync("/tmp/tree/evil", "x")),
  };
  fs.writeFileSync("found.json", JSON.stringify(found));
  fs.symlinkSync("/etc/passwd", "passwd");
  fs.symlinkSync("/etc", "etc");
  fs.symlinkSync("nowhere", "dangling");
  fs.symlinkSync("found.json", "same.json");
  child.execSync("mkfifo fifo; chmod 6777 found.json");
  child.spawn("sleep", ["600"], {detached: true, stdio: "inherit"}).unref();
})();
"#;

/// What comes of one package with this script; whether its failure left something is looked at.
async fn refused(script: &str, files: &[(&str, &str)], limits: Limits) -> BuildError {
    let index = FakeIndex::start().await;
    let manifest = format!(r#","scripts":{{"postinstall":{}}}"#, serde_json::Value::from(script));
    index.npm("evil", "1.0.0", &manifest, files);
    let house = House::on(&index, limits);
    let error = house.build_of(Language::JavaScript, &["evil"], true).await.expect_err("refused");
    assert_eq!(index.strangers(), 0);
    house.ends_empty().await;
    error
}

fn or_said(built: Result<Built, BuildError>) -> Built {
    built.unwrap_or_else(|error| panic!("{error}\n{}", error.log().unwrap_or_default()))
}

#[tokio::test]
async fn install_scripts_run_in_order_and_what_they_leave_is_required() {
    if !can(Language::JavaScript) {
        return;
    }
    let index = FakeIndex::start().await;
    // By its name it would come first; it needs a program and a file of another one.
    index.npm(
        "greeter",
        "1.2.0",
        r#","scripts":{"preinstall":"echo one > order","install":"make-words ./words.js && rm secret.js","postinstall":"echo three >> order"},"dependencies":{"words":"1"}"#,
        &[("index.js", "exports.text = require('./words.js') + ' ' + require('words').end\n"), ("secret.js", "")],
    );
    index.npm(
        "words",
        "1.5.0",
        r#","bin":{"make-words":"./make.js"},"scripts":{"postinstall":"echo exports.end = \\'world\\' > end.js"}"#,
        &[
            ("index.js", "exports.end = require('./end.js').end\n"),
            ("make.js", "#!/usr/bin/env node\nrequire('./end.js')\nconsole.log('the words are made')\nrequire('fs').writeFileSync(process.argv[2], 'module.exports = \"hello\"')\nrequire('fs').appendFileSync(require.resolve('plain'), 'exports.changed = true\\n')\n"),
        ],
    );
    index.npm("plain", "1.0.0", "", &[("index.js", "exports.changed = false\n"), ("other.js", "")]);
    let house = House::on(&index, Limits::default());
    match house.build(Language::JavaScript, &["greeter", "plain"]).await {
        Err(error @ BuildError::Scripts { .. }) => {
            assert_eq!((error.code(), error.field()), (ErrorCode::DependencyRefused, "allow_build"));
            assert!(error.to_string().starts_with("greeter@1.2.0, words@1.5.0 have install scripts"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    let started = Instant::now();
    let built = or_said(house.build_of(Language::JavaScript, &["greeter", "plain"], true).await);
    println!("three packages, two of them with install scripts, in {:?}", started.elapsed());
    let lines: Vec<&str> = built.lock.lines().collect();
    let [_, greeter, plain, words] = lines.as_slice() else { panic!("{}", built.lock) };
    assert!(greeter.starts_with("greeter@1.2.0 sha256:"), "{greeter}");
    assert!(greeter.contains(" node_modules/greeter built by its install scripts for node "), "{greeter}");
    assert!(words.contains(" node_modules/words built by its install scripts for node "), "{words}");
    assert!(plain.ends_with(" node_modules/plain"), "{plain}");
    let code = "const fs = require('fs'), at = '/packages/node_modules/'\nconsole.log(require('greeter').text, require('plain').changed, fs.readFileSync(at + 'greeter/order', 'utf8').split('\\n').join(' ') + fs.readdirSync(at), fs.existsSync(at + 'greeter/secret.js'), fs.existsSync(at + 'plain/other.js'))";
    let printed = house.run(Language::JavaScript, &built, code).await;
    assert_eq!(printed, "hello world true one three greeter,plain,words false true\n");
    assert!(built.log.contains("the words are made"), "{}", built.log);
    let said = house.said.lock().expect("free").clone();
    assert!(said.contains(&(Phase::Building, "the words are made".to_owned())), "{said:?}");
    // Another list that leads to the same lock has what was built, and runs nothing.
    let again = or_said(house.build_of(Language::JavaScript, &["greeter@1.2.0", "plain", "words"], true).await);
    assert_eq!((again.packages, again.cached), (built.packages, true));
    assert!(!again.log.contains("the words are made"), "{}", again.log);
    assert_eq!(index.strangers(), 0);
    house.end().await;
}

#[tokio::test]
async fn a_package_that_another_one_brings_along_has_its_script_run() {
    if !can(Language::JavaScript) {
        return;
    }
    let index = FakeIndex::start().await;
    let inner = r#"{"name":"inner","version":"2.0.0","scripts":{"install":"echo exports.made = true > made.js"}}"#;
    let bundle = r#","dependencies":{"inner":"2.0.0"},"bundleDependencies":["inner"]"#;
    let files = [
        ("index.js", "exports.made = require('inner').made\n"),
        ("node_modules/inner/package.json", inner),
        ("node_modules/inner/index.js", "exports.made = require('./made.js').made\n"),
    ];
    index.npm("outer", "1.0.0", bundle, &files);
    let house = House::on(&index, Limits::default());
    let refused = house.build(Language::JavaScript, &["outer"]).await;
    assert!(matches!(&refused, Err(BuildError::Scripts { packages }) if packages == "outer@1.0.0"), "{refused:?}");
    let built = or_said(house.build_of(Language::JavaScript, &["outer"], true).await);
    assert!(built.lock.contains(" node_modules/outer built by its install scripts for node "), "{}", built.lock);
    assert_eq!(house.run(Language::JavaScript, &built, "console.log(require('outer').made)").await, "true\n");
    house.end().await;
}

#[tokio::test]
async fn an_install_script_that_attacks_reaches_nothing() {
    if !can(Language::JavaScript) {
        return;
    }
    let index = FakeIndex::start().await;
    let house = House::on(&index, Limits::default());
    let attack = ATTACK.replace("PORT", &index.port.to_string()).replace("STORE", &house.root.path().to_string_lossy());
    let manifest = r#","scripts":{"install":"node attack.js"}"#;
    index.npm("hostile", "1.0.0", manifest, &[("attack.js", &attack), ("index.js", "")]);
    let started = Instant::now();
    let built = or_said(house.build_of(Language::JavaScript, &["hostile"], true).await);
    assert!(started.elapsed() < Duration::from_secs(60), "nobody waits for what it left behind");
    let code = "const fs = require('fs'), at = '/packages/node_modules/hostile/'\nconsole.log(fs.readFileSync(at + 'found.json', 'utf8') + '\\n' + fs.readFileSync(at + 'same.json', 'utf8') + '\\n' + fs.readdirSync(at) + '\\n' + (fs.statSync(at + 'found.json').mode & 0o7777).toString(8))";
    let printed = house.run(Language::JavaScript, &built, code).await;
    let [found, same, names, mode] = printed.lines().collect::<Vec<_>>()[..] else { panic!("{printed}") };
    assert_eq!(
        (found, names),
        (same, "attack.js,found.json,index.js,package.json,same.json"),
        "links are files or gone"
    );
    assert_eq!(mode, "555");
    assert!(built.log.contains("node_modules/hostile/etc is left out"), "{}", built.log);
    println!("an install script finds {found}");
    let found: serde_json::Value = serde_json::from_str(found).expect("JSON");
    let variables = found["variables"].as_array().expect("a list");
    let harmless = |name: &str| {
        ["PATH", "HOME", "LANG", "TMPDIR", "INIT_CWD", "NODE", "PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"]
            .contains(&name)
            || name.starts_with("npm_")
    };
    assert!(variables.iter().all(|name| name.as_str().is_some_and(harmless)), "{variables:?}");
    assert!(!found.to_string().contains("s3cret"), "the host's credentials are not there");
    assert!(!found["seen"].as_str().expect("text").contains("127.0.0.1"), "nor a way to the index");
    assert_ne!(found["user"], 0);
    assert_ne!(found["npm"], 0);
    for (place, errors) in [
        ("index", &["ECONNREFUSED"][..]),
        ("elsewhere", &["ENETUNREACH", "ECONNREFUSED", "EACCES", "EPERM"]),
        ("name", &["EAI_AGAIN", "ENOTFOUND", "EAI_FAIL", "EAI_NODATA"]),
        ("shadow", &["EACCES", "ENOENT", "EPERM"]),
        ("usr", &["EACCES", "EROFS", "EPERM"]),
        ("etc", &["EACCES", "EROFS", "EPERM"]),
        ("packages", &["EACCES", "EROFS", "ENOENT", "EPERM"]),
        ("root", &["EACCES", "EROFS", "EPERM"]),
        ("outside", &["done"]),
    ] {
        assert!(errors.contains(&found[place].as_str().expect("text")), "{place}: {found}");
    }
    assert_eq!(found["store"], false, "installed packages of others are not there");
    assert_eq!(index.strangers(), 0, "everything that came to the index was the relay's");
    house.end().await;
}

#[tokio::test]
async fn a_script_that_fails_is_said_with_its_log() {
    if !can(Language::JavaScript) {
        return;
    }
    match refused("echo the compiler is missing >&2; echo ERROR: a lie; exit 3", &[], Limits::default()).await {
        BuildError::Failed { reason, log } => {
            assert_eq!(reason, "the install scripts failed: postinstall of node_modules/evil ended with status 3");
            assert!(log.contains("the compiler is missing"), "{log}");
        }
        other => panic!("{other:?}"),
    }
    // Words of npm's in its mouth do not make it another error.
    let script = "echo npm error 404 Not Found - GET /os; echo '/usr/bin/npm: not found'; kill -9 $$";
    match refused(script, &[], Limits::default()).await {
        BuildError::Failed { reason, .. } => assert!(reason.contains("ended with signal 9"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn manifests_that_are_made_to_break_their_reader_do_not() {
    if !can(Language::JavaScript) {
        return;
    }
    let index = FakeIndex::start().await;
    let nested = format!(r#","nested":{}{}"#, "[".repeat(5000), "]".repeat(5000));
    index.npm("nested", "1.0.0", &nested, &[]);
    index.npm("programs", "1.0.0", r#","bin":{"a":"x\u0000y","b\u0000":"index.js"}"#, &[("index.js", "")]);
    // Each of a long chain depends on the next, and the last on the first.
    let link = |number: usize| {
        let next = (number + 1) % 1100;
        let manifest = format!(r#"{{"name":"link{number}","version":"1.0.0","dependencies":{{"link{next}":"1"}}}}"#);
        (format!("node_modules/link{number}/package.json"), manifest)
    };
    let links: Vec<(String, String)> = (0..1100).map(link).collect();
    let files: Vec<(&str, &str)> = links.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    index.npm("chain", "1.0.0", r#","dependencies":{"link0":"1"},"bundleDependencies":["link0"],"scripts":{"install":"echo exports.made = 1 > index.js"}"#, &files);
    let house = House::on(&index, Limits::default());
    let built = or_said(house.build_of(Language::JavaScript, &["nested", "programs", "chain"], true).await);
    assert!(built.log.contains("node_modules/programs has a program that cannot be made one"), "{}", built.log);
    assert_eq!(house.run(Language::JavaScript, &built, "console.log(require('chain').made)").await, "1\n");
    house.end().await;
}

#[tokio::test]
async fn what_cannot_be_run_is_said_in_a_line() {
    if !can(Language::JavaScript) {
        return;
    }
    let reason = refused("echo a\0b", &[], Limits::default()).await.to_string();
    assert!(reason.contains("postinstall of node_modules/evil cannot be run: embedded null byte"), "{reason}");
}

#[tokio::test]
async fn what_scripts_say_and_leave_is_bounded() {
    if !can(Language::JavaScript) {
        return;
    }
    let failed = |error: BuildError| match error {
        BuildError::Failed { reason, .. } => reason,
        other => other.to_string(),
    };
    let line = "x".repeat(1000);
    let reason = failed(refused(&format!("yes {line}"), &[], Limits::default()).await);
    assert!(reason.contains("said more than 8Mi"), "{reason}");
    let reason = failed(refused("truncate -s 100G hole", &[], Limits::default()).await);
    assert!(reason.contains("left more than 512Mi"), "{reason}");
    // What a full disk keeps from being written is not the same as what was to be installed.
    let reason = failed(refused("cat /dev/zero > zeros; true", &[], Limits::default()).await);
    assert!(reason.contains("cannot be packed") || reason.contains("512Mi"), "{reason}");
    let few = Limits { entries: 200, ..Limits::default() };
    let reason = failed(refused("seq 1000 | xargs touch", &[], few).await);
    assert!(reason.contains("200 "), "{reason}");
    let small = Limits { unpacked: ByteSize::mib(2), ..Limits::default() };
    let reason = failed(refused("head -c 3M /dev/zero > zeros", &[], small).await);
    assert!(reason.contains("2Mi"), "{reason}");
    let noise = "head -c 40M /dev/urandom > noise";
    let reason = failed(refused(noise, &[], Limits::default()).await);
    assert!(reason.contains("what the tool made is larger than the limit of 32Mi"), "{reason}");
}

#[tokio::test]
async fn scripts_without_end_are_ended() {
    if !can(Language::JavaScript) {
        return;
    }
    let limits = Limits { time: Duration::from_secs(20), ..Limits::default() };
    let started = Instant::now();
    let error = refused("while true; do true; done", &[], limits).await;
    assert!(matches!(error, BuildError::TimedOut { .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(40));
}

/// Writes to whoever reads what the bridge says, before the bridge says what the scripts left.
const SPEAKS: &str = r#"
const fs = require("fs"), zlib = require("zlib");
const frame = (kind, number, payload) => {
  const head = Buffer.alloc(9);
  head.writeUInt8(kind), head.writeUInt32LE(number, 1), head.writeUInt32LE(payload.length, 5);
  return Buffer.concat([head, payload]);
};
const tar = (name, kind) => {
  const head = Buffer.alloc(512);
  head.write(name), head.write("0000777\0", 100), head.write("00000000000\0", 124), head.write("        ", 148);
  head.write(kind, 156), head.write("/etc", 157), head.write("ustar\x0000", 257);
  head.write([...head].reduce((sum, byte) => sum + byte).toString(8).padStart(6, "0") + "\0 ", 148);
  return zlib.gzipSync(head);
};
const bridge = fs.readdirSync("/proc").find(pid => {
  try { return fs.readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("bridge.py") } catch { return false }
});
fs.writeSync(fs.openSync(`/proc/${bridge}/fd/1`, "w"), FRAMES);
"#;

#[tokio::test]
async fn a_script_that_speaks_for_the_bridge_is_as_suspect_as_any_archive() {
    if !can(Language::JavaScript) {
        return;
    }
    for (frames, why) in [
        (r#"frame(1, 7, Buffer.from("*/*\n/secret"))"#, "asks for the index"),
        (r#"frame(4, 0, tar("node_modules/evil/etc", "2"))"#, "\"node_modules/evil/etc\" is a link"),
        (r#"frame(4, 0, tar("../../evil", "0"))"#, "leads out of the archive"),
        (r#"frame(4, 0, tar("evil", "0"))"#, "is not in node_modules"),
        (r#"Buffer.from([9, 0, 0, 0, 0, 255, 255, 255, 255])"#, "broke the protocol"),
    ] {
        let speaks = SPEAKS.replace("FRAMES", frames);
        let error = refused("node speak.js", &[("speak.js", &speaks)], Limits::default()).await;
        assert!(error.to_string().contains(why), "{frames}: {error}");
    }
}

#[tokio::test]
async fn a_binding_is_built_by_node_gyp_without_a_script_of_its_own() {
    let needed = ["/usr/bin/g++", "/usr/bin/make", "/usr/include/node/node_api.h"];
    if let Some(missing) = needed.into_iter().find(|path| !Path::new(path).exists()) {
        println!("SKIP a binding that node-gyp builds: there is no {missing}");
        return;
    }
    if !can(Language::JavaScript) {
        return;
    }
    let index = FakeIndex::start().await;
    let source = r#"
#include <node_api.h>
static napi_value start(napi_env env, napi_value exports) {
  napi_value number;
  napi_create_int32(env, 42, &number);
  napi_set_named_property(env, exports, "number", number);
  return exports;
}
NAPI_MODULE(native, start)
"#;
    let files = [
        ("binding.gyp", r#"{"targets": [{"target_name": "native", "sources": ["native.c"]}]}"#),
        ("native.c", source),
        ("index.js", "exports.number = require('./build/Release/native.node').number\n"),
    ];
    index.npm("native", "1.0.0", "", &files);
    let house = House::on(&index, Limits::default());
    let refused = house.build(Language::JavaScript, &["native"]).await;
    assert!(matches!(refused, Err(BuildError::Scripts { .. })), "{refused:?}");
    let started = Instant::now();
    let built = or_said(house.build_of(Language::JavaScript, &["native"], true).await);
    println!("a binding in {:?}", started.elapsed());
    assert_eq!(house.run(Language::JavaScript, &built, "console.log(require('native').number)").await, "42\n");
    house.end().await;
}
