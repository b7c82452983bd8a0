//! A tripwire: the bytes of one example of each message.

use crate::VERSION;
use crate::call::{FromRunner, ToRunner};
use crate::control::{FromInit, Spawn, ToInit};
use crate::frame::FrameError;
use crate::launcher::{Counters, Create, FromLauncher, Host, Step, ToLauncher, ZygoteEnd};
use crate::leftover::Leftover;

/// One direction of one conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conversation {
    ToInit,
    FromInit,
    ToRunner,
    FromRunner,
    ToLauncher,
    FromLauncher,
}

impl Conversation {
    pub(super) const ALL: [Self; 6] =
        [Self::ToInit, Self::FromInit, Self::ToRunner, Self::FromRunner, Self::ToLauncher, Self::FromLauncher];

    /// Decodes a frame and encodes the message again.
    pub(super) fn decodes(self, frame: &[u8]) -> Result<Vec<u8>, FrameError> {
        match self {
            Self::ToInit => ToInit::decode(frame)?.encode(),
            Self::FromInit => FromInit::decode(frame)?.encode(),
            Self::ToRunner => ToRunner::decode(frame)?.encode(),
            Self::FromRunner => FromRunner::decode(frame)?.encode(),
            Self::ToLauncher => ToLauncher::decode(frame)?.encode(),
            Self::FromLauncher => FromLauncher::decode(frame)?.encode(),
        }
    }
}

/// An encoded message. Its name says which header fields it uses.
pub(super) struct Example {
    pub(super) name: &'static str,
    pub(super) conversation: Conversation,
    pub(super) frame: Vec<u8>,
}

/// One example of each message, in the order of their types.
pub(super) fn examples() -> Vec<Example> {
    let mut all = to_init();
    all.extend(from_init());
    all.extend(to_runner());
    all.extend(from_runner());
    all.extend(to_launcher());
    all.extend(from_launcher());
    all
}

fn to_init() -> Vec<Example> {
    [
        ("hello", ToInit::Hello { version: 1 }),
        (
            "put file",
            ToInit::PutFile { path: b"/code/a".to_vec(), executable: true, append: false, content: b"hi".to_vec() },
        ),
        (
            "spawn call",
            ToInit::Spawn(Spawn {
                call: 7,
                argv: vec![b"sh".to_vec(), b"-c".to_vec()],
                env: vec![b"A=1".to_vec()],
                cwd: b"/".to_vec(),
                runner: true,
            }),
        ),
        ("signal", ToInit::Signal { signal: 15 }),
        ("recycle", ToInit::Recycle),
        ("keep", ToInit::Keep),
        ("settle", ToInit::Settle),
        ("adopt call", ToInit::Adopt { call: 7, pid: 3 }),
    ]
    .map(|(name, message)| Example { name, conversation: Conversation::ToInit, frame: message.encode().unwrap() })
    .into()
}

fn from_init() -> Vec<Example> {
    [
        ("ready", FromInit::Ready { version: 1 }),
        ("assembly failed", FromInit::AssemblyFailed { step: 3, errno: -1 }),
        ("file failed", FromInit::FileFailed { path: b"/code".to_vec(), errno: 28 }),
        ("spawned call", FromInit::Spawned { call: 7, pid: 2 }),
        ("spawn failed call", FromInit::SpawnFailed { call: 7, errno: 2 }),
        ("exited call", FromInit::Exited { call: 7, code: 3, signal: 9 }),
        ("recycled", FromInit::Recycled { left: Some(Leftover::Ipc) }),
        ("kept", FromInit::Kept),
        ("settled failed", FromInit::Settled { failed: true }),
    ]
    .map(|(name, message)| Example { name, conversation: Conversation::FromInit, frame: message.encode().unwrap() })
    .into()
}

fn to_runner() -> Vec<Example> {
    [
        (
            "begin call",
            ToRunner::Begin {
                call: 7,
                contract: "script".into(),
                name: "é.py".into(),
                args: vec!["a".into(), String::new()],
                env: vec![(b"TZ".to_vec(), vec![0xff])],
                code_bytes: 258,
            },
        ),
        ("code call sequence", ToRunner::Body { call: 7, sequence: 1, bytes: b"x=1".to_vec() }),
        ("code end call", ToRunner::End { call: 7 }),
        ("credit call", ToRunner::Credit { call: 7, bytes: 65536 }),
        (
            "request call",
            ToRunner::Request {
                call: 8,
                method: "POST".into(),
                path: "/a".into(),
                query: "b=c".into(),
                headers: vec![("x".into(), vec![0xff, 1])],
                body_bytes: 258,
            },
        ),
        ("prepare", ToRunner::Prepare { distributions: vec!["six".into()] }),
    ]
    .map(|(name, message)| Example { name, conversation: Conversation::ToRunner, frame: message.encode().unwrap() })
    .into()
}

