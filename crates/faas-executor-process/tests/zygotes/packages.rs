//! Zygotes that have loaded a tenant's packages: what programs find in their copies, who gets one, and what becomes of
//! calls whose packages do harm as they are loaded.

use super::running::ran;
use super::{PATIENCE, end, script, spec};
use faas_executor_api::{Executor, FileIn, Invocation, Origin, SandboxSpec};
use faas_executor_process::{Launcher, ProcessExecutor, SLOT_UIDS, Settings, ZygoteEnded};
use faas_types::{ByteSize, Outcome, PackagesId, Resources, TenantId};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::time::Instant;
use tempfile::TempDir;
use tokio::sync::mpsc;

const ID: PackagesId = PackagesId::from_bytes([0x7a; 32]);
const OTHER: TenantId = TenantId::from_bytes([9; 16]);

/// What tells one loading of the package from another, and what is to be told apart in each copy.
const MARKED: &str = "\
import logging, random, ssl, uuid, warnings
MARK, HELD = uuid.uuid4(), random.Random()
ssl.RAND_bytes(8)
warnings.simplefilter('ignore', ResourceWarning)
log = logging.getLogger('words.deep')
";
const SAY: &str = "import words; print(words.MARK)";

/// The directory of all packages, with the same one for both tenants.
fn root(module: &str) -> TempDir {
    let root = tempfile::tempdir().expect("a directory");
    for tenant in [TenantId::LOCAL, OTHER] {
        let packages = root.path().join(ID.directory(tenant));
        let put = |path: &str, text: &str| {
            let path = packages.join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, text).expect("written");
        };
        put("faas.lock", "# faas.lock 1 python\nwords==1.0 sha256:00 words-1.0-py3-none-any.whl\n");
        put("words.py", module);
        put("words-1.0.dist-info/RECORD", "words.py,,\n");
        if rustix::process::geteuid().is_root() {
            let place = root.path().join(PackagesId::tenant_directory(tenant));
            give_away(&place);
        }
    }
    if rustix::process::geteuid().is_root() {
        give_away(root.path());
    }
    root
}

/// As a server leaves them that gave up its privileges: nobody else may enter.
fn give_away(place: &Path) {
    fs::set_permissions(place, fs::Permissions::from_mode(0o700)).expect("closed");
    chown(place, Some(SLOT_UIDS.start), Some(SLOT_UIDS.start)).expect("given away");
}

fn executor(root: &TempDir) -> ProcessExecutor {
    let settings = Settings { packages: Some(root.path().to_owned()), ..Settings::default() };
    let executor = Launcher::start(&settings).expect("a launcher").into_executor().expect("an executor");
    executor.with_zygotes().with_package_zygotes(4, root.path().to_owned())
}

fn with_packages(tenant: TenantId) -> SandboxSpec {
    SandboxSpec { tenant, packages: Some(ID), ..spec() }
}

async fn says(executor: &ProcessExecutor, spec: &SandboxSpec, code: &str) -> String {
    let mut sandbox = executor.create(spec.clone()).await.expect("a sandbox");
    let (said, done) = ran(sandbox.as_mut(), script(code)).await;
    end(sandbox).await;
    assert_eq!(done.outcome, Outcome::Exited { code: 0 }, "{said}");
    said
}

/// Asks until two programs one after the other had the package from one loading.
async fn loaded_once(executor: &ProcessExecutor, spec: &SandboxSpec) -> String {
    let until = Instant::now() + PATIENCE;
    let mut before = says(executor, spec, SAY).await;
    loop {
        let now = says(executor, spec, SAY).await;
        if now == before {
            return now;
        }
        before = now;
        assert!(Instant::now() < until, "there was no zygote with packages within {PATIENCE:?}");
    }
}

#[tokio::test]
async fn a_program_finds_its_packages_loaded_and_nothing_where_it_imports_none() {
    let root = root(MARKED);
    let executor = executor(&root);
    let spec = with_packages(TenantId::LOCAL);
    let mark = loaded_once(&executor, &spec).await;
    let sandbox = executor.create(spec.clone()).await.expect("a sandbox");
    assert_eq!(sandbox.origin(), Origin::Zygote);
    end(sandbox).await;
    let look = "\
import logging, os, sys, warnings
print('words' in sys.modules, 'words.deep' in logging.root.manager.loggerDict, len(warnings.filters), os.getpid())
print(sorted(os.listdir('/proc/self/fd')), os.listdir('/workspace'), os.listdir('/tmp'), sys.path[0], sys.path[-1])
import words
print(words.MARK, words.__file__, 'words.deep' in logging.root.manager.loggerDict, len(warnings.filters))
print(sorted(open('/proc/%s/comm' % pid).read() for pid in os.listdir('/proc') if pid.isdigit()))
";
    let seen = says(&executor, &spec, look).await;
    // A runner of its own, for what acts while one starts.
    let mut cold = executor.create(spec.clone()).await.expect("a sandbox");
    let call = Invocation { env: vec![("TZ".to_owned(), "UTC".to_owned())], ..script(look) };
    let (found, _) = ran(cold.as_mut(), call).await;
    end(cold).await;
    let mine = found.split_whitespace().find(|word| word.len() == 36).expect("its own mark");
    assert_eq!(seen.replace(mark.trim(), ""), found.replace(mine, "").replacen(" 4\n", " 3\n", 1));
    // What lies before the packages is found before them.
    let mut own = executor.create(spec).await.expect("a sandbox");
    let file = FileIn { path: "words.py".to_owned(), content: "MARK = 'mine'".into(), executable: false };
    let (found, _) = ran(own.as_mut(), Invocation { files: vec![file], ..script(SAY) }).await;
    assert_eq!(found, "mine\n");
    end(own).await;
    executor.shutdown().await;
}

