//! What the scenarios share: bounded waits, failures that carry the scenario's name, one run read
//! to its end.

use super::Guest;
use crate::{CallError, Command, CreateError, Done, Event, EventStream, ExecSession, FileIn, Sandbox, SandboxSpec};
use crate::{DestroyReason, Executor, HandlerRequest, Invocation, Program, Stay};
use bytes::Bytes;
use faas_types::{Contract, IsolationLevel, Language, Outcome, OutputLimits, Resources, TenantId};
use std::fmt::{Debug, Display};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long any one step may take on an ordinary machine; generous, since it only bounds failures.
const STEP: Duration = Duration::from_secs(30);
/// The deadline of calls that are to end by themselves; before [`STEP`], so that the end is seen.
const CALL: Duration = Duration::from_secs(20);
/// The deadline of calls that are to be ended by it.
const SHORT: Duration = Duration::from_millis(1500);
/// The deadline of calls that are to be ended otherwise, and must not be by it.
const FAR: Duration = Duration::from_secs(3600);

/// The future's output; fails with the scenario's name when it takes longer than the limit.
pub async fn within<T>(scenario: &str, step: &str, limit: Duration, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(limit, future).await {
        Ok(output) => output,
        Err(_) => panic!("{scenario}: {step} took longer than {limit:?}"),
    }
}

/// One scenario on one executor.
pub(super) struct Trial<'a> {
    pub(super) name: &'static str,
    pub(super) executor: Arc<dyn Executor>,
    pub(super) guest: &'a dyn Guest,
}

/// A run read to its end.
#[derive(Debug)]
pub(super) struct Transcript {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    pub(super) done: Done,
}

impl Transcript {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

impl<'a> Trial<'a> {
    pub(super) fn new(name: &'static str, executor: Arc<dyn Executor>, guest: &'a dyn Guest) -> Self {
        Self { name, executor, guest }
    }

    pub(super) fn fail(&self, what: impl Display) -> ! {
        panic!("{}: {what}", self.name)
    }

    pub(super) fn holds(&self, condition: bool, what: impl Display) {
        if !condition {
            self.fail(what);
        }
    }

    pub(super) fn equal<T: PartialEq + Debug>(&self, actual: T, expected: T, what: &str) {
        if actual != expected {
            self.fail(format!("{what}: got {actual:?}, expected {expected:?}"));
        }
    }

    /// A scenario, or a part of one, that does not apply to this backend says so.
    #[expect(clippy::print_stderr, reason = "a part that was not run must be visible in the test's output")]
    pub(super) fn skip(&self, why: impl Display) {
        eprintln!("SKIP {}: {why}", self.name);
    }

    fn patient(&self, duration: Duration) -> Duration {
        duration * self.guest.patience()
    }

    pub(super) async fn within<T>(&self, step: &str, future: impl Future<Output = T>) -> T {
        within(self.name, step, self.patient(STEP), future).await
    }

    /// The strongest isolation this host offers.
    pub(super) fn spec(&self) -> SandboxSpec {
        self.spec_with(Resources::default())
    }

    pub(super) fn spec_with(&self, resources: Resources) -> SandboxSpec {
        let isolation = if self.executor.capabilities().report.missing.is_empty() {
            IsolationLevel::Strict
        } else {
            IsolationLevel::Standard
        };
        SandboxSpec { tenant: TenantId::LOCAL, language: None, resources, isolation, packages: None }
    }

    pub(super) async fn try_create(&self, spec: SandboxSpec) -> Result<Box<dyn Sandbox>, CreateError> {
        self.within("create", self.executor.create(spec)).await
    }

    pub(super) async fn create(&self, spec: SandboxSpec) -> Box<dyn Sandbox> {
        match self.try_create(spec).await {
            Ok(sandbox) => sandbox,
            Err(error) => self.fail(format!("create failed: {error}")),
        }
    }

    pub(super) async fn sandbox(&self) -> Box<dyn Sandbox> {
        self.create(self.spec()).await
    }

    pub(super) async fn destroy(&self, sandbox: Box<dyn Sandbox>) {
        self.within("destroy", sandbox.destroy(DestroyReason::Finished)).await;
    }

