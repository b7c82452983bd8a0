//! The launcher, spoken to as the server does: zygotes of sandboxes' programs.

use super::{Launcher, Settings};
use faas_protocol::call::ToRunner;
use faas_protocol::control::{FromInit, ToInit};
use faas_protocol::frame::{HEADER, MAX_BODY};
use faas_protocol::launcher::{Create, FromLauncher, ToLauncher, Unfit, ZygoteEnd};
use faas_sandbox_linux::packet;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::time::Duration;

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
const TENANT: [u8; 16] = [1; 16];
const ANOTHER: [u8; 16] = [2; 16];
/// The zygote of the launcher's own.
const OURS: u32 = 1;

/// Loads something, stops itself, and goes on in each copy.
const PARKS: &str = "import posix, json\nposix.write(1, b'loaded\\n')\nposix.kill(posix.getpid(), 19)\n\
                     posix.write(1, b'%d %s' % (posix.getpid(), json.dumps(['copied']).encode()))\nposix._exit(0)";

/// The conversation with a launcher.
struct Told {
    launcher: Launcher,
    sandboxes: u8,
    /// Those whose end was heard of among other things.
    ended: Vec<[u8; 16]>,
}

/// A sandbox, in which a runner waits for a call.
struct Inside {
    id: [u8; 16],
    _control: OwnedFd,
    output: BufReader<File>,
    call: File,
    _others: Vec<OwnedFd>,
}

impl Told {
    /// With a zygote.
    fn begin() -> Self {
        let launcher = Launcher::start(&Settings::default()).expect("a launcher");
        set_socket_timeout(&launcher.socket, Timeout::Recv, Some(PATIENCE)).expect("a bound");
        let mut told = Self { launcher, sandboxes: 0, ended: Vec::new() };
        told.say(&ToLauncher::Hatch { zygote: OURS, language: "python".to_owned(), sandbox: None }, &[]);
        assert_eq!(told.hear().0, FromLauncher::Hatched { zygote: OURS });
        told
    }

