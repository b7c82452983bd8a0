//! What a call means for init: files, a program, and code for the runner.

use super::environment::acts_at_start;
use crate::validate::interpreter;
use bytes::Bytes;
use faas_executor_api::{CallError, Command, FileIn, HandlerRequest, Invocation, Stay, StayingProgram};
use faas_protocol::call::ToRunner;
use faas_protocol::control::{MAX_PIECE, Spawn, ToInit};
use faas_protocol::frame::{FrameError, MAX_BODY};
use faas_protocol::launcher::Host;
use faas_sandbox_linux::root::PYTHON_RUNNER;
use faas_types::{Contract, Language, OutputLimits};
use std::time::Instant;

/// A call as init and the runner need it.
#[derive(Debug)]
pub(crate) struct CallPlan {
    pub(crate) files: Vec<FilePlan>,
    pub(crate) argv: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    /// What goes to the runner; `None` when the program is not one.
    pub(crate) runner: Option<RunnerPlan>,
    /// The program, if it stays once it has answered.
    pub(crate) staying: Option<StayingProgram>,
    pub(crate) deadline: Instant,
    pub(crate) output: OutputLimits,
}

/// A file to be placed.
#[derive(Debug)]
pub(crate) struct FilePlan {
    /// As the caller named it.
    pub(crate) name: String,
    /// Absolute, inside the sandbox.
    pub(crate) path: String,
    content: Bytes,
    executable: bool,
}

/// Code for a runner.
#[derive(Debug, Default)]
pub(crate) struct RunnerPlan {
    contract: String,
    name: String,
    args: Vec<String>,
    /// What a runner that waited is told of the environment it was to be started with.
    env: Vec<(String, String)>,
    code: Bytes,
    /// What it is to answer, under the contracts handler and cgi.
    request: Option<HandlerRequest>,
    /// Whether it is only to be loaded.
    ahead: bool,
}

impl CallPlan {
    pub(crate) fn from_command(command: Command) -> Self {
        Self {
            files: command.files.into_iter().map(FilePlan::in_workspace).collect(),
            argv: command.argv,
            env: command.env,
            runner: None,
            staying: None,
            deadline: command.deadline,
            output: command.output,
        }
    }

    /// Starts a runner for whatever call comes.
    pub(super) fn of_runner(argv: Vec<String>) -> Self {
        Self {
            files: Vec::new(),
            argv,
            env: Vec::new(),
            runner: Some(RunnerPlan::default()),
            staying: None,
            deadline: Instant::now(),
            output: OutputLimits::default(),
        }
    }

    pub(crate) fn from_invocation(
        call: Invocation,
        language: Option<Language>,
        host: &Host,
    ) -> Result<Self, CallError> {
        let language = language.ok_or_else(|| CallError::Invalid {
            field: "language",
            reason: "this sandbox was made for commands".to_owned(),
            accepted: "a sandbox made for a language",
        })?;
        let interpreter = interpreter(language, host)
            .map_err(|error| CallError::NotFound { program: language.to_string(), reason: error.to_string() })?
            .to_owned();
        let staying = (call.stay != Stay::No).then(|| StayingProgram::of(&call));
        let mut files: Vec<FilePlan> = call.files.into_iter().map(FilePlan::in_workspace).collect();
        let runner = RunnerPlan {
            contract: call.contract.as_str().to_owned(),
            name: call.program.name,
            args: match &call.request {
                // A handler has no arguments of its own: its program is a module. These are what to call in it,
                // whether that is for more than once, and how often at once.
                Some(request) if call.contract == Contract::Handler => std::iter::once(request.entry.clone())
                    .chain(staying.is_some().then(|| "stays".to_owned()))
                    .chain((call.at_once > 1).then(|| call.at_once.to_string()))
                    .collect(),
                _ => call.args,
            },
            env: Vec::new(),
            code: call.program.code,
            request: call.request,
            ahead: call.stay == Stay::Loaded,
        };
        let (argv, runner) = match language {
            _ if !language.offers(call.contract) => {
                return Err(CallError::Invalid {
                    field: "contract",
                    reason: format!("{language} has no {}", call.contract),
                    accepted: "cgi with every language, and what else the language offers",
                });
            }
            // php-cgi stays while it is asked; everything else is a process for each request.
            Language::Php => (argv(&["/opt/faas/cgi", "fastcgi", &interpreter]), Some(runner)),
            _ if call.contract == Contract::Cgi => (argv(&["/opt/faas/cgi", "program", &interpreter]), Some(runner)),
            Language::Python => (python(&interpreter), Some(runner)),
            Language::JavaScript => (javascript(&interpreter), Some(runner)),
            // A shell reads its program as it goes, from a file of its own.
            Language::Bash => {
                let script = FilePlan::code(runner.name, runner.code);
                let argv = [interpreter, script.path.clone()].into_iter().chain(runner.args).collect();
                files.push(script);
                (argv, None)
            }
        };
        Ok(Self { files, argv, env: call.env, runner, staying, deadline: call.deadline, output: call.output })
    }

