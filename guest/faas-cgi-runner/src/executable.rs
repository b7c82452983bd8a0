//! An executable as the peer of one request: CGI variables, the body on standard input, the answer on
//! standard output. What it prints on standard error is the call's.

use crate::outgoing::Outgoing;
use crate::peer::{Failure, Peer};
use crate::variables::Variables;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

/// Bytes read at once.
const BUFFER: usize = 64 << 10;

/// A running program.
pub(crate) struct Executable {
    child: Child,
    /// Until it has ended.
    process: Option<OwnedFd>,
    status: Option<ExitStatus>,
    stdin: Option<ChildStdin>,
    body: Outgoing,
    body_is_whole: bool,
    stdout: Option<ChildStdout>,
    drained: bool,
}

impl Executable {
    /// Starts it.
    pub(crate) fn start(argv: &[String], variables: &Variables) -> io::Result<Self> {
        let (program, arguments) = argv.split_first().ok_or_else(|| io::Error::other("no program"))?;
        let environment = variables.iter().map(|(name, value)| (OsStr::new(name), OsStr::from_bytes(value)));
        let mut command = Command::new(program);
        command.args(arguments).envs(environment).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take();
        let process = watch(&mut child)?;
        for end in [stdin.as_ref().map(AsFd::as_fd), stdout.as_ref().map(AsFd::as_fd)].into_iter().flatten() {
            rustix::fs::fcntl_setfl(end, OFlags::NONBLOCK)?;
        }
        Ok(Self {
            child,
            process: Some(process),
            status: None,
            stdin,
            body: Outgoing::default(),
            body_is_whole: false,
            stdout,
            drained: false,
        })
    }

    fn close_whole_body(&mut self) {
        if self.body_is_whole && self.body.is_empty() {
            self.stdin = None;
        }
    }
}

/// A descriptor that is readable when the process has ended; a process that cannot be watched is ended.
pub(crate) fn watch(child: &mut Child) -> Result<OwnedFd, Errno> {
    pidfd_open(Pid::from_child(child), PidfdFlags::empty()).inspect_err(|_| {
        let _ = child.kill();
        let _ = child.wait();
    })
}

/// The code a shell gives for it: that of a process ended by a signal is above 128.
pub(crate) fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128_i32.saturating_add(signal)));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

/// How it ended, in words.
pub(crate) fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

impl Peer for Executable {
    fn take_body(&mut self, bytes: &[u8]) {
        if self.stdin.is_some() {
            self.body.push(bytes);
        }
    }

    fn end_body(&mut self) {
        self.body_is_whole = true;
        self.close_whole_body();
    }

    fn input(&self) -> Option<BorrowedFd<'_>> {
        self.stdin.as_ref().filter(|_| !self.body.is_empty()).map(AsFd::as_fd)
    }

    fn write(&mut self) {
        if let Some(stdin) = &self.stdin
            && self.body.write_to(stdin).is_err()
        {
            // It reads no more, which is its right; the rest of the body is nobody's.
            self.stdin = None;
            self.body.clear();
        }
        self.close_whole_body();
    }

    fn output(&self) -> Option<BorrowedFd<'_>> {
        self.stdout.as_ref().filter(|_| !self.drained).map(AsFd::as_fd)
    }

    fn hear(&mut self, answer: &mut Vec<u8>) {
        let Some(stdout) = &self.stdout else { return };
        let mut buffer = vec![0; BUFFER];
        match rustix::io::read(stdout, &mut buffer) {
            Ok(length) if length > 0 => answer.extend_from_slice(buffer.get(..length).unwrap_or_default()),
            // A descendant may keep the pipe open; it has nothing to say after the program's end.
            Err(Errno::AGAIN) => self.drained = self.status.is_some(),
            Err(Errno::INTR) => {}
            Ok(_) | Err(_) => self.stdout = None,
        }
    }

    fn process(&self) -> Option<BorrowedFd<'_>> {
        self.process.as_ref().map(AsFd::as_fd)
    }

    fn ended(&mut self) {
        if let Ok(Some(status)) = self.child.try_wait() {
            self.status = Some(status);
            self.process = None;
            self.stdin = None;
            self.body.clear();
        }
    }

    fn has_failed(&self) -> bool {
        false
    }

    fn end(&mut self) -> Option<Result<(), Failure>> {
        let status = self.status?;
        if self.stdout.is_some() && !self.drained {
            return None;
        }
        if status.success() {
            return Some(Ok(()));
        }
        // Its exit code is the runner's; a signal would be lost in it.
        let shown = status.code().is_some();
        Some(Err(Failure { message: format!("the program {}", how(status)), exit: exit_code(status), shown }))
    }

    fn abort(&mut self) {
        // One that has ended already needs nothing.
        let _ = self.child.kill();
        self.stdout = None;
    }
}

impl Drop for Executable {
    fn drop(&mut self) {
        if self.status.is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
