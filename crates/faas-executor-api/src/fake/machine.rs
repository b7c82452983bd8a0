//! Runs the instructions of one program against its sandbox.

use super::console::{Console, Overflow, Stream};
use super::instruction::Instruction;
use super::program::Process;
use super::state::{Gate, Shared};
use crate::conformance::TOGETHER_FLOOD;
use crate::{OutputEvent, ResponseHead, Stay};
use bytes::Bytes;
use faas_types::{LimitHit, Outcome};
use std::time::Duration;
use tokio::sync::mpsc;

/// Between two lines of a program that never ends: a program takes time, and others run meanwhile.
const PRINT_INTERVAL: Duration = Duration::from_millis(1);
const PRINT_PIECE: usize = 4096;
const PATTERN_LENGTH: usize = 251;

/// The program's side of a run.
pub(super) struct Machine<'a> {
    pub(super) console: &'a mut Console,
    pub(super) stdin: mpsc::Receiver<Bytes>,
    pub(super) gate: Gate,
    pub(super) shared: &'a Shared,
}

/// Why a program stops before its last instruction.
enum Stop {
    Ends(Outcome),
    Overflow,
}

impl From<Overflow> for Stop {
    fn from(_: Overflow) -> Self {
        Self::Overflow
    }
}

impl Machine<'_> {
    pub(super) async fn run(mut self, process: &Process) -> Outcome {
        if !self.shared.allocate(0) {
            return Outcome::OutOfMemory;
        }
        let mut loaded = process.handler.is_none();
        for instruction in &process.instructions {
            self.gate.open().await;
            if !loaded && instruction.answers() {
                self.console.say(OutputEvent::Loaded).await;
                loaded = true;
            }
            if loaded && process.handler == Some(Stay::Loaded) {
                break;
            }
            match self.step(instruction, process).await {
                Ok(()) | Err(Stop::Ends(Outcome::Exited { code: 0 })) => {}
                Err(Stop::Ends(outcome)) => return outcome,
                Err(Stop::Overflow) => return Outcome::LimitExceeded { limit: LimitHit::Output },
            }
        }
        Outcome::Exited { code: 0 }
    }

    async fn step(&mut self, instruction: &Instruction, process: &Process) -> Result<(), Stop> {
        match instruction {
            Instruction::Nothing => Ok(()),
            Instruction::Print { stdout, stderr, exit } => {
                self.console.write(Stream::Stdout, stdout.clone()).await?;
                self.console.write(Stream::Stderr, stderr.clone()).await?;
                exits(*exit)
            }
            Instruction::Steps { count } => {
                for step in 0..*count {
                    let line = Bytes::from(format!("{step}\n"));
                    self.console.write(Stream::Stdout, line.clone()).await?;
                    self.console.write(Stream::Stderr, line).await?;
                }
                Ok(())
            }
            Instruction::Flood { bytes, exit } => self.flood(*bytes, *exit).await,
            Instruction::PrintForever => loop {
                self.console.write(Stream::Stdout, Bytes::from_static(&[b'y'; PRINT_PIECE])).await?;
                tokio::time::sleep(PRINT_INTERVAL).await;
            },
            Instruction::Environment => {
                let text: String = process.env.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
                self.say(text).await
            }
            Instruction::Arguments { exit } => {
                let text: String = process.args.iter().map(|argument| format!("{argument}\n")).collect();
                self.say(text).await?;
                exits(*exit)
            }
            Instruction::Echo => self.echo().await,
            Instruction::Sleep { processes, .. } => {
                if self.shared.spawnable(processes - 1) < processes - 1 {
                    return exits(1);
                }
                self.say("ready\n").await?;
                std::future::pending().await
            }
            Instruction::Daemon => {
                if self.shared.spawnable(1) == 0 {
                    return exits(1);
                }
                self.shared.lock().daemons += 1;
                self.say("parent\n").await
            }
            Instruction::Kill { signal } => Err(Stop::Ends(Outcome::Signaled { signal: *signal })),
            Instruction::Allocate { bytes } => {
                if !self.shared.allocate(*bytes) {
                    return Err(Stop::Ends(Outcome::OutOfMemory));
                }
                self.say("allocated\n").await
            }
            Instruction::Fork { count } => {
                let children = self.shared.spawnable(*count);
                self.say(format!("{children}\n")).await
            }
            Instruction::Write { path, content } => {
                let written = self.shared.lock().disk.write(path, content.clone(), false);
                self.stored()?;
                if written.is_err() { exits(1) } else { Ok(()) }
            }
            Instruction::AnswerEcho => self.answer_echo(process).await,
            Instruction::AnswerFlood { bytes } => self.answer_flood(*bytes).await,
            Instruction::AnswerStart => {
                self.console.say(OutputEvent::ResponseHead(ResponseHead { status: 200, headers: Vec::new() })).await;
                self.console.say(OutputEvent::Body(Bytes::from_static(b"ready\n"))).await;
                std::future::pending().await
            }
            Instruction::Raise => self.raise().await,
            Instruction::Obey => self.obey(process).await,
            Instruction::Together => self.together(process).await,
            Instruction::Fill { path, bytes } => self.fill(path, *bytes).await,
            Instruction::Create { count } => self.create(*count).await,
            Instruction::Read { path } => {
                let content = self.shared.lock().disk.read(path);
                match content {
                    Some(content) => Ok(self.console.write(Stream::Stdout, content).await?),
                    None => exits(1),
                }
            }
        }
    }

    async fn say(&mut self, text: impl Into<Bytes>) -> Result<(), Stop> {
        Ok(self.console.write(Stream::Stdout, text.into()).await?)
    }

    async fn flood(&mut self, mut left: u64, exit: u8) -> Result<(), Stop> {
        let piece: Bytes = (0..=250_u8).cycle().take(PATTERN_LENGTH * 256).collect();
        while left > 0 {
            let length = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
            self.console.write(Stream::Stdout, piece.slice(..length)).await?;
            left -= length as u64;
        }
        exits(exit)
    }

    async fn answer_echo(&mut self, process: &Process) -> Result<(), Stop> {
        let Some(request) = &process.request else { return exits(1) };
        let name = request.headers.iter().find(|(name, _)| name == "x-name").map(|(_, value)| value.as_ref());
        let name = String::from_utf8_lossy(name.unwrap_or_default());
        let asked = format!("{} {}?{} {name}", request.method, request.path, request.query);
        let headers = vec![("x-asked".to_owned(), Bytes::from(asked))];
        self.console.say(OutputEvent::ResponseHead(ResponseHead { status: 201, headers })).await;
        if !request.body.is_empty() {
            self.console.say(OutputEvent::Body(request.body.clone())).await;
        }
        self.console.say(OutputEvent::ResponseEnd).await;
        Ok(())
    }

    async fn answer_flood(&mut self, mut left: u64) -> Result<(), Stop> {
        self.console.say(OutputEvent::ResponseHead(ResponseHead { status: 200, headers: Vec::new() })).await;
        let piece: Bytes = (0..=250_u8).cycle().take(PATTERN_LENGTH * 256).collect();
        while left > 0 {
            let length = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
            self.console.say(OutputEvent::Body(piece.slice(..length))).await;
            left -= length as u64;
        }
        self.console.say(OutputEvent::ResponseEnd).await;
        Ok(())
    }

    /// See [`crate::conformance::HandlerTask::Obey`].
    async fn obey(&mut self, process: &Process) -> Result<(), Stop> {
        let Some(request) = &process.request else { return exits(1) };
        let calls = {
            let mut state = self.shared.lock();
            state.module.calls += 1;
            state.module.calls
        };
        self.say(format!("call {calls}\n")).await?;
        let mut answer = Bytes::from(calls.to_string());
        match request.body.as_ref() {
            b"note" => {
                let mut state = self.shared.lock();
                answer = state.disk.read("note").unwrap_or(Bytes::from_static(b"absent"));
                if state.disk.write("note", Bytes::from_static(b"of a call"), false).is_err() {
                    return exits(1);
                }
            }
            b"thread" => self.shared.lock().module.goes_on = true,
            b"process" => self.shared.lock().daemons += 1,
            b"processes" => answer = (2 + self.shared.lock().daemons).to_string().into(),
            b"die" => self.shared.lock().module.ended = true,
            b"sleep" => {
                self.say("ready\n").await?;
                std::future::pending::<()>().await;
            }
            b"exit" => return exits(3),
            b"raise" => return self.raise().await,
            _ => {}
        }
        self.answer(answer).await
    }

    /// See [`crate::conformance::HandlerTask::Together`].
    async fn together(&mut self, process: &Process) -> Result<(), Stop> {
        let Some(request) = &process.request else { return exits(1) };
        let calls = {
            let mut state = self.shared.lock();
            state.module.calls += 1;
            state.module.calls
        };
        let text = String::from_utf8_lossy(&request.body).into_owned();
        match *text.split(' ').collect::<Vec<_>>() {
            ["meet", size, name] => {
                let Ok(size) = size.parse() else { return exits(1) };
                self.say(format!("{name}\n")).await?;
                self.shared.meet(size).await;
                self.say(format!("{name}\n")).await?;
                self.answer(name.to_owned()).await
            }
            ["wait"] => {
                self.say("ready\n").await?;
                std::future::pending().await
            }
            ["chatter"] => loop {
                self.say("late\n").await?;
                tokio::time::sleep(PRINT_INTERVAL).await;
            },
            ["flood"] => self.answer_flood(TOGETHER_FLOOD).await,
            ["raise"] => self.raise().await,
            ["exit"] => exits(3),
            _ => self.answer(calls.to_string()).await,
        }
    }

    async fn answer(&mut self, body: impl Into<Bytes>) -> Result<(), Stop> {
        self.console.say(OutputEvent::ResponseHead(ResponseHead { status: 200, headers: Vec::new() })).await;
        self.console.say(OutputEvent::Body(body.into())).await;
        self.console.say(OutputEvent::ResponseEnd).await;
        Ok(())
    }

    async fn raise(&mut self) -> Result<(), Stop> {
        self.console.say(OutputEvent::Failed("ValueError: mine".to_owned())).await;
        exits(1)
    }

    async fn echo(&mut self) -> Result<(), Stop> {
        loop {
            self.gate.open().await;
            match self.stdin.recv().await {
                Some(bytes) => self.console.write(Stream::Stdout, bytes).await?,
                None => return Ok(()),
            }
        }
    }

    async fn fill(&mut self, path: &str, bytes: u64) -> Result<(), Stop> {
        let (word, written) = {
            let mut state = self.shared.lock();
            let fits = bytes.min(state.disk.free());
            let content = vec![b'x'; usize::try_from(fits).unwrap_or(usize::MAX)];
            match state.disk.write(path, Bytes::from(content), false) {
                Ok(()) if fits == bytes => ("wrote", fits),
                Ok(()) => ("full", fits),
                Err(_) => ("full", 0),
            }
        };
        self.stored()?;
        self.say(format!("{word} {written}\n")).await
    }

    async fn create(&mut self, count: u64) -> Result<(), Stop> {
        let created = {
            let mut state = self.shared.lock();
            (0..count).take_while(|n| state.disk.write(&format!("file-{n}"), Bytes::new(), false).is_ok()).count()
        };
        let word = if created as u64 == count { "wrote" } else { "full" };
        self.say(format!("{word} {created}\n")).await
    }

    /// Files live in memory: storing them can be too much for it.
    fn stored(&self) -> Result<(), Stop> {
        if self.shared.allocate(0) { Ok(()) } else { Err(Stop::Ends(Outcome::OutOfMemory)) }
    }
}

/// A program that exits with 0 goes on to its next instruction, as a script would.
fn exits(code: u8) -> Result<(), Stop> {
    if code == 0 { Ok(()) } else { Err(Stop::Ends(Outcome::Exited { code })) }
}
