//! Finding and reading fake programs.

use super::disk::Disk;
use super::instruction::Instruction;
use crate::{CallError, HandlerRequest, Invocation, Stay};
use faas_types::Contract;

/// Where every fake sandbox has its one built-in program.
const BUILT_IN: &str = "/usr/bin/fake";
/// Where a bare name is searched without `PATH`.
const DEFAULT_PATH: &str = "/usr/bin:/bin";

/// What is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) instructions: Vec<Instruction>,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    /// What it is asked, under the contracts handler and cgi.
    pub(super) request: Option<HandlerRequest>,
    /// Under the handler contract: when it comes to stay.
    pub(super) handler: Option<Stay>,
}

impl Process {
    /// As a command.
    pub(super) fn find(argv: &[String], env: Vec<(String, String)>, disk: &Disk) -> Result<Self, CallError> {
        let Some((program, args)) = argv.split_first() else {
            return Err(not_found("", "no program"));
        };
        let instructions = if located(program, &env).iter().any(|path| path == BUILT_IN) {
            let words: Vec<&str> = args.iter().map(String::as_str).collect();
            Instruction::parse(&words).map(|instruction| vec![instruction])
        } else {
            let relative = program.strip_prefix("./").unwrap_or(program);
            let content = disk.executable(relative).ok_or_else(|| not_found(program, "no such executable file"))?;
            parse_text(&content)
        };
        let instructions = instructions.ok_or_else(|| not_found(program, "not a fake program"))?;
        Ok(Self { instructions, args: args.to_vec(), env, request: None, handler: None })
    }

    /// As user code; anything that is not the fake's language is a program that exits with 1.
    pub(super) fn of_code(call: Invocation) -> Self {
        let instructions = parse_text(&call.program.code).unwrap_or_else(|| {
            let stderr = "syntax error\n".into();
            vec![Instruction::Print { stdout: "".into(), stderr, exit: 1 }]
        });
        let handler = (call.contract == Contract::Handler).then_some(call.stay);
        Self { instructions, args: call.args, env: call.env, request: call.request, handler }
    }

    /// The same, loaded already: what comes before the answer is not run again.
    pub(super) fn of_loaded(call: Invocation) -> Self {
        let Self { instructions, args, env, request, handler } = Self::of_code(call);
        let instructions = instructions.into_iter().skip_while(|instruction| !instruction.answers()).collect();
        Self { instructions, args, env, request, handler }
    }
}

fn located(program: &str, env: &[(String, String)]) -> Vec<String> {
    if program.contains('/') {
        return vec![program.to_owned()];
    }
    let path = env.iter().find(|(name, _)| name == "PATH").map_or(DEFAULT_PATH, |(_, value)| value);
    path.split(':').map(|directory| format!("{directory}/{program}")).collect()
}

fn parse_text(text: &[u8]) -> Option<Vec<Instruction>> {
    let lines = str::from_utf8(text).ok()?.lines().filter(|line| !line.is_empty());
    lines.map(|line| Instruction::parse(&line.split(' ').collect::<Vec<_>>())).collect()
}

fn not_found(program: &str, reason: &str) -> CallError {
    CallError::NotFound { program: program.to_owned(), reason: reason.to_owned() }
}
