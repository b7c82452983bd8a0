//! Dependencies from an index into a sandbox: fetched by the real tools in a real sandbox, from an index of
//! the test's own; and once from the host's index, where there is a network.

#![expect(clippy::expect_used, reason = "a test that cannot start has failed")]
#![expect(clippy::print_stdout, reason = "a test that cannot run here says so")]

mod index;
mod scripts;
mod source;

use bytes::Bytes;
use faas_build::{BuildError, Builder, Built, Dependencies, Index, Indexes, Limits, Phase};
use faas_executor_api::{DestroyReason, Event, Executor, Invocation, Program, SandboxSpec, Stay};
use faas_executor_process::{Launcher, ProcessExecutor, Settings};
use faas_types::{ByteSize, Contract, IsolationLevel, Language, Outcome, OutputLimits, Resources, TenantId};
use index::{Answer, FakeIndex, USER};
use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// An executor with a directory of packages, and a builder that fills it.
struct House {
    executor: Arc<ProcessExecutor>,
    builder: Builder,
    root: tempfile::TempDir,
    said: Arc<Mutex<Vec<(Phase, String)>>>,
}

impl House {
    fn new(indexes: Indexes, limits: Limits) -> Self {
        let root = tempfile::tempdir().expect("a directory");
        let settings = Settings { packages: Some(root.path().to_owned()), ..Settings::default() };
        let executor = Arc::new(Launcher::start(&settings).expect("a launcher").into_executor().expect("an executor"));
        let builder = Builder::open(executor.clone(), indexes, root.path(), limits).expect("a builder");
        Self { executor, builder, root, said: Arc::default() }
    }

    fn on(index: &FakeIndex, limits: Limits) -> Self {
        let own =
            |path: &str| Index::new(&format!("http://{USER}@127.0.0.1:{}{path}", index.port), &[]).expect("an index");
        Self::new(Indexes { python: own("/simple"), javascript: own("") }, limits)
    }

    async fn build(&self, language: Language, entries: &[&str]) -> Result<Built, BuildError> {
        self.build_of(language, entries, false).await
    }

    /// With whatever has no wheel built from its source.
    async fn build_sources(&self, entries: &[&str]) -> Result<Built, BuildError> {
        self.build_of(Language::Python, entries, true).await
    }

    async fn build_of(&self, language: Language, entries: &[&str], allow_build: bool) -> Result<Built, BuildError> {
        let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
        let dependencies = Dependencies::parse(language, &entries, allow_build).expect("accepted");
        let said = Arc::clone(&self.said);
        let progress = Arc::new(move |phase, line: &str| said.lock().expect("free").push((phase, line.to_owned())));
        self.builder.build(TenantId::LOCAL, &dependencies, progress).await
    }