    /// Whether a runner that was started so, and with no environment, can run this.
    pub(super) fn can_be_given_to(&self, argv: &[String]) -> bool {
        self.runner.is_some() && self.argv == argv && !self.env.iter().any(|(name, _)| acts_at_start(name))
    }

    /// Has the runner told what it was not started with.
    pub(super) fn tell_environment(&mut self) {
        if let Some(runner) = &mut self.runner {
            runner.env = std::mem::take(&mut self.env);
        }
    }

    /// What starts the program, as one frame.
    pub(crate) fn spawn_frame(&self, call: u32) -> Result<Vec<u8>, FrameError> {
        ToInit::Spawn(Spawn {
            call,
            argv: self.argv.iter().map(|word| word.clone().into_bytes()).collect(),
            env: self.env.iter().map(|(name, value)| format!("{name}={value}").into_bytes()).collect(),
            cwd: b"/workspace".to_vec(),
            runner: self.runner.is_some(),
        })
        .encode()
    }
}

impl FilePlan {
    fn in_workspace(file: FileIn) -> Self {
        Self {
            path: format!("/workspace/{}", file.path),
            name: file.path,
            content: file.content,
            executable: file.executable,
        }
    }

    fn code(name: String, content: Bytes) -> Self {
        Self { path: format!("/code/{name}"), name, content, executable: false }
    }

    /// The file in frames of at most [`MAX_PIECE`] bytes; at least one, which creates it.
    pub(crate) fn frames(&self) -> impl Iterator<Item = Result<Vec<u8>, FrameError>> + '_ {
        let pieces = self.content.len().div_ceil(MAX_PIECE).max(1);
        (0..pieces).map(move |index| {
            let start = index * MAX_PIECE;
            let end = (start + MAX_PIECE).min(self.content.len());
            ToInit::PutFile {
                path: self.path.clone().into_bytes(),
                executable: self.executable,
                append: index > 0,
                content: self.content.slice(start..end).to_vec(),
            }
            .encode()
        })
    }
}

impl RunnerPlan {
    /// Whether the runner answers.
    pub(crate) const fn answers(&self) -> bool {
        self.request.is_some()
    }

    /// Whether the program is only to be loaded, and asked later.
    pub(crate) const fn is_ahead(&self) -> bool {
        self.ahead
    }

    /// What it is to answer, frame by frame.
    pub(crate) fn asked(&self, call: u32) -> impl Iterator<Item = Result<Vec<u8>, FrameError>> + '_ {
        self.request.iter().flat_map(move |request| asked(request, call))
    }

    /// What it is to run, frame by frame.
    pub(crate) fn program(&self, call: u32) -> impl Iterator<Item = Result<Vec<u8>, FrameError>> + '_ {
        let begin = ToRunner::Begin {
            call,
            contract: self.contract.clone(),
            name: self.name.clone(),
            args: self.args.clone(),
            env: self.env.iter().map(|(name, value)| (name.clone().into(), value.clone().into())).collect(),
            code_bytes: self.code.len() as u64,
        };
        std::iter::once(begin.encode()).chain(pieces(&self.code, call))
    }
}

/// How a language's runner is started, whatever it is to run; `None` for a language whose programs have none, or need
/// to be known before.
pub(super) fn runner_command(language: Language, host: &Host) -> Option<Vec<String>> {
    let interpreter = interpreter(language, host).ok()?;
    match language {
        Language::Python => Some(python(interpreter)),
        Language::JavaScript => Some(javascript(interpreter)),
        Language::Bash | Language::Php => None,
    }
}

fn python(interpreter: &str) -> Vec<String> {
    std::iter::once(interpreter).chain(PYTHON_RUNNER).map(str::to_owned).collect()
}

/// One thread for V8's background work instead of one for each processor.
fn javascript(interpreter: &str) -> Vec<String> {
    argv(&[interpreter, "--v8-pool-size=1", "/opt/faas/runner.js"])
}

fn argv(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A request, frame by frame.
pub(crate) fn asked(request: &HandlerRequest, call: u32) -> impl Iterator<Item = Result<Vec<u8>, FrameError>> + '_ {
    std::iter::once(request_head(request, call)).chain(pieces(&request.body, call))
}

/// The frame that a request begins with.
pub(crate) fn request_head(request: &HandlerRequest, call: u32) -> Result<Vec<u8>, FrameError> {
    let head = ToRunner::Request {
        call,
        method: request.method.clone(),
        path: request.path.clone(),
        query: request.query.clone(),
        headers: request.headers.iter().map(|(name, value)| (name.clone(), value.to_vec())).collect(),
        body_bytes: request.body.len() as u64,
    };
    head.encode()
}

/// Bytes in `Body` frames, and the `End` behind them.
pub(crate) fn pieces(bytes: &Bytes, call: u32) -> impl Iterator<Item = Result<Vec<u8>, FrameError>> + '_ {
    let bodies = bytes.chunks(MAX_BODY).enumerate().map(move |(index, piece)| {
        let sequence = u32::try_from(index).unwrap_or(u32::MAX);
        ToRunner::Body { call, sequence, bytes: piece.to_vec() }.encode()
    });
    bodies.chain(std::iter::once(ToRunner::End { call }.encode()))
}
