//! Installed packages in a sandbox: seen read-only by their own tenant, found by Python and Node.

#![expect(clippy::expect_used, reason = "a test that cannot start has failed")]

use bytes::Bytes;
use faas_executor_api::{
    CreateError, DestroyReason, Event, Executor, Invocation, Program, Sandbox, SandboxSpec, SpecError, Stay,
};
use faas_executor_process::{Launcher, ProcessExecutor, SLOT_UIDS, Settings};
use faas_types::{Contract, IsolationLevel, Language, Outcome, OutputLimits, PackagesId, Resources, TenantId};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

const ID: PackagesId = PackagesId::from_bytes([0x5a; 32]);

/// Packages of both languages for the local tenant, as `faas-build` leaves them.
fn root() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a directory");
    let packages = root.path().join(ID.directory(TenantId::LOCAL));
    let put = |path: &str, text: &str| {
        let path = packages.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    };
    put("faas.lock", "");
    put("greeting/__init__.py", "WORD = 'hello'\n");
    // Older than what the standard library has, as dependencies bring it along.
    put("json/__init__.py", "raise SystemExit('not this one')\n");
    put("node_modules/greeting/package.json", r#"{"name":"greeting","main":"main.js"}"#);
    put("node_modules/greeting/main.js", "exports.word = require('@of/words').word;\n");
    put("node_modules/@of/words/index.js", "exports.word = 'hello';\n");
    put("node_modules/modern/package.json", r#"{"name":"modern","type":"module","exports":"./main.mjs"}"#);
    put("node_modules/modern/main.mjs", "import { word } from '@of/words';\nexport default word;\n");
    fs::copy("/usr/bin/true", packages.join("setuid")).expect("copied");
    fs::set_permissions(packages.join("setuid"), fs::Permissions::from_mode(0o4755)).expect("changed");
    if rustix::process::geteuid().is_root() {
        // As a server leaves them that gave up its privileges: nobody else may enter.
        for place in [root.path().to_owned(), root.path().join(PackagesId::tenant_directory(TenantId::LOCAL))] {
            fs::set_permissions(&place, fs::Permissions::from_mode(0o700)).expect("closed");
            chown(&place, Some(SLOT_UIDS.start), Some(SLOT_UIDS.start)).expect("given away");
        }
    }
    root
}

fn executor(root: Option<&Path>) -> ProcessExecutor {
    let settings = Settings { packages: root.map(Path::to_owned), ..Settings::default() };
    Launcher::start(&settings).expect("a launcher").into_executor().expect("an executor")
}

fn spec(language: Language) -> SandboxSpec {
    SandboxSpec {
        tenant: TenantId::LOCAL,
        language: Some(language),
        resources: Resources::default(),
        isolation: if rustix::process::geteuid().is_root() { IsolationLevel::Strict } else { IsolationLevel::Standard },
        packages: Some(ID),
    }
}

async fn create(executor: &ProcessExecutor, spec: SandboxSpec) -> Result<Box<dyn Sandbox>, CreateError> {
    executor.create(spec).await
}

/// Runs a program that must exit with 0 in a sandbox of its own; what it printed.
async fn run(executor: &ProcessExecutor, spec: SandboxSpec, code: &str) -> String {
    let name = if spec.language == Some(Language::Python) { "main.py" } else { "main.js" };
    let mut sandbox = create(executor, spec).await.expect("a sandbox");
    let call = Invocation {
        contract: Contract::Script,
        program: Program { code: Bytes::copy_from_slice(code.as_bytes()), name: name.to_owned() },
        args: Vec::new(),
        env: Vec::new(),
        files: Vec::new(),
        request: None,
        stay: Stay::No,
        at_once: 1,
        deadline: Instant::now() + Duration::from_secs(60),
        output: OutputLimits::default(),
    };
    let mut session = sandbox.invoke(call).await.expect("a call");
    let (mut said, mut ended) = (Vec::new(), None);
    while let Some(event) = session.events.next().await {
        match event {
            Event::Stdout(bytes) | Event::Stderr(bytes) => said.extend_from_slice(&bytes),
            Event::Done(done) => ended = Some(done.outcome),
            Event::Loaded | Event::ResponseHead(_) | Event::Body(_) | Event::ResponseEnd | Event::Failed(_) => {}
        }
    }
    let said = String::from_utf8_lossy(&said).into_owned();
    assert_eq!(ended, Some(Outcome::Exited { code: 0 }), "{said}");
    sandbox.destroy(DestroyReason::Finished).await;
    said
}

#[tokio::test]
async fn python_imports_them_after_the_standard_library() {
    let root = root();
    let executor = executor(Some(root.path()));
    let code = "import greeting, json\nprint(greeting.WORD, greeting.__file__, json.dumps(1))";
    assert_eq!(run(&executor, spec(Language::Python), code).await, "hello /packages/greeting/__init__.py 1\n");
    executor.shutdown().await;
}

#[tokio::test]
async fn node_requires_and_imports_them() {
    if !Path::new("/usr/bin/node").exists() {
        return println!("SKIP packages of Node: there is no /usr/bin/node");
    }
    let root = root();
    let executor = executor(Some(root.path()));
    for code in [
        "console.log(require('greeting').word)",
        "import greeting from 'greeting';\nconsole.log(greeting.word)",
        "import word from 'modern';\nconsole.log(word)",
        "import('modern').then((modern) => console.log(modern.default))",
    ] {
        assert_eq!(run(&executor, spec(Language::JavaScript), code).await, "hello\n", "{code}");
    }
    executor.shutdown().await;
}

#[tokio::test]
async fn nothing_of_them_can_be_changed_and_no_program_in_them_gains_a_right() {
    let root = root();
    let executor = executor(Some(root.path()));
    let code = r"
import os
for attempt in (lambda: open('/packages/new', 'w'), lambda: open('/packages/faas.lock', 'a'),
                lambda: os.unlink('/packages/faas.lock'), lambda: os.rmdir('/packages/greeting'),
                lambda: os.chmod('/packages/setuid', 0o777), lambda: os.mkdir('/node_modules/x')):
    try:
        attempt()
        raise SystemExit('it was possible')
    except OSError:
        pass
options = [line.split()[3].split(',') for line in open('/proc/mounts') if line.split()[1] == '/packages']
print(len(options), {'ro', 'nosuid', 'nodev'} <= set(options[0]), sorted(os.listdir('/packages')), os.getppid())
";
    let said = run(&executor, spec(Language::Python), code).await;
    assert_eq!(said, "1 True ['faas.lock', 'greeting', 'json', 'node_modules', 'setuid'] 1\n");
    executor.shutdown().await;
}

#[tokio::test]
async fn without_them_nothing_is_there() {
    let root = root();
    let executor = executor(Some(root.path()));
    let code = "import os, sys\nprint(os.listdir('/packages'), '/packages' in sys.path)";
    let spec = SandboxSpec { packages: None, ..spec(Language::Python) };
    assert_eq!(run(&executor, spec, code).await, "[] False\n");
    executor.shutdown().await;
}

#[tokio::test]
async fn another_tenants_and_links_are_not_found() {
    let root = root();
    let executor = executor(Some(root.path()));
    let tenant = TenantId::from_bytes([9; 16]);
    let other = SandboxSpec { tenant, ..spec(Language::Python) };
    let refused = create(&executor, other.clone()).await.err().expect("another tenant has no such packages");
    assert!(matches!(refused, CreateError::Spec(SpecError::PackagesMissing { packages: ID })), "{refused}");

    let place = root.path().join(PackagesId::tenant_directory(tenant));
    fs::create_dir(&place).expect("made");
    for target in ["/etc".to_owned(), format!("../{}", ID.directory(TenantId::LOCAL))] {
        symlink(&target, place.join(ID.to_string())).expect("linked");
        let refused = create(&executor, other.clone()).await.err().expect("a link is not followed");
        assert!(matches!(&refused, CreateError::Assembly { step, .. } if step == "packages"), "{target}: {refused}");
        fs::remove_file(place.join(ID.to_string())).expect("removed");
    }
    fs::remove_dir(&place).expect("removed");
    symlink(PackagesId::tenant_directory(TenantId::LOCAL), &place).expect("linked");
    assert!(create(&executor, other).await.is_err(), "a tenant's directory is not a link");
    executor.shutdown().await;
}

#[tokio::test]
async fn without_a_directory_of_packages_asking_for_some_is_refused() {
    let executor = executor(None);
    assert_eq!(executor.validate(&spec(Language::Python)), Err(SpecError::PackagesNotOffered));
    let refused = create(&executor, spec(Language::Python)).await.err().expect("refused");
    assert!(matches!(refused, CreateError::Spec(SpecError::PackagesNotOffered)), "{refused}");
    executor.shutdown().await;
}