    fn say(&self, message: &ToLauncher, descriptors: &[BorrowedFd<'_>]) {
        let frame = message.encode().expect("a frame");
        packet::send(self.launcher.socket.as_fd(), &frame, descriptors).expect("a launcher that listens");
    }

    fn next(&self) -> (FromLauncher, Vec<OwnedFd>) {
        let mut buffer = vec![0; HEADER + MAX_BODY];
        let received = packet::receive(&self.launcher.socket, &mut buffer).expect("a launcher that speaks");
        (FromLauncher::decode(&buffer[..received.length]).expect("a message"), received.descriptors)
    }

    /// The next message that is not the end of a sandbox.
    fn hear(&mut self) -> (FromLauncher, Vec<OwnedFd>) {
        loop {
            match self.next() {
                (FromLauncher::Ended { sandbox, .. }, _) => self.ended.push(sandbox),
                heard => return heard,
            }
        }
    }

    /// Kills a sandbox and waits for its end.
    fn kill(&mut self, inside: &Inside) {
        self.say(&ToLauncher::Kill { sandbox: inside.id }, &[]);
        while !self.ended.contains(&inside.id) {
            match self.next().0 {
                FromLauncher::Ended { sandbox, .. } => self.ended.push(sandbox),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Asks for a sandbox with a copy of a zygote: what the launcher answers, and what was asked with.
    fn ask(&mut self, tenant: [u8; 16], zygote: u32, stem: bool) -> (FromLauncher, Vec<OwnedFd>, [u8; 16], OwnedFd) {
        self.sandboxes += 1;
        let sandbox = [self.sandboxes; 16];
        let (control, theirs) = packet::pair().expect("sockets");
        let request = Create {
            sandbox,
            tenant,
            strict: false,
            memory_bytes: 256 << 20,
            disk_bytes: 16 << 20,
            inodes: 1000,
            cpu_milli: 1000,
            pids: 32,
            packages: None,
            zygote: Some(zygote),
            stem,
            fail_at: None,
        };
        self.say(&ToLauncher::Create(request), &[theirs.as_fd()]);
        drop(theirs);
        let hello = ToInit::Hello { version: faas_protocol::VERSION }.encode().expect("a frame");
        packet::send(control.as_fd(), &hello, &[]).expect("an init that listens");
        let (answer, descriptors) = self.hear();
        (answer, descriptors, sandbox, control)
    }

    /// A sandbox with a copy of a zygote that was told to run this code.
    fn sandbox(&mut self, zygote: u32, stem: bool, code: &str) -> Inside {
        let (answer, descriptors, id, control) = self.ask(TENANT, zygote, stem);
        let FromLauncher::Started { sandbox, .. } = answer else { panic!("{answer:?}") };
        assert_eq!(sandbox, id);
        let mut buffer = [0; 64];
        let length = packet::receive(&control, &mut buffer).expect("init").length;
        assert!(matches!(FromInit::decode(&buffer[..length]), Ok(FromInit::Ready { .. })));
        let [input, output, error, call] = <[OwnedFd; 4]>::try_from(descriptors).expect("four descriptors");
        let mut inside = Inside {
            id,
            _control: control,
            output: BufReader::new(output.into()),
            call: call.into(),
            _others: vec![input, error],
        };
        inside.begin(code);
        inside
    }

    fn hatch(&self, zygote: u32, sandbox: [u8; 16]) {
        self.say(&ToLauncher::Hatch { zygote, language: "python".to_owned(), sandbox: Some(sandbox) }, &[]);
    }

    /// What is heard of a zygote that does not come to be.
    fn ended(&mut self, zygote: u32) -> ZygoteEnd {
        match self.hear().0 {
            FromLauncher::ZygoteEnded { zygote: ended, cause } if ended == zygote => cause,
            other => panic!("{other:?}"),
        }
    }

    /// Ends the launcher, which ends everything it made.
    fn end(self) {
        let Launcher { socket, mut child, .. } = self.launcher;
        drop(socket);
        assert!(child.wait().expect("its end").success());
    }
}

impl Inside {
    /// Nothing for a copy that goes on in the middle of a program.
    fn begin(&mut self, code: &str) {
        if code.is_empty() {
            return;
        }
        let begin = ToRunner::Begin {
            call: 1,
            contract: "script".to_owned(),
            name: "main.py".to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            code_bytes: code.len() as u64,
        };
        let body = ToRunner::Body { call: 1, sequence: 0, bytes: code.as_bytes().to_vec() };
        for frame in [begin, body, ToRunner::End { call: 1 }] {
            self.call.write_all(&frame.encode().expect("a frame")).expect("a runner that listens");
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("output");
        line
    }

    fn rest(mut self) -> String {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).expect("output");
        rest
    }
}

#[test]
fn a_program_becomes_a_zygote_of_its_tenants_sandboxes() {
    let mut told = Told::begin();
    let refused = |errno: Errno| ZygoteEnd::Refused { errno: errno.raw_os_error() };
    let mut source = told.sandbox(OURS, true, PARKS);
    // Whether it has parked or not.
    told.hatch(2, source.id);
    assert_eq!(source.line(), "loaded\n");
    assert_eq!(told.hear().0, FromLauncher::Hatched { zygote: 2 });
    // A program becomes one zygote.
    told.hatch(3, source.id);
    assert_eq!(told.ended(3), refused(Errno::SRCH));
    told.kill(&source);

    let copies: Vec<Inside> = (0..3).map(|_| told.sandbox(2, false, "")).collect();
    copies.into_iter().for_each(|copy| assert_eq!(copy.rest(), "3 [\"copied\"]"));
    let (answer, _, sandbox, _control) = told.ask(ANOTHER, 2, false);
    assert_eq!(answer, FromLauncher::NotStarted { sandbox, errno: Errno::PERM.raw_os_error() });
    // One that was made without a stem, and one that is gone.
    let plain = told.sandbox(OURS, false, PARKS);
    for sandbox in [plain.id, source.id] {
        told.hatch(4, sandbox);
        assert_eq!(told.ended(4), refused(Errno::SRCH));
    }
    told.say(&ToLauncher::Retire { zygote: 2 }, &[]);
    assert_eq!(told.ended(2), ZygoteEnd::Retired);
    let (answer, _, sandbox, _control) = told.ask(TENANT, 2, false);
    assert_eq!(answer, FromLauncher::NotStarted { sandbox, errno: Errno::SRCH.raw_os_error() });
    told.end();
}

#[test]
fn what_cannot_become_a_zygote_is_told_by_name_and_holds_nobody_up() {
    let mut told = Told::begin();
    let cases = [
        ("import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n", Unfit::Threads),
        ("import os, signal\nos.fork() or signal.pause()\n", Unfit::Processes),
        ("kept = [open('/dev/null'), open('/dev/null')]\n", Unfit::Descriptors),
        ("import mmap\nkept = mmap.mmap(-1, 4096)\n", Unfit::SharedMapping),
        ("import os\nos._exit(3)\n", Unfit::Gone),
    ];
    let mut kept = Vec::new();
    for (number, (code, reason)) in (10..).zip(cases) {
        let source = told.sandbox(OURS, true, &format!("{code}{PARKS}"));
        told.hatch(number, source.id);
        assert_eq!(told.ended(number), ZygoteEnd::Unfit { reason }, "{code}");
        kept.push(source);
    }

    // One that never parks holds nobody up, and can be given up.
    let never = "import posix, signal\nposix.write(1, b'waits\\n')\nsignal.pause()\n";
    let mut waits = told.sandbox(OURS, true, never);
    told.hatch(20, waits.id);
    assert_eq!(waits.line(), "waits\n");
    let mut other = told.sandbox(OURS, false, "print('served')");
    assert_eq!(other.line(), "served\n");
    told.say(&ToLauncher::Retire { zygote: 20 }, &[]);
    assert_eq!(told.ended(20), ZygoteEnd::Retired);

    // A sandbox that is killed while its program loads, or before it was to become one.
    let mut killed = told.sandbox(OURS, true, never);
    told.hatch(21, killed.id);
    assert_eq!(killed.line(), "waits\n");
    told.say(&ToLauncher::Kill { sandbox: killed.id }, &[]);
    // What is killed first, the program or what stands beside it, depends on the kind of cgroup.
    let cause = told.ended(21);
    let causes = [ZygoteEnd::Unfit { reason: Unfit::Gone }, ZygoteEnd::Killed { signal: 9 }];
    assert!(causes.contains(&cause), "{cause:?}");
    let mut idle = told.sandbox(OURS, true, never);
    assert_eq!(idle.line(), "waits\n");
    told.kill(&idle);
    told.end();
}
