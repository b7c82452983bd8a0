//! The fake's programs for the conformance suite.

use super::instruction::to_hex;
use crate::Program;
use crate::conformance::{CgiTask, Guest, HandlerTask, ScriptTask};
use bytes::Bytes;
use faas_types::Language;

/// Writes programs in the fake's own language.
#[derive(Debug, Clone, Copy, Default)]
pub struct FakeGuest;

fn fake(words: &[&str]) -> Vec<String> {
    ["/usr/bin/fake"].iter().chain(words).map(|word| (*word).to_owned()).collect()
}

impl Guest for FakeGuest {
    fn print(&self, stdout: &[u8], stderr: &[u8], exit: u8) -> Vec<String> {
        fake(&["print", &to_hex(stdout), &to_hex(stderr), &exit.to_string()])
    }

    fn print_in_steps(&self, steps: u32) -> Vec<String> {
        fake(&["steps", &steps.to_string()])
    }

    fn flood(&self, bytes: u64, exit: u8) -> Vec<String> {
        fake(&["flood", &bytes.to_string(), &exit.to_string()])
    }

    fn print_forever(&self) -> Vec<String> {
        fake(&["print-forever"])
    }

    fn print_environment(&self) -> Vec<String> {
        fake(&["environment"])
    }

    fn echo_stdin(&self) -> Vec<String> {
        fake(&["echo"])
    }

    fn sleep_forever(&self) -> Vec<String> {
        fake(&["sleep"])
    }

    fn wait_for_signal(&self) -> Vec<String> {
        fake(&["wait-for-signal"])
    }

    fn stubborn_tree(&self) -> Vec<String> {
        fake(&["tree"])
    }

    fn spawn_daemon_then_exit(&self) -> Vec<String> {
        fake(&["daemon"])
    }

    fn kill_self(&self, signal: u8) -> Vec<String> {
        fake(&["kill", &signal.to_string()])
    }

    fn allocate(&self, bytes: u64) -> Vec<String> {
        fake(&["allocate", &bytes.to_string()])
    }

    fn fork_many(&self, count: u32) -> Vec<String> {
        fake(&["fork", &count.to_string()])
    }

    fn write_file(&self, path: &str, content: &[u8]) -> Vec<String> {
        fake(&["write", path, &to_hex(content)])
    }

    fn fill_file(&self, path: &str, bytes: u64) -> Vec<String> {
        fake(&["fill", path, &bytes.to_string()])
    }

    fn create_files(&self, count: u64) -> Vec<String> {
        fake(&["create", &count.to_string()])
    }

    fn read_file(&self, path: &str) -> Vec<String> {
        fake(&["read", path])
    }

    fn executable_file(&self) -> Bytes {
        Bytes::from(format!("print {} {} 0\n", to_hex(b"ran\n"), to_hex(b"")))
    }

    fn bare_program(&self) -> Vec<String> {
        ["fake", "nothing"].map(str::to_owned).to_vec()
    }

    fn script(&self, _language: Language, task: ScriptTask) -> Option<Program> {
        let code = match task {
            ScriptTask::PrintArguments { exit } => format!("arguments {exit}\n"),
            ScriptTask::EchoStdin => "echo\n".to_owned(),
            ScriptTask::SleepForever => "sleep\n".to_owned(),
        };
        Some(Program { code: Bytes::from(code), name: "main.fake".to_owned() })
    }

    fn handler(&self, _language: Language, task: HandlerTask) -> Option<Program> {
        let code = match task {
            HandlerTask::Echo => format!("print {} {} 0\nanswer-echo\n", to_hex(b"asked\n"), to_hex(b"")),
            HandlerTask::Flood { bytes } => format!("answer-flood {bytes}\n"),
            HandlerTask::Raise => "raise\n".to_owned(),
            HandlerTask::Obey => "obey\n".to_owned(),
            HandlerTask::Together => "together\n".to_owned(),
            HandlerTask::Exit { code } => format!("arguments {code}\n"),
        };
        Some(Program { code: Bytes::from(code), name: "main.fake".to_owned() })
    }

    fn cgi(&self, _language: Language, task: CgiTask) -> Option<Program> {
        let code = match task {
            CgiTask::Echo => format!("print {} {} 0\nanswer-echo\n", to_hex(b""), to_hex(b"asked\n")),
            CgiTask::Flood { bytes } => format!("answer-flood {bytes}\n"),
            CgiTask::Start => "answer-start\n".to_owned(),
            CgiTask::Fail => "raise\n".to_owned(),
            // Fake programs say no bytes of a header, and have no first line.
            CgiTask::Malformed | CgiTask::Executable => return None,
        };
        Some(Program { code: Bytes::from(code), name: "main.fake".to_owned() })
    }
}
