//! Packages that are built from their source: what their code can do while it is built, which is nothing to
//! anybody else.

use crate::index::FakeIndex;
use crate::{House, can};
use faas_build::{BuildError, Limits, Phase};
use faas_types::Language;
use std::time::{Duration, Instant};

/// What builds packages here: it runs `setup.py`, as the usual one does, and makes a wheel of what that leaves
/// in `WHEEL`, a name and a dictionary of files.
const BACKEND: &str = r#"
import zipfile

class Legacy:
    def get_requires_for_build_wheel(self, settings=None):
        return []

    def build_wheel(self, directory, settings=None, metadata=None):
        left = {"__name__": "__main__"}
        with open("setup.py") as file:
            exec(compile(file.read(), "setup.py", "exec"), left)
        name, files = left["WHEEL"]
        info = "-".join(name.split("-")[:2]) + ".dist-info/"
        files = dict(files)
        package, version = name.split("-")[:2]
        files.setdefault(info + "METADATA", "Metadata-Version: 2.1\nName: %s\nVersion: %s\n" % (package, version) + left.get("NEEDS", ""))
        files.setdefault(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        files.setdefault(info + "RECORD", "")
        with zipfile.ZipFile(directory + "/" + name, "w") as wheel:
            for path, text in files.items():
                wheel.writestr(path, text)
        return name

__legacy__ = Legacy()
"#;

/// Looks for everything that a build must not find, and leaves what it found as the package's text.
const ATTACK: &str = r#"
import glob, json, os, socket

def tried(what):
    try:
        return what() or "done"
    except BaseException as error:
        return type(error).__name__

def connect(address):
    with socket.create_connection(address, timeout=5) as connection:
        connection.sendall(b"GET /simple/ HTTP/1.0\r\n\r\n")
        return connection.recv(100).decode()

def write(path):
    with open(path, "w") as file:
        file.write("x")

def environments():
    texts = []
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            texts.append(open(path, "rb").read().decode("latin-1"))
        except OSError:
            pass
    return texts

FOUND = {
    "variables": sorted(os.environ),
    "environments": " ".join(environments()),
    "user": os.getuid(),
    "kernel": tried(socket.if_nameindex),
    "index": tried(lambda: connect(("127.0.0.1", PORT))),
    "elsewhere": tried(lambda: connect(("1.1.1.1", 53))),
    "name": tried(lambda: socket.gethostbyname("localhost.example")),
    "shadow": tried(lambda: open("/etc/shadow").read()),
    "store": os.path.exists("STORE"),
    "usr": tried(lambda: write("/usr/lib/python3/dist-packages/evil.py")),
    "etc": tried(lambda: write("/etc/evil")),
    "packages": tried(lambda: write("/packages/evil.py")),
    "root": tried(lambda: write("/evil")),
}
WHEEL = ("hostile-1.0-py3-none-any.whl", {"hostile.py": "FOUND = %r" % json.dumps(FOUND)})
NEEDS = "Requires-Dist: words\n"
"#;

async fn index() -> FakeIndex {
    let index = FakeIndex::start().await;
    index.wheel("setuptools", "68.0", &[], &[("setuptools/__init__.py", ""), ("setuptools/build_meta.py", BACKEND)]);
    index.wheel("wheel", "0.40", &[], &[("wheel/__init__.py", "")]);
    index
}

#[tokio::test]
async fn a_source_is_built_where_its_attacks_reach_nothing() {
    if !can(Language::Python) {
        return;
    }
    let index = index().await;
    let house = House::on(&index, Limits::default());
    let attack = ATTACK.replace("PORT", &index.port.to_string()).replace("STORE", &house.root.path().to_string_lossy());
    index.wheel("greeter", "1.2", &["hostile>=1"], &[("greeter.py", "import hostile, words\n")]);
    index.source("hostile", "1.0", &[("setup.py", &attack)]);
    index.wheel("words", "1.5", &[], &[("words.py", "")]);
    let started = Instant::now();
    let built = house.build_sources(&["greeter"]).await.unwrap_or_else(|error| panic!("{error}\n{:?}", error.log()));
    println!("one package built from its source in {:?}", started.elapsed());
    let lines: Vec<&str> = built.lock.lines().collect();
    let [_, _, hostile, _] = lines.as_slice() else { panic!("{}", built.lock) };
    assert!(hostile.starts_with("hostile==1.0 sha256:"), "{hostile}");
    assert!(hostile.contains(" hostile-1.0-py3-none-any.whl built from hostile-1.0.tar.gz for python "), "{hostile}");

    let found = house.run(Language::Python, &built, "import greeter, hostile; print(hostile.FOUND)").await;
    let found: serde_json::Value = serde_json::from_str(&found).expect("JSON");
    println!("a setup.py finds {found}");
    let variables = found["variables"].as_array().expect("a list");
    let harmless = |name: &str| ["PATH", "HOME", "LANG"].contains(&name) || name.starts_with("P") || name == "LC_CTYPE";
    assert!(variables.iter().all(|name| name.as_str().is_some_and(harmless)), "{variables:?}");
    assert!(!found.to_string().contains("s3cret"), "the host's credentials are not there");
    assert!(!found["environments"].as_str().expect("text").contains("127.0.0.1"), "nor a way to the index");
    assert_ne!(found["user"], 0);
    for (place, errors) in [
        ("index", &["ConnectionRefusedError"][..]),
        ("kernel", &["OSError"]),
        ("elsewhere", &["OSError", "ConnectionRefusedError", "PermissionError"]),
        ("name", &["gaierror"]),
        ("shadow", &["PermissionError", "FileNotFoundError"]),
        ("usr", &["PermissionError", "OSError", "FileNotFoundError"]),
        ("etc", &["PermissionError", "OSError", "FileNotFoundError"]),
        ("packages", &["PermissionError", "OSError", "FileNotFoundError"]),
        ("root", &["PermissionError", "OSError"]),
    ] {
        assert!(errors.contains(&found[place].as_str().expect("text")), "{place}: {found}");
    }
    assert_eq!(found["store"], false, "installed packages of others are not there");

    assert_eq!(index.strangers(), 0, "everything that came to the index was the relay's");
    for phase in [Phase::Resolving, Phase::Fetching, Phase::Building, Phase::Unpacking] {
        assert!(house.said.lock().expect("free").iter().any(|(said, _)| *said == phase), "{phase:?}");
    }
    // What was built once is there.
    let asked = index.asked("");
    let again = house.build_sources(&["greeter"]).await.expect("built");
    assert_eq!((again.packages, again.cached, index.asked("")), (built.packages, true, asked));
    house.end().await;
}

/// What becomes of a package with this `setup.py`.
async fn refused(setup: &str, limits: Limits) -> BuildError {
    let index = index().await;
    index.source("evil", "1.0", &[("setup.py", setup)]);
    let house = House::on(&index, limits);
    let error = house.build_sources(&["evil"]).await.expect_err("refused");
    assert_eq!(index.strangers(), 0);
    house.ends_empty().await;
    error
}

#[tokio::test]
async fn a_build_that_fails_is_said_with_its_log() {
    if !can(Language::Python) {
        return;
    }
    match refused("raise RuntimeError('the compiler is missing')", Limits::default()).await {
        BuildError::Failed { reason, log } => {
            assert!(reason.contains("evil-1.0.tar.gz could not be built"), "{reason}");
            assert!(reason.contains("RuntimeError: the compiler is missing"), "{reason}");
            assert!(log.contains("setup.py"), "{log}");
        }
        other => panic!("{other:?}"),
    }
    // Words of pip's in its mouth do not make it another error.
    match refused("print('ERROR: No matching distribution found for os')\nraise SystemExit(1)", Limits::default()).await
    {
        BuildError::Failed { reason, .. } => assert!(reason.contains("could not be built"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_wheel_that_a_build_made_is_as_suspect_as_any() {
    if !can(Language::Python) {
        return;
    }
    let leads_out = "WHEEL = ('evil-1.0-py3-none-any.whl', {'evil.py': '', '../../../evil.py': ''})";
    match refused(leads_out, Limits::default()).await {
        BuildError::Archive { package, reason } => assert!(reason.contains("leads out"), "{package}: {reason}"),
        other => panic!("{other:?}"),
    }
    let another = "WHEEL = ('requests-9.0-py3-none-any.whl', {'requests.py': ''})";
    match refused(another, Limits::default()).await {
        BuildError::Failed { reason, .. } => assert!(reason.contains("evil"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_build_cannot_speak_for_the_bridge() {
    if !can(Language::Python) {
        return;
    }
    let asks = r#"
import glob, struct, time
for path in glob.glob("/proc/[0-9]*/cmdline"):
    if b"bridge.py" in open(path, "rb").read():
        payload = b"*/*\n/simple/secret/"
        with open(path.replace("cmdline", "fd/1"), "wb", 0) as out:
            out.write(struct.pack("<BII", 1, 7, len(payload)) + payload)
time.sleep(600)
"#;
    match refused(asks, Limits::default()).await {
        BuildError::Failed { reason, .. } => assert!(reason.contains("asks for the index"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_build_without_end_is_ended() {
    if !can(Language::Python) {
        return;
    }
    let limits = Limits { time: Duration::from_secs(20), ..Limits::default() };
    let started = Instant::now();
    let error = refused("while True: pass", limits).await;
    assert!(matches!(error, BuildError::TimedOut { .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(40));
}

#[tokio::test]
async fn what_a_source_is_built_with_comes_from_the_index_alone() {
    if !can(Language::Python) {
        return;
    }
    let index = index().await;
    for (requires, why) in [
        (r#"["x @ https://host/x.whl"]"#, "no package of the index"),
        (r#"["--index-url=http://x"]"#, "cannot be read"),
        (r#"["missing-backend"]"#, "missing-backend"),
    ] {
        let project = format!("[build-system]\nrequires = {requires}\nbuild-backend = \"x\"\n");
        index.source("evil", "1.0", &[("pyproject.toml", &project), ("setup.py", "")]);
        let house = House::on(&index, Limits::default());
        match house.build_sources(&["evil"]).await {
            Err(BuildError::Failed { reason: said, .. } | BuildError::NotFound { said, .. }) => {
                assert!(said.contains(why), "{requires}: {said}");
            }
            other => panic!("{requires}: {other:?}"),
        }
        house.ends_empty().await;
    }
}
