//! The built runner, asked as the host asks it, every frame of its checked as the host checks it.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]
#![allow(dead_code, reason = "each test file uses its part")]

use faas_protocol::call::{FromRunner, RunnerFrames, ToRunner};
use faas_protocol::frame::{Decoder, MAX_BODY};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long anything may take before the test fails.
const BOUND: Duration = Duration::from_secs(60);
/// How long a runner may take to end.
const PATIENCE: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };
/// How much of an answer may be under way.
pub(crate) const WINDOW: u32 = 256 << 10;

pub(crate) const PHP: &str = "/usr/bin/php-cgi";

/// A runner and its host's side.
pub(crate) struct Runner {
    child: Child,
    socket: UnixStream,
    decoder: Decoder,
    frames: RunnerFrames,
    call: u32,
    pub(crate) directory: Directory,
}

/// A directory of a test's own.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("cgi-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// What came of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) status: Option<u16>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) whole: bool,
    pub(crate) failed: Option<String>,
}

impl Answered {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(held, _)| held.eq_ignore_ascii_case(name));
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }

    /// Why it failed; it must have.
    pub(crate) fn failure(&self) -> &str {
        assert!(!self.whole, "it is whole: {self:?}");
        self.failed.as_deref().unwrap_or_else(|| panic!("nothing failed: {self:?}"))
    }
}

/// What a runner left behind.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Whether PHP can be tested here.
pub(crate) fn has_php() -> bool {
    let has = PathBuf::from(PHP).exists();
    if !has {
        println!("SKIP: there is no {PHP}; install php-cgi");
    }
    has
}

pub(crate) fn php(code: &str) -> Runner {
    Runner::start("fastcgi", PHP, "main.php", code, &[])
}

pub(crate) fn bash(code: &str) -> Runner {
    Runner::start("program", "/usr/bin/bash", "main.sh", code, &[])
}

impl Runner {
    pub(crate) fn start(kind: &str, interpreter: &str, name: &str, code: &str, files: &[(&str, &str)]) -> Self {
        let directory = Directory::new();
        for (name, content) in files {
            fs::write(directory.0.join(name), content).unwrap();
        }
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(BOUND)).unwrap();
        ours.set_write_timeout(Some(BOUND)).unwrap();
        let log = |name: &str| File::create(directory.0.with_extension(name)).unwrap();
        // Init hands the socket over as descriptor 3.
        let mut command = Command::new("/bin/sh");
        command.args([
            "-c",
            r#"exec "$0" "$@" 3<&0 0</dev/null"#,
            env!("CARGO_BIN_EXE_faas-cgi-runner"),
            kind,
            interpreter,
        ]);
        command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(log("out")).stderr(log("err"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("OWN", "variable").current_dir(&directory.0);
        let child = command.spawn().unwrap();
        let mut runner =
            Self { child, socket: ours, decoder: Decoder::new(), frames: RunnerFrames::new(), call: 1, directory };
        let begin = ToRunner::Begin {
            call: 1,
            contract: "cgi".to_owned(),
            name: name.to_owned(),
            args: vec!["first".to_owned()],
            env: Vec::new(),
            code_bytes: code.len() as u64,
        };
        runner.tell(&begin);
        runner.tell_bytes(code.as_bytes());
        runner
    }

    fn tell(&mut self, frame: &ToRunner) {
        self.socket.write_all(&frame.encode().unwrap()).expect("the runner listens");
    }

    fn tell_bytes(&mut self, bytes: &[u8]) {
        let call = self.call;
        for (index, piece) in bytes.chunks(MAX_BODY).enumerate() {
            let sequence = u32::try_from(index).unwrap();
            self.tell(&ToRunner::Body { call, sequence, bytes: piece.to_vec() });
        }
        self.tell(&ToRunner::End { call });
    }

    pub(crate) fn get(&mut self, path: &str) -> Answered {
        self.ask("GET", path, "", &[], b"")
    }

    /// Asks; what does not fit the socket's buffers must be taken before the answer is read.
    pub(crate) fn begin(&mut self, method: &str, path: &str, query: &str, headers: &[(&str, &str)], body: &[u8]) {
        self.call += 1;
        let call = self.call;
        let credit = self.frames.begin(call, WINDOW).unwrap();
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        self.tell(&ToRunner::Request {
            call,
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body_bytes: body.len() as u64,
        });
        self.tell_bytes(body);
        if let Some(credit) = credit {
            self.tell(&credit);
        }
    }

    pub(crate) fn ask(
        &mut self,
        method: &str,
        path: &str,
        query: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answered {
        self.begin(method, path, query, headers, body);
        let mut answered = Answered::default();
        // An answer that goes on for ever is no silence that a read could time out in.
        let begun = Instant::now();
        while !answered.whole && answered.failed.is_none() {
            assert!(begun.elapsed() < BOUND, "no end of {} bytes", answered.body.len());
            self.hear(&mut answered);
        }
        answered
    }

    /// Takes the next frame of an answer.
    pub(crate) fn hear(&mut self, answered: &mut Answered) {
        let frame = self.next().expect("the runner ended before its answer had");
        self.frames.accept(&frame).expect("a frame that the host accepts");
        match frame {
            FromRunner::Hello { .. } => {}
            FromRunner::Head { status, headers, .. } => {
                answered.status = Some(status);
                answered.headers = headers;
            }
            FromRunner::Body { call, bytes, .. } => {
                answered.body.extend_from_slice(&bytes);
                if let Some(credit) = self.frames.consumed(call, u32::try_from(bytes.len()).unwrap()) {
                    self.tell(&credit);
                }
            }
            FromRunner::End { .. } => answered.whole = true,
            FromRunner::Failed { message, .. } => answered.failed = Some(message),
            FromRunner::Loaded { .. } | FromRunner::Busy { .. } | FromRunner::Printed { .. } => {
                panic!("no program of this contract stays")
            }
        }
    }

    fn next(&mut self) -> Option<FromRunner> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            if let Some(raw) = self.decoder.next_frame().expect("sound frames") {
                return Some(FromRunner::decode(raw.as_bytes()).expect("known frames"));
            }
            let length = self.socket.read(&mut buffer).expect("an answer in time");
            if length == 0 {
                return None;
            }
            self.decoder.push(&buffer[..length]);
        }
    }

    /// Closes the socket and waits for the runner.
    pub(crate) fn end(mut self) -> Ended {
        self.socket.shutdown(std::net::Shutdown::Write).unwrap();
        // It closes its side when it has ended.
        while self.next().is_some() {}
        let code = self.child.wait().unwrap().code();
        let log = |name: &str| fs::read_to_string(self.directory.0.with_extension(name)).unwrap();
        Ended { code, stdout: log("out"), stderr: log("err") }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // It ends what it started when its host is gone; one that does not is killed.
        drop(self.socket.shutdown(std::net::Shutdown::Both));
        if let Ok(process) = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty()) {
            let _ = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&PATIENCE));
        }
        drop(self.child.kill());
        drop(self.child.wait());
        for name in ["out", "err"] {
            drop(fs::remove_file(self.directory.0.with_extension(name)));
        }
    }
}