    /// All that was said.
    fn said(&self) -> String {
        let said = self.said.lock().expect("free");
        said.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// What a program prints that must exit with 0.
    async fn run(&self, language: Language, built: &Built, code: &str) -> String {
        let strict = self.executor.capabilities().report.missing.is_empty();
        let spec = SandboxSpec {
            tenant: TenantId::LOCAL,
            language: Some(language),
            resources: Resources::default(),
            isolation: if strict { IsolationLevel::Strict } else { IsolationLevel::Standard },
            packages: Some(built.packages),
        };
        let mut sandbox = self.executor.create(spec).await.expect("a sandbox");
        let call = Invocation {
            contract: Contract::Script,
            program: Program { code: Bytes::copy_from_slice(code.as_bytes()), name: "main".to_owned() },
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
        sandbox.destroy(DestroyReason::Finished).await;
        let said = String::from_utf8_lossy(&said).into_owned();
        assert_eq!(ended, Some(Outcome::Exited { code: 0 }), "{said}");
        said
    }

    /// Nothing of a failed build is left, and the sandbox of its fetch is gone.
    async fn ends_empty(self) {
        let left: Vec<_> =
            std::fs::read_dir(self.root.path()).expect("listed").map(|entry| entry.expect("one").path()).collect();
        assert_eq!(left, Vec::<std::path::PathBuf>::new());
        self.end().await;
    }

    /// What nobody may write to is removed by who knows how.
    async fn end(self) {
        self.builder.forget_unused(&HashSet::new(), Duration::ZERO).expect("removed");
        self.executor.shutdown().await;
    }
}

/// Whether the tools are there; says so where they are not.
fn can(language: Language) -> bool {
    let needed = match language {
        Language::JavaScript => ["/usr/bin/npm", "/usr/bin/node"],
        Language::Python | Language::Bash | Language::Php => ["/usr/lib/python3/dist-packages/pip", "/usr/bin/python3"],
    };
    let missing = needed.into_iter().find(|path| !Path::new(path).exists());
    if let Some(missing) = missing {
        println!("SKIP dependencies of {language}: there is no {missing}");
    }
    missing.is_none()
}

/// Both tools, as far as they are there.
fn languages() -> impl Iterator<Item = Language> {
    [Language::Python, Language::JavaScript].into_iter().filter(|language| can(*language))
}

#[tokio::test]
async fn python_packages_are_resolved_locked_shared_and_imported() {
    if !can(Language::Python) {
        return;
    }
    let index = FakeIndex::start().await;
    index.wheel("greeter", "1.2.0", &["words>=1"], &[("greeter.py", "import words\nTEXT = words.HELLO + ' world'\n")]);
    index.wheel("words", "1.5", &[], &[("words/__init__.py", "HELLO = 'hello'\n")]);
    let house = House::on(&index, Limits::default());
    // Asked for twice at once, in two spellings: it is fetched once.
    let (one, two) = tokio::join!(
        house.build(Language::Python, &["greeter==1.2.0"]),
        house.build(Language::Python, &["Greeter == 1.2.0"]),
    );
    let (one, two) = (one.expect("built"), two.expect("built"));
    assert_eq!((one.packages, one.cached != two.cached), (two.packages, true));
    assert_eq!(index.asked("/files/greeter"), 1);
    let lines: Vec<&str> = one.lock.lines().collect();
    let [head, greeter, words] = lines.as_slice() else { panic!("{}", one.lock) };
    assert_eq!(*head, "# faas.lock 1 python");
    assert!(
        greeter.starts_with("greeter==1.2.0 sha256:") && greeter.ends_with(" greeter-1.2.0-py3-none-any.whl"),
        "{greeter}"
    );
    assert!(words.starts_with("words==1.5 sha256:"), "{words}");
    assert_eq!(house.run(Language::Python, &one, "import greeter; print(greeter.TEXT)").await, "hello world\n");
    // Who reads its own lock sees what was resolved.
    assert_eq!(house.run(Language::Python, &one, "print(open('/packages/faas.lock').read(), end='')").await, one.lock);
    let said = house.said();
    assert!(said.contains("greeter-1.2.0-py3-none-any.whl") && said.contains("unpacking 2 packages"), "{said}");
    assert_eq!(index.strangers(), 0, "every request has the host's credentials");
    assert!(!said.contains("s3cret"), "{said}");
    house.end().await;
}

#[tokio::test]
async fn npm_packages_are_resolved_nested_and_required() {
    if !can(Language::JavaScript) {
        return;
    }
    let index = FakeIndex::start().await;
    let needs = r#","scripts":{"test":"exit 1"},"dependencies":{"@of/words":"^1.0.0"}"#;
    index.npm("greeter", "1.2.0", needs, &[("index.js", "exports.text = require('@of/words').hello + ' world'\n")]);
    index.npm(
        "@of/words",
        "1.5.0",
        r#","type":"module","exports":{"require":"./old.cjs","import":"./new.js"}"#,
        &[("old.cjs", "exports.hello = 'hello'\n"), ("new.js", "export const hello = 'hello'\n")],
    );
    let house = House::on(&index, Limits::default());
    let built = house.build(Language::JavaScript, &["greeter@^1"]).await.expect("built");
    let lines: Vec<&str> = built.lock.lines().collect();
    let [_, words, greeter] = lines.as_slice() else { panic!("{}", built.lock) };
    assert!(words.starts_with("@of/words@1.5.0 sha256:") && words.ends_with(" node_modules/@of/words"), "{words}");
    assert!(greeter.starts_with("greeter@1.2.0 sha256:"), "{greeter}");
    for code in
        ["console.log(require('greeter').text)", "import { hello } from '@of/words'\nconsole.log(hello + ' world')"]
    {
        assert_eq!(house.run(Language::JavaScript, &built, code).await, "hello world\n");
    }
    let asked = index.asked("");
    assert!(house.build(Language::JavaScript, &["greeter@^1"]).await.expect("built").cached);
    assert_eq!((index.asked(""), index.strangers()), (asked, 0), "a second time nothing is asked");
    house.end().await;
}

#[tokio::test]
async fn a_repository_that_a_package_depends_on_is_refused_and_git_does_not_run() {
    if !can(Language::JavaScript) {
        return;
    }
    let index = FakeIndex::start().await;
    for address in ["git+https://localhost:9/x.git", "git+file:///tmp/x", "github:of/x"] {
        let needs = format!(r#","dependencies":{{"x":"{address}"}}"#);
        index.npm("evil", "1.0.0", &needs, &[]);
        let house = House::on(&index, Limits::default());
        match house.build(Language::JavaScript, &["evil"]).await {
            Err(BuildError::Failed { reason, log }) => {
                assert!(reason.contains(address) || log.contains("command /bin/false "), "{address}: {log}");
                assert!(!log.contains("fatal:") && !log.contains("ENOENT"), "{address}: {log}");
            }
            other => panic!("{address}: {other:?}"),
        }
        house.ends_empty().await;
    }
}

#[tokio::test]
async fn what_does_not_exist_is_said_in_the_tools_words() {
    let index = FakeIndex::start().await;
    for language in languages() {
        let house = House::on(&index, Limits::default());
        match house.build(language, &["no-such-package"]).await {
            Err(BuildError::NotFound { said, log }) => {
                assert!(said.contains("no-such-package") && log.contains(&said), "{said}");
                assert!(!log.contains("s3cret"), "{log}");
            }
            other => panic!("{language}: {other:?}"),
        }
        house.ends_empty().await;
    }
}

#[tokio::test]
async fn a_package_that_would_run_its_setup_is_not_built() {
    if !can(Language::Python) {
        return;
    }
    let index = FakeIndex::start().await;
    index.source("evil", "1.0", &[("setup.py", "import sys\nsys.exit('setup.py ran')\n")]);
    let house = House::on(&index, Limits::default());
    match house.build(Language::Python, &["evil"]).await {
        Err(BuildError::NotFound { said, log }) => {
            assert!(said.contains("evil") && !log.contains("setup.py ran"), "{log}")
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(index.asked("evil-1.0.tar.gz"), 0, "it is not even fetched");
    house.ends_empty().await;
}

#[tokio::test]
async fn a_wheel_that_leads_out_is_refused_and_nothing_is_left() {
    if !can(Language::Python) {
        return;
    }
    let index = FakeIndex::start().await;
    index.wheel("evil", "1.0", &[], &[("evil.py", ""), ("../../../../evil.py", "")]);
    let house = House::on(&index, Limits::default());
    match house.build(Language::Python, &["evil"]).await {
        Err(BuildError::Archive { package, reason }) => {
            assert!(package == "evil 1.0" && reason.contains("leads out"), "{package}: {reason}");
        }
        other => panic!("{other:?}"),
    }
    house.ends_empty().await;
}

#[tokio::test]
async fn another_file_than_the_index_promised_is_refused() {
    let index = FakeIndex::start().await;
    index.wheel("evil", "1.0", &[], &[("evil.py", "")]);
    index.put("/files/evil-1.0-py3-none-any.whl", Answer::Page("application/octet-stream", b"PK other".to_vec()));
    index.npm("evil", "1.0.0", "", &[]);
    index.put("/tarballs/evil-1.0.0.tgz", Answer::Page("application/octet-stream", b"other".to_vec()));
    for language in languages() {
        let house = House::on(&index, Limits::default());
        match house.build(language, &["evil"]).await {
            Err(BuildError::Failed { reason, log }) => assert!((reason + &log).to_lowercase().contains("sha"), "{log}"),
            other => panic!("{language}: {other:?}"),
        }
        house.ends_empty().await;
    }
}

#[tokio::test]
async fn an_index_without_end_is_cut_off() {
    let index = FakeIndex::start().await;
    index.put("/simple/huge/", Answer::Endless);
    index.put("/huge", Answer::Endless);
    for language in languages() {
        let house = House::on(&index, Limits { page: ByteSize::mib(2), ..Limits::default() });
        match house.build(language, &["huge"]).await {
            Err(BuildError::TooLarge(exceeded)) => {
                assert!(exceeded.to_string().contains("huge is larger than the limit of 2Mi"), "{exceeded}")
            }
            other => panic!("{language}: {other:?}"),
        }
        house.ends_empty().await;
    }
}

#[tokio::test]
async fn an_index_that_says_nothing_is_given_up() {
    let index = FakeIndex::start().await;
    index.put("/simple/slow/", Answer::Silence);
    index.put("/slow", Answer::Silence);
    for language in languages() {
        let house = House::on(&index, Limits { silence: Duration::from_millis(300), ..Limits::default() });
        match house.build(language, &["slow"]).await {
            Err(BuildError::Failed { log, .. } | BuildError::NotFound { log, .. }) => {
                assert!(log.contains("the index said nothing"), "{log}");
            }
            other => panic!("{language}: {other:?}"),
        }
        house.ends_empty().await;
    }
    // One that is patient is ended by the time that the whole build has.
    let patient = Limits { time: Duration::from_secs(3), ..Limits::default() };
    for language in languages() {
        let house = House::on(&index, patient.clone());
        let started = Instant::now();
        let ended = house.build(language, &["slow"]).await;
        assert!(matches!(ended, Err(BuildError::TimedOut { .. })), "{ended:?}");
        assert!(started.elapsed() < Duration::from_secs(20));
        house.ends_empty().await;
    }
}

#[tokio::test]
async fn credentials_and_requests_go_to_the_index_alone() {
    if !can(Language::Python) {
        return;
    }
    let (index, elsewhere) = (FakeIndex::start().await, FakeIndex::start().await);
    elsewhere.wheel("evil", "1.0", &[], &[]);
    // By a redirect, and by the address on a page.
    index.put("/simple/evil/", Answer::Redirect(format!("{}/simple/evil/", elsewhere.address())));
    let page =
        format!("<a href=\"{}/files/evil2-1.0-py3-none-any.whl\">evil2-1.0-py3-none-any.whl</a>", elsewhere.address());
    index.put("/simple/evil2/", Answer::Page("text/html", page.into_bytes()));
    for entry in ["evil", "evil2"] {
        let house = House::on(&index, Limits::default());
        assert!(house.build(Language::Python, &[entry]).await.is_err());
        house.ends_empty().await;
    }
    assert_eq!(elsewhere.asked(""), 0);
}

#[tokio::test]
async fn the_hosts_own_index_gives_real_packages() {
    let indexes = Indexes::of_host().expect("the host's indexes");
    let house = House::new(indexes, Limits::default());
    let programs = [
        (Language::Python, "requests==2.28.0", false, "import requests; print(requests.__version__)", "2.28.0\n"),
        // It has no wheel.
        (Language::Python, "docopt==0.6.2", true, "import docopt; print(docopt.__version__)", "0.6.2\n"),
        (Language::JavaScript, "is-odd@3.0.1", false, "console.log(require('is-odd')(3))", "true\n"),
        // Its install script puts a program in its place.
        (Language::JavaScript, "esbuild@0.19.12", true, "console.log(require('esbuild').version)", "0.19.12\n"),
    ];
    for (language, entry, allow_build, code, printed) in programs.into_iter().filter(|(language, ..)| can(*language)) {
        let started = Instant::now();
        match house.build_of(language, &[entry], allow_build).await {
            Ok(built) => {
                println!("{entry}: {} packages in {:?}", built.lock.lines().count() - 1, started.elapsed());
                assert_eq!(house.run(language, &built, code).await, printed);
            }
            Err(error) => {
                let said = house.said();
                assert!(said.contains("cannot be reached") || said.contains("said nothing"), "{error}\n{said}");
                println!("SKIP {entry} from the host's index: {error}");
            }
        }
    }
    house.end().await;
}