    fn command_until(&self, argv: Vec<String>, after: Duration) -> Command {
        Command {
            argv,
            env: Vec::new(),
            files: Vec::new(),
            deadline: Instant::now() + self.patient(after),
            output: OutputLimits::default(),
        }
    }

    /// A command that is to end by itself.
    pub(super) fn command(&self, argv: Vec<String>) -> Command {
        self.command_until(argv, CALL)
    }

    /// A command that is to be ended by its deadline, in a moment.
    pub(super) fn doomed_command(&self, argv: Vec<String>) -> Command {
        self.command_until(argv, SHORT)
    }

    /// A command that must be ended by something else than its deadline.
    pub(super) fn endless_command(&self, argv: Vec<String>) -> Command {
        self.command_until(argv, FAR)
    }

    pub(super) fn invocation(&self, program: Program, args: &[&str]) -> Invocation {
        Invocation {
            request: None,
            stay: Stay::No,
            at_once: 1,
            contract: Contract::Script,
            program,
            args: args.iter().map(|argument| (*argument).to_owned()).collect(),
            env: Vec::new(),
            files: Vec::new(),
            deadline: Instant::now() + self.patient(CALL),
            output: OutputLimits::default(),
        }
    }

    /// A call of the program's function `handle`.
    pub(super) fn request(&self, program: Program, body: Bytes) -> Invocation {
        let request = HandlerRequest {
            entry: "handle".to_owned(),
            method: "PUT".to_owned(),
            path: "/a/b".to_owned(),
            query: "c=d&e".to_owned(),
            headers: vec![("x-name".to_owned(), Bytes::from_static(b"somebody"))],
            body,
        };
        Invocation { contract: Contract::Handler, request: Some(request), ..self.invocation(program, &[]) }
    }

    /// The same asked of a CGI program.
    pub(super) fn cgi_request(&self, program: Program, body: Bytes) -> Invocation {
        Invocation { contract: Contract::Cgi, ..self.request(program, body) }
    }

    pub(super) fn doomed_invocation(&self, program: Program) -> Invocation {
        Invocation { deadline: self.soon(), ..self.invocation(program, &[]) }
    }

    /// The deadline of a call that is to be ended by it.
    pub(super) fn soon(&self) -> Instant {
        Instant::now() + self.patient(SHORT)
    }

    /// The deadline of a call that must be ended by something else.
    pub(super) fn far(&self) -> Instant {
        Instant::now() + self.patient(FAR)
    }

    pub(super) async fn start(&self, sandbox: &mut Box<dyn Sandbox>, command: Command) -> ExecSession {
        let program = command.argv.first().cloned().unwrap_or_default();
        match self.within("exec", sandbox.exec(command)).await {
            Ok(session) => session,
            Err(error) => self.fail(format!("exec of {program} failed: {error}")),
        }
    }

    pub(super) async fn invoke(&self, sandbox: &mut Box<dyn Sandbox>, call: Invocation) -> ExecSession {
        match self.within("invoke", sandbox.invoke(call)).await {
            Ok(session) => session,
            Err(error) => self.fail(format!("invoke failed: {error}")),
        }
    }

    /// Why this command is refused; fails when it runs.
    pub(super) async fn refusal(&self, sandbox: &mut Box<dyn Sandbox>, command: Command) -> CallError {
        let shown = format!("{:?} with {} files", command.argv, command.files.len());
        match self.within("exec", sandbox.exec(command)).await {
            Err(error) => error,
            Ok(_) => self.fail(format!("{shown} was not refused")),
        }
    }

    /// The next event, which must not be the end of the stream.
    pub(super) async fn next(&self, events: &mut EventStream) -> Event {
        match self.within("the next event", events.next()).await {
            Some(event) => event,
            None => self.fail("the stream ended without Done"),
        }
    }

    /// Reads stdout until it holds at least this many bytes.
    pub(super) async fn stdout_of(&self, events: &mut EventStream, length: usize) -> Vec<u8> {
        let mut stdout = Vec::new();
        while stdout.len() < length {
            match self.next(events).await {
                Event::Loaded => {}
                Event::Stdout(bytes) => stdout.extend_from_slice(&bytes),
                other => self.fail(format!("after {} bytes of stdout came {other:?}", stdout.len())),
            }
        }
        stdout
    }

