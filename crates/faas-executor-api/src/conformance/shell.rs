//! The programs for backends whose sandboxes have a Linux userland with coreutils, bash and python3.

mod handler;

use super::{CgiTask, Guest, HandlerTask, ScriptTask, cgi_programs};
use crate::Program;
use bytes::Bytes;
use faas_types::Language;

/// Real programs: `/usr/bin/bash`, `/usr/bin/python3 -I` and coreutils, by absolute path.
#[derive(Debug, Clone, Copy)]
pub struct ShellGuest {
    patience: u32,
}

impl ShellGuest {
    /// For machines that are this many times slower than an ordinary one.
    #[must_use]
    pub const fn patient(patience: u32) -> Self {
        Self { patience }
    }
}

impl Default for ShellGuest {
    fn default() -> Self {
        Self::patient(1)
    }
}

fn bash(code: &str, arguments: &[&str]) -> Vec<String> {
    words(&["/usr/bin/bash", "-c", code, "bash"], arguments)
}

fn python(code: &str, arguments: &[&str]) -> Vec<String> {
    words(&["/usr/bin/python3", "-I", "-c", code], arguments)
}

fn words(program: &[&str], arguments: &[&str]) -> Vec<String> {
    program.iter().chain(arguments).map(|word| (*word).to_owned()).collect()
}

/// As `printf %b` reads it: arguments cannot hold NUL, nor this crate's `String`s invalid UTF-8.
fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect()
}

const FLOOD: &str = r"
import sys
left, pattern, out = int(sys.argv[1]), bytes(range(251)) * 1024, sys.stdout.buffer
while left > 0:
    left -= out.write(pattern[:left])
out.flush()
sys.exit(int(sys.argv[2]))
";

const STUBBORN_TREE: &str = r#"
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
readable, writable = os.pipe()
for _ in range(2):
    if os.fork() == 0:
        os.setsid()
        os.fork()
        os.write(writable, b".")
        while True:
            signal.pause()
seen = 0
while seen < 4:
    seen += len(os.read(readable, 4))
os.write(1, b"ready\n")
while True:
    signal.pause()
"#;

const DAEMON: &str = r#"
import os, signal
if os.fork() == 0:
    os.setsid()
    while True:
        signal.pause()
os.write(1, b"parent\n")
"#;

const FORK_MANY: &str = r"
import os, signal, sys
children = []
try:
    while len(children) < int(sys.argv[1]):
        child = os.fork()
        if child == 0:
            while True:
                signal.pause()
        children.append(child)
except OSError:
    pass
print(len(children), flush=True)
for child in children:
    os.kill(child, signal.SIGKILL)
for child in children:
    os.waitpid(child, 0)
";

const FILL_FILE: &str = r#"
import errno, os, sys
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
wanted, written, piece, word = int(sys.argv[2]), 0, b"x" * 65536, "wrote"
try:
    while written < wanted:
        written += os.write(file, piece[:wanted - written])
except OSError as error:
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        raise
    word = "full"
print(word, written)
"#;