fn from_runner() -> Vec<Example> {
    [
        ("runner hello", FromRunner::Hello { version: 1 }),
        (
            "head call",
            FromRunner::Head { call: 7, status: 200, headers: vec![("x".into(), vec![0xff]), ("y".into(), vec![])] },
        ),
        ("response call sequence", FromRunner::Body { call: 7, sequence: 2, bytes: b"ok".to_vec() }),
        ("response end call", FromRunner::End { call: 7 }),
        ("failed call", FromRunner::Failed { call: 7, message: "no".into() }),
        ("loaded call", FromRunner::Loaded { call: 7 }),
        ("busy call", FromRunner::Busy { call: 7 }),
        ("printed call", FromRunner::Printed { call: 7, is_error: true, bytes: b"no".to_vec() }),
    ]
    .map(|(name, message)| Example { name, conversation: Conversation::FromRunner, frame: message.encode().unwrap() })
    .into()
}

fn to_launcher() -> Vec<Example> {
    let create = Create {
        sandbox: [0xaa; 16],
        tenant: [0xbb; 16],
        strict: true,
        memory_bytes: 1,
        disk_bytes: 2,
        inodes: 3,
        cpu_milli: 4,
        pids: 5,
        packages: Some([0xcc; 32]),
        zygote: Some(6),
        stem: true,
        fail_at: Some(Step::Seal),
    };
    [
        ("create", ToLauncher::Create(create)),
        ("stat", ToLauncher::Stat { sandbox: [0xaa; 16] }),
        ("kill", ToLauncher::Kill { sandbox: [0xaa; 16] }),
        ("renew", ToLauncher::Renew { sandbox: [0xaa; 16], stays: true }),
        ("hatch", ToLauncher::Hatch { zygote: 6, language: "python".into(), sandbox: Some([0xaa; 16]) }),
        ("retire", ToLauncher::Retire { zygote: 6 }),
        ("meter", ToLauncher::Meter { sandbox: [0xaa; 16] }),
    ]
    .map(|(name, message)| Example { name, conversation: Conversation::ToLauncher, frame: message.encode().unwrap() })
    .into()
}

fn from_launcher() -> Vec<Example> {
    let counters = Counters { cpu_us: Some(9), memory_peak_bytes: None, oom_kills: Some(0), pids_refused: None };
    let host = Host {
        version: 1,
        root: true,
        server_uid: 1000,
        layers: vec!["seccomp".into()],
        limits: vec![("memory".into(), "cgroup1".into())],
        missing: vec![("a".into(), "b".into(), "c".into())],
        runtimes: vec![("bash".into(), "/bin/bash".into())],
        memory_bytes: 1,
        cpu_milli: 2,
        pids: 3,
        max_sandboxes: 4,
        reconciled: 5,
        packages: true,
    };
    [
        ("host", FromLauncher::Hello(host)),
        ("refused", FromLauncher::Refused { reason: "no".into(), fix: "yes".into() }),
        ("create failed", FromLauncher::CreateFailed { sandbox: [0xaa; 16], step: Step::Place, errno: 1 }),
        ("usage", FromLauncher::Usage { sandbox: [0xaa; 16], counters }),
        ("ended", FromLauncher::Ended { sandbox: [0xaa; 16], counters }),
        ("renewed", FromLauncher::Renewed { sandbox: [0xaa; 16], counters, left: Some(Leftover::Sockets) }),
        ("hatched", FromLauncher::Hatched { zygote: 6 }),
        ("zygote ended", FromLauncher::ZygoteEnded { zygote: 6, cause: ZygoteEnd::Killed { signal: 9 } }),
        ("started", FromLauncher::Started { sandbox: [0xaa; 16], pid: 3 }),
        ("not started", FromLauncher::NotStarted { sandbox: [0xaa; 16], errno: 1 }),
        ("metered", FromLauncher::Metered { sandbox: [0xaa; 16] }),
    ]
    .map(|(name, message)| Example { name, conversation: Conversation::FromLauncher, frame: message.encode().unwrap() })
    .into()
}

/// The version these bytes belong to.
const PINNED_VERSION: u16 = 8;