#[tokio::test]
async fn two_tenants_never_share_what_was_loaded() {
    let root = root(MARKED);
    let executor = executor(&root);
    let one = loaded_once(&executor, &with_packages(TenantId::LOCAL)).await;
    let first = says(&executor, &with_packages(OTHER), SAY).await;
    let other = loaded_once(&executor, &with_packages(OTHER)).await;
    assert!(one != first && one != other, "{one} {first} {other}");
    assert_eq!(loaded_once(&executor, &with_packages(TenantId::LOCAL)).await, one);
    executor.shutdown().await;
}

#[tokio::test]
async fn two_copies_draw_other_numbers() {
    let root = root(MARKED);
    let executor = executor(&root);
    let spec = with_packages(TenantId::LOCAL);
    let mark = loaded_once(&executor, &spec).await;
    let draw = "\
import words; print(words.MARK)
import os, random, secrets, ssl, uuid
for number in (words.HELD.random(), random.random(), ssl.RAND_bytes(8), secrets.token_hex(), uuid.uuid4(), os.urandom(8)):
    print(number)
";
    let (one, other) = (says(&executor, &spec, draw).await, says(&executor, &spec, draw).await);
    assert!(one.starts_with(&mark) && other.starts_with(&mark), "{one} {other} are of {mark}");
    let same: Vec<_> = one.lines().zip(other.lines()).skip(1).filter(|(one, other)| one == other).collect();
    assert_eq!((one.lines().count(), same), (7, Vec::new()));
    executor.shutdown().await;
}

/// Has a package loaded that does harm: calls are served, and the end of its zygote is told of.
async fn harms(module: &str, why: &[&str]) {
    let guarded = format!(
        "import sys\nif not hasattr(sys, 'argv') or len(sys.argv) < 2:\n    exec({module:?})\nMARK = 'served'\n"
    );
    let root = root(&guarded);
    let executor = executor(&root);
    let mut events = executor.zygote_events().expect("one listener");
    let spec = with_packages(TenantId::LOCAL);
    let event = told(&executor, &spec, &mut events).await;
    assert!(why.contains(&event.reason), "{module}: {event}");
    assert_eq!(event.packages, Some(ID));
    assert_eq!(says(&executor, &spec, SAY).await, "served\n");
    executor.shutdown().await;
}

/// Starts programs until an event is there.
async fn told(executor: &ProcessExecutor, spec: &SandboxSpec, events: &mut mpsc::Receiver<ZygoteEnded>) -> ZygoteEnded {
    let until = Instant::now() + PATIENCE;
    loop {
        assert_eq!(says(executor, spec, SAY).await, "served\n");
        if let Ok(event) = events.try_recv() {
            return event;
        }
        assert!(Instant::now() < until, "nothing was told within {PATIENCE:?}");
    }
}

#[tokio::test]
async fn a_package_that_ends_its_process_loses_no_call() {
    harms("import os; os._exit(0)", &["it ended before it stopped itself"]).await;
    harms("raise SystemExit(0)", &["a package cannot be imported there"]).await;
}

#[tokio::test]
async fn a_package_that_starts_a_thread_or_a_process_loses_no_call() {
    let why = "a package starts a thread or a process as it is loaded";
    harms("import threading, time\nthreading.Thread(target=time.sleep, args=(999,), daemon=True).start()", &[why])
        .await;
    harms("import os, time\nif os.fork() == 0:\n    time.sleep(999)", &[why]).await;
    // One that nobody's child is: the launcher looks for itself.
    let orphan = "import os, time\nif os.fork() == 0:\n    if os.fork() == 0:\n        time.sleep(999)\n    os._exit(0)\nos.wait()";
    harms(orphan, &["it left another process in its sandbox"]).await;
}

#[tokio::test]
async fn a_package_that_forks_without_end_loses_no_call() {
    let bomb =
        "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n    if 0: break";
    let late = "it did not load its packages in time";
    harms(bomb, &[late, "it left another process in its sandbox", "it did not wait to be forked in time"]).await;
}

#[tokio::test]
async fn a_package_that_never_ends_loses_no_call() {
    harms("while True: pass", &["it did not load its packages in time"]).await;
}

#[tokio::test]
async fn a_package_that_takes_all_memory_loses_no_call() {
    // The whole sandbox may be gone with it.
    let why = ["it used more memory than a zygote may", "it ended before it stopped itself", "a signal ended it"];
    harms("kept = [bytearray(1 << 20) for _ in range(1000)]", &why).await;
}

#[tokio::test]
async fn a_package_that_stops_its_process_itself_loses_no_call() {
    // It looks like a runner that waits; what is copied from it goes on in the middle of its package.
    harms("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", &["its copies do not wait for a call"]).await;
}

#[tokio::test]
async fn a_package_that_prints_is_copied_to_nobody() {
    harms("print('copied to everybody')", &["a package prints as it is loaded"]).await;
}

#[tokio::test]
async fn a_copy_has_the_limits_of_its_own_sandbox() {
    let root = root(MARKED);
    let executor = executor(&root);
    let small = Resources { memory: ByteSize::mib(64), disk: ByteSize::mib(16), ..Resources::default() };
    let spec = SandboxSpec { resources: small, ..with_packages(TenantId::LOCAL) };
    loaded_once(&executor, &spec).await;
    let mut sandbox = executor.create(spec).await.expect("a sandbox");
    let hog = "import words\nkept = [bytearray(1 << 20) for _ in range(200)]";
    let (seen, done) = ran(sandbox.as_mut(), script(hog)).await;
    assert_eq!(done.outcome, Outcome::OutOfMemory, "{seen}");
    end(sandbox).await;
    executor.shutdown().await;
}