    /// Waits for the line by which endless programs say that they run.
    pub(super) async fn ready(&self, events: &mut EventStream) {
        let said = self.stdout_of(events, b"ready\n".len()).await;
        self.equal(said.as_slice(), b"ready\n", "the line of a program that runs");
    }

    /// Reads to the end: output, exactly one `Done`, then nothing.
    pub(super) async fn rest(&self, events: &mut EventStream) -> Transcript {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        loop {
            match self.next(events).await {
                Event::Stdout(bytes) => stdout.extend_from_slice(&bytes),
                Event::Stderr(bytes) => stderr.extend_from_slice(&bytes),
                Event::Done(done) => {
                    let after = self.within("the end of the stream", events.next()).await;
                    self.equal(after, None, "what follows Done");
                    return Transcript { stdout, stderr, done };
                }
                other => self.fail(format!("a plain program gave {other:?}")),
            }
        }
    }

    /// Closes the input and reads to the end.
    pub(super) async fn finish(&self, session: ExecSession) -> Transcript {
        let ExecSession { input, mut events } = session;
        drop(input);
        self.rest(&mut events).await
    }

    pub(super) async fn run_command(&self, sandbox: &mut Box<dyn Sandbox>, command: Command) -> Transcript {
        let session = self.start(sandbox, command).await;
        self.finish(session).await
    }

    pub(super) async fn run(&self, sandbox: &mut Box<dyn Sandbox>, argv: Vec<String>) -> Transcript {
        self.run_command(sandbox, self.command(argv)).await
    }

    /// Runs a command that must exit with 0; its stdout.
    pub(super) async fn succeed(&self, sandbox: &mut Box<dyn Sandbox>, argv: Vec<String>) -> String {
        let shown = argv.join(" ");
        let transcript = self.run(sandbox, argv).await;
        if transcript.done.outcome != (Outcome::Exited { code: 0 }) {
            let stderr = String::from_utf8_lossy(&transcript.stderr);
            self.fail(format!("{shown:?} ended with {:?}; stderr: {stderr}", transcript.done.outcome));
        }
        transcript.text()
    }

    /// Waits until the sandbox takes a call again, for calls whose `Done` nobody reads.
    pub(super) async fn idle(&self, sandbox: &mut Box<dyn Sandbox>) {
        let asking = async {
            loop {
                match sandbox.exec(self.command(self.guest.print(b"", b"", 0))).await {
                    Ok(session) => break session,
                    Err(CallError::Invalid { .. }) => tokio::time::sleep(Duration::from_millis(1)).await,
                    Err(error) => self.fail(format!("waiting for the end of a call gave {error}")),
                }
            }
        };
        let session = self.within("the end of the call before", asking).await;
        self.finish(session).await;
    }

    /// Proves that the sandbox still takes calls.
    pub(super) async fn still_works(&self, sandbox: &mut Box<dyn Sandbox>) {
        let said = self.succeed(sandbox, self.guest.print(b"well", b"", 0)).await;
        self.equal(said.as_str(), "well", "stdout of a call afterwards");
    }

    /// The languages this host has, with the guest's program for a task in each.
    pub(super) fn scripts(&self, task: super::ScriptTask) -> Vec<(Language, Program)> {
        let languages = self.executor.capabilities().runtimes.iter().map(|runtime| runtime.language);
        let languages = languages.filter(|language| language.offers(Contract::Script));
        let scripts = languages.map(|language| match self.guest.script(language, task) {
            Some(program) => (language, program),
            None => self.fail(format!("the guest has no program in {language}")),
        });
        scripts.collect()
    }
}

/// A file with this content that cannot be executed.
pub(super) fn file(path: &str, content: impl Into<Bytes>) -> FileIn {
    FileIn { path: path.to_owned(), content: content.into(), executable: false }
}

/// The bytes [`Guest::flood`] writes.
pub(super) fn pattern(length: usize) -> Vec<u8> {
    (0..=250_u8).cycle().take(length).collect()
}