/// Name, header and body of each example in hexadecimal.
const PINNED: &[(&str, &str)] = &[
    ("hello", "020000001000000000000000000000000100"),
    ("put file", "13000000110000000000000000000000070000002f636f64652f610100020000006869"),
    (
        "spawn call",
        "21000000120000000700000000000000 \
         02000000020000007368020000002d630100000003000000413d31010000002f01",
    ),
    ("signal", "010000001300000000000000000000000f"),
    ("recycle", "00000000140000000000000000000000"),
    ("keep", "00000000150000000000000000000000"),
    ("settle", "00000000160000000000000000000000"),
    ("adopt call", "0400000017000000070000000000000003000000"),
    ("ready", "020000002000000000000000000000000100"),
    ("assembly failed", "0500000021000000000000000000000003ffffffff"),
    ("file failed", "0d000000220000000000000000000000050000002f636f64651c000000"),
    ("spawned call", "0400000023000000070000000000000002000000"),
    ("spawn failed call", "0400000024000000070000000000000002000000"),
    ("exited call", "020000002500000007000000000000000309"),
    ("recycled", "0100000026000000000000000000000003"),
    ("kept", "00000000270000000000000000000000"),
    ("settled failed", "0100000028000000000000000000000001"),
    (
        "begin call",
        "370000003000000007000000000000000600000073637269707405000000c3a92e7079020000000100000061000000000100000002000000\
         545a01000000ff0201000000000000",
    ),
    ("code call sequence", "03000000310000000700000001000000783d31"),
    ("code end call", "00000000320000000700000000000000"),
    ("credit call", "0400000033000000070000000000000000000100"),
    (
        "request call",
        "2c000000340000000800000000000000 \
         04000000504f5354020000002f6103000000623d6301000000010000007802000000ff010201000000000000",
    ),
    ("prepare", "0b0000003500000000000000000000000100000003000000736978"),
    ("runner hello", "020000004000000000000000000000000100"),
    ("head call", "19000000410000000700000000000000c80002000000010000007801000000ff010000007900000000"),
    ("response call sequence", "020000004200000007000000020000006f6b"),
    ("response end call", "00000000430000000700000000000000"),
    ("failed call", "06000000440000000700000000000000020000006e6f"),
    ("loaded call", "00000000450000000700000000000000"),
    ("busy call", "00000000460000000700000000000000"),
    ("printed call", "03000000470000000700000000000000026e6f"),
    (
        "create",
        "6a000000500000000000000000000000 \
         aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb01010000000000000002000000000000 \
         000300000000000000040000000500000001cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc \
         0106000000010119",
    ),
    ("stat", "10000000510000000000000000000000aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ("kill", "10000000520000000000000000000000aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ("renew", "11000000530000000000000000000000aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa01"),
    ("hatch", "1f0000005400000000000000000000000600000006000000707974686f6e01aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ("retire", "0400000055000000000000000000000006000000"),
    ("meter", "10000000560000000000000000000000aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    (
        "host",
        "74000000600000000000000000000000 \
         010001e80300000100000007000000736563636f6d7001000000060000006d656d6f7279070000006367726f75703101 \
         000000010000006101000000620100000063010000000400000062617368090000002f62696e2f626173680100000000 \
         0000000200000003000000040000000500000001",
    ),
    ("refused", "0d000000610000000000000000000000020000006e6f03000000796573"),
    ("create failed", "15000000620000000000000000000000aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0601000000"),
    (
        "usage",
        "24000000630000000000000000000000 \
         aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0109000000000000000001000000000000000000",
    ),
    (
        "ended",
        "24000000640000000000000000000000 \
         aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0109000000000000000001000000000000000000",
    ),
    (
        "renewed",
        "25000000650000000000000000000000 \
         aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa010900000000000000000100000000000000000005",
    ),
    ("hatched", "0400000066000000000000000000000006000000"),
    ("zygote ended", "06000000670000000000000000000000060000000409"),
    ("started", "14000000680000000000000000000000aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa03000000"),
    ("not started", "14000000690000000000000000000000aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa01000000"),
    ("metered", "100000006a0000000000000000000000aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
];

#[test]
fn the_bytes_of_every_message_are_pinned_to_the_version() {
    let now: Vec<(&str, String)> =
        examples().iter().map(|example| (example.name, hexadecimal(&example.frame))).collect();
    let pinned: Vec<(&str, String)> =
        PINNED.iter().map(|(name, bytes)| (*name, bytes.replace(char::is_whitespace, ""))).collect();
    let listing: String = now.iter().map(|(name, bytes)| format!("    (\"{name}\", \"{bytes}\"),\n")).collect();
    assert!(
        now == pinned,
        "the encoding changed: raise faas_protocol::VERSION, change the table in the documentation of `call` and both \
         runners with it, set PINNED_VERSION, and pin these bytes instead:\n{listing}"
    );
    assert_eq!(VERSION, PINNED_VERSION, "VERSION was raised: pin the bytes of the new version here");
}

#[test]
fn there_is_an_example_of_every_type_that_any_side_knows() {
    let shown: Vec<u8> = examples().iter().map(|example| example.frame[4]).collect();
    let mut known = Vec::new();
    for kind in 0..=u8::MAX {
        let mut frame = [0; crate::frame::HEADER];
        frame[4] = kind;
        let unknown =
            |conversation: &Conversation| matches!(conversation.decodes(&frame), Err(FrameError::UnknownType { .. }));
        let sides = Conversation::ALL.iter().filter(|conversation| !unknown(conversation)).count();
        assert!(sides <= 1, "type {kind:#04x} means something in {sides} conversations");
        known.extend((sides == 1).then_some(kind));
    }
    assert_eq!(shown, known);
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
