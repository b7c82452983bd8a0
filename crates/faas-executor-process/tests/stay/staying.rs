//! A sandbox with a program that stays in it, and what is asked of it.

use bytes::Bytes;
use faas_executor_api::{
    CallError, DestroyReason, Event, EventStream, Executor, HandlerRequest, Health, Invocation, Program, Sandbox,
    SandboxSpec, SharedCall, SharedProgram, Stay,
};
use faas_executor_process::{Launcher, ProcessExecutor, Settings};
use faas_types::{ByteSize, Contract, IsolationLevel, Language, Outcome, OutputLimits, Resources, TenantId, Usage};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A sandbox, and the program that stays in it.
pub(crate) struct Staying {
    executor: ProcessExecutor,
    pub(crate) sandbox: Box<dyn Sandbox>,
    language: Language,
    code: Bytes,
    at_once: u32,
}

/// What came of a call.
pub(crate) struct Called {
    pub(crate) answer: String,
    pub(crate) printed: String,
    pub(crate) failed: Option<String>,
    pub(crate) outcome: Outcome,
    pub(crate) usage: Usage,
}

impl Staying {
    /// A program whose function `handle` takes a request.
    pub(crate) async fn of(language: Language, code: &'static str) -> Self {
        let executor = Launcher::start(&Settings::default()).expect("a launcher").into_executor().expect("an executor");
        let strict = rustix::process::geteuid().is_root();
        let spec = SandboxSpec {
            tenant: TenantId::LOCAL,
            language: Some(language),
            resources: Resources::default(),
            isolation: if strict { IsolationLevel::Strict } else { IsolationLevel::Standard },
            packages: None,
        };
        let sandbox = executor.create(spec).await.expect("a sandbox");
        Self { executor, sandbox, language, code: Bytes::from_static(code.as_bytes()), at_once: 1 }
    }

    pub(crate) async fn python(code: &'static str) -> Self {
        Self::of(Language::Python, code).await
    }

    /// A program that is loaded to answer so many calls at once, and shared.
    pub(crate) async fn shared(language: Language, code: &'static str, at_once: u32) -> (Self, Arc<dyn SharedProgram>) {
        let mut staying = Self { at_once, ..Self::of(language, code).await };
        let load = Invocation { stay: Stay::Loaded, ..staying.invocation("/") };
        let loaded = called(staying.sandbox.invoke(load).await.expect("a call").events).await;
        assert_eq!(loaded.outcome, Outcome::Exited { code: 0 }, "{}", loaded.printed);
        let shared = staying.sandbox.share().expect("a program that is shared");
        (staying, shared)
    }

    pub(crate) fn invocation(&self, path: &str) -> Invocation {
        let request = HandlerRequest {
            entry: "handle".to_owned(),
            method: "GET".to_owned(),
            path: path.to_owned(),
            query: String::new(),
            headers: Vec::new(),
            body: Bytes::new(),
        };
        let name = if self.language == Language::Python { "main.py" } else { "main.js" };
        Invocation {
            contract: Contract::Handler,
            program: Program { code: self.code.clone(), name: name.to_owned() },
            args: Vec::new(),
            env: Vec::new(),
            files: Vec::new(),
            request: Some(request),
            stay: Stay::Answered,
            at_once: self.at_once,
            deadline: Instant::now() + Duration::from_secs(60),
            output: OutputLimits { bytes: ByteSize::mib(1), ..OutputLimits::default() },
        }
    }

    pub(crate) async fn call(&mut self, path: &str) -> Called {
        let invocation = self.invocation(path);
        called(self.sandbox.invoke(invocation).await.expect("a call").events).await
    }

    /// Asks a shared program.
    pub(crate) async fn ask(&self, program: &dyn SharedProgram, path: &str) -> SharedCall {
        program.ask(self.invocation(path)).await.expect("a call")
    }

    /// A call that is answered.
    pub(crate) async fn answer(&mut self, path: &str) -> String {
        let called = self.call(path).await;
        assert_eq!((called.outcome, called.failed), (Outcome::Exited { code: 0 }, None), "{}", called.printed);
        called.answer
    }

    /// What stays is as it should be.
    pub(crate) async fn recycle(&mut self) {
        self.sandbox.recycle().await.expect("nothing is left");
        assert_eq!(self.sandbox.health(), Health::Ready);
    }

    /// What was left is found, and the reason names it.
    pub(crate) async fn given_up(mut self, named: &str) {
        match self.sandbox.recycle().await {
            Err(CallError::Lost { reason }) => assert!(reason.contains(named), "{reason}"),
            other => panic!("recycling gave {other:?}"),
        }
        assert_eq!(self.sandbox.health(), Health::Unrecoverable);
        self.end().await;
    }

    pub(crate) async fn end(self) {
        self.sandbox.destroy(DestroyReason::Finished).await;
        self.executor.shutdown().await;
    }
}

/// Reads a call to its end.
pub(crate) async fn called(mut events: EventStream) -> Called {
    let (mut answer, mut printed, mut failed) = (Vec::new(), Vec::new(), None);
    loop {
        match events.next().await.expect("an end") {
            Event::Body(bytes) => answer.extend_from_slice(&bytes),
            Event::Stdout(bytes) | Event::Stderr(bytes) => printed.extend_from_slice(&bytes),
            Event::Failed(message) => failed = Some(message),
            Event::Loaded | Event::ResponseHead(_) | Event::ResponseEnd => {}
            Event::Done(done) => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let (answer, printed) = (text(&answer), text(&printed));
                return Called { answer, printed, failed, outcome: done.outcome, usage: done.usage };
            }
        }
    }
}