const CREATE_FILES: &str = r#"
import errno, os, sys
wanted, created, word = int(sys.argv[1]), 0, "wrote"
try:
    while created < wanted:
        os.close(os.open(f"file-{created}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        created += 1
except OSError as error:
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        raise
    word = "full"
print(word, created)
"#;

impl Guest for ShellGuest {
    fn patience(&self) -> u32 {
        self.patience
    }

    fn print(&self, stdout: &[u8], stderr: &[u8], exit: u8) -> Vec<String> {
        let code = r#"printf %b "$1"; printf %b "$2" >&2; exit "$3""#;
        bash(code, &[&escaped(stdout), &escaped(stderr), &exit.to_string()])
    }

    fn print_in_steps(&self, steps: u32) -> Vec<String> {
        bash(r#"for ((i = 0; i < $1; i++)); do echo $i; echo $i >&2; done"#, &[&steps.to_string()])
    }

    fn flood(&self, bytes: u64, exit: u8) -> Vec<String> {
        python(FLOOD, &[&bytes.to_string(), &exit.to_string()])
    }

    fn print_forever(&self) -> Vec<String> {
        words(&["/usr/bin/yes"], &[])
    }

    fn print_environment(&self) -> Vec<String> {
        words(&["/usr/bin/env"], &[])
    }

    fn echo_stdin(&self) -> Vec<String> {
        words(&["/usr/bin/cat"], &[])
    }

    fn sleep_forever(&self) -> Vec<String> {
        bash(r#"trap "" TERM; echo ready; exec /usr/bin/sleep infinity"#, &[])
    }

    fn wait_for_signal(&self) -> Vec<String> {
        bash("echo ready; exec /usr/bin/sleep infinity", &[])
    }

    fn stubborn_tree(&self) -> Vec<String> {
        python(STUBBORN_TREE, &[])
    }

    fn spawn_daemon_then_exit(&self) -> Vec<String> {
        python(DAEMON, &[])
    }

    fn kill_self(&self, signal: u8) -> Vec<String> {
        bash(r#"kill -"$1" $$"#, &[&signal.to_string()])
    }

    fn allocate(&self, bytes: u64) -> Vec<String> {
        // A repeated byte that is not zero: zeros would be pages nobody has touched.
        python("import sys; held = b'x' * int(sys.argv[1]); print('allocated')", &[&bytes.to_string()])
    }

    fn fork_many(&self, count: u32) -> Vec<String> {
        python(FORK_MANY, &[&count.to_string()])
    }

    fn write_file(&self, path: &str, content: &[u8]) -> Vec<String> {
        bash(r#"printf %b "$2" > "$1""#, &[path, &escaped(content)])
    }

    fn fill_file(&self, path: &str, bytes: u64) -> Vec<String> {
        python(FILL_FILE, &[path, &bytes.to_string()])
    }

    fn create_files(&self, count: u64) -> Vec<String> {
        python(CREATE_FILES, &[&count.to_string()])
    }

    fn read_file(&self, path: &str) -> Vec<String> {
        words(&["/usr/bin/cat", "--"], &[path])
    }

    fn executable_file(&self) -> Bytes {
        Bytes::from_static(b"#!/usr/bin/bash\necho ran\n")
    }

    fn bare_program(&self) -> Vec<String> {
        words(&["true"], &[])
    }

    fn script(&self, language: Language, task: ScriptTask) -> Option<Program> {
        let (name, code) = match language {
            Language::Python => ("main.py", python_script(task)),
            Language::JavaScript => ("main.js", javascript_script(task)),
            Language::Bash => ("main.sh", bash_script(task)),
            Language::Php => return None,
        };
        Some(Program { code: Bytes::from(code), name: name.to_owned() })
    }

    fn handler(&self, language: Language, task: HandlerTask) -> Option<Program> {
        let (name, code) = match language {
            Language::Python => ("main.py", handler::python(task)),
            Language::JavaScript => ("main.js", handler::javascript(task)),
            Language::Bash | Language::Php => return None,
        };
        Some(Program { code: Bytes::from(code), name: name.to_owned() })
    }

    fn cgi(&self, language: Language, task: CgiTask) -> Option<Program> {
        cgi_programs::program(language, task)
    }
}

fn python_script(task: ScriptTask) -> String {
    match task {
        ScriptTask::PrintArguments { exit } => {
            format!("import sys\nfor argument in sys.argv[1:]:\n    print(argument)\nsys.exit({exit})\n")
        }
        ScriptTask::EchoStdin => {
            "import shutil, sys\nshutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)\n".to_owned()
        }
        ScriptTask::SleepForever => "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready', \
                                     flush=True)\nwhile True:\n    signal.pause()\n"
            .to_owned(),
    }
}

fn javascript_script(task: ScriptTask) -> String {
    match task {
        ScriptTask::PrintArguments { exit } => {
            format!(
                "for (const argument of process.argv.slice(2)) console.log(argument);\nprocess.exitCode = {exit};\n"
            )
        }
        ScriptTask::EchoStdin => "process.stdin.pipe(process.stdout);\n".to_owned(),
        ScriptTask::SleepForever => {
            "process.on('SIGTERM', () => {});\nconsole.log('ready');\nsetInterval(() => {}, 1e6);\n".to_owned()
        }
    }
}

fn bash_script(task: ScriptTask) -> String {
    match task {
        ScriptTask::PrintArguments { exit } => {
            format!("for argument in \"$@\"; do printf '%s\\n' \"$argument\"; done\nexit {exit}\n")
        }
        ScriptTask::EchoStdin => "exec /usr/bin/cat\n".to_owned(),
        ScriptTask::SleepForever => "trap '' TERM\necho ready\nexec /usr/bin/sleep infinity\n".to_owned(),
    }
}
