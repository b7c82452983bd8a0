//! The bodies of the fuzz targets: each takes any bytes and panics if a promise is broken.
//!
//! Called by the targets in `fuzz_targets` under libFuzzer, and on stable, as a module of a test of
//! `faas-protocol`, over a fixed sequence of inputs made from [`seeds`].

use std::str::FromStr;

use faas_protocol::call::{FromRunner, RunnerFrames, ToRunner};
use faas_protocol::control::{FromInit, Spawn, ToInit};
use faas_protocol::frame::{Decoder, FrameError, MAX_BODY};
use faas_protocol::launcher::{Counters, Create, FromLauncher, Host, Step, ToLauncher, Unfit, ZygoteEnd};
use faas_protocol::leftover::Leftover;
use faas_types::{ByteSize, CpuAmount, parse_count, parse_duration};

/// The window that [`call`] grants.
const WINDOW: u32 = 64;

/// Host and init: what decodes encodes to the same bytes.
pub fn control(data: &[u8]) {
    one_encoding(data, FromInit::decode, FromInit::encode);
    one_encoding(data, ToInit::decode, ToInit::encode);
}

/// Server and launcher: what decodes encodes to the same bytes.
pub fn launcher(data: &[u8]) {
    one_encoding(data, FromLauncher::decode, FromLauncher::encode);
    one_encoding(data, ToLauncher::decode, ToLauncher::encode);
}

/// A runner: its frames one by one, then as a stream cut into portions that the first byte chooses,
/// each checked as the host does, for one call and for two at once. No stream gets more accepted than was granted.
pub fn call(data: &[u8]) {
    one_encoding(data, FromRunner::decode, FromRunner::encode);
    one_encoding(data, ToRunner::decode, ToRunner::encode);

    let Some((cut, stream)) = data.split_first() else { return };
    for at_once in [1, 2] {
        let accepted = heard(*cut, stream, at_once);
        let granted = usize::try_from(WINDOW).unwrap_or(0) * at_once;
        assert!(accepted <= granted, "{accepted} bytes against {granted}");
    }
}

/// How many bytes of a runner's stream are accepted, with so many calls at once.
fn heard(cut: u8, stream: &[u8], at_once: usize) -> usize {
    let mut decoder = Decoder::new();
    let mut frames = RunnerFrames::of(at_once);
    let mut accepted = 0;
    assert!((7..).take(at_once).all(|call| frames.begin(call, WINDOW).is_ok()));
    for portion in stream.chunks(usize::from(cut) + 1) {
        decoder.push(portion);
        loop {
            let raw = match decoder.next_frame() {
                Ok(Some(raw)) => raw,
                Ok(None) => break,
                Err(error) => {
                    assert!(!matches!(error, FrameError::Overrun { .. }), "the runner is blamed for the host");
                    assert_eq!(decoder.next_frame(), Err(error), "an error is final");
                    return accepted;
                }
            };
            assert!(raw.body().len() <= MAX_BODY);
            let Ok(frame) = FromRunner::decode(raw.as_bytes()) else { return accepted };
            if frames.accept(&frame).is_err() {
                return accepted;
            }
            if let FromRunner::Body { bytes, .. } | FromRunner::Printed { bytes, .. } = frame {
                accepted += bytes.len();
            }
        }
    }
    accepted
}

/// Quantities: never a panic, never zero, and what is printed is read back as the same.
pub fn quantities(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(size) = ByteSize::from_str(text) {
        assert_ne!(size.as_bytes(), 0);
        assert_eq!(ByteSize::from_str(&size.to_string()), Ok(size));
    }
    if let Ok(amount) = CpuAmount::from_str(text) {
        assert_ne!(amount.as_milli(), 0);
        assert_eq!(CpuAmount::from_str(&amount.to_string()), Ok(amount));
    }
    if let Ok(duration) = parse_duration(text) {
        assert!(!duration.is_zero());
        assert_eq!(parse_duration(&format!("{}ms", duration.as_millis())), Ok(duration));
    }
    if let Ok(count) = parse_count(text, "count") {
        assert_eq!(parse_count(&count.to_string(), "count"), Ok(count));
    }
}

fn one_encoding<T>(
    data: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, FrameError>,
    encode: impl Fn(&T) -> Result<Vec<u8>, FrameError>,
) {
    if let Ok(message) = decode(data) {
        assert_eq!(encode(&message).as_deref(), Ok(data), "two encodings of one message");
    }
}

/// Well-formed inputs of all targets, to be mutated: random bytes alone rarely pass a header.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = frames().into_iter().flatten().collect();
    seeds.push(stream());
    seeds.extend(["256Mi", "1.5Gi", "100m", "2", "0.5", "1500ms", "5m", "24h", "18446744073709551615B"].map(Vec::from));
    seeds
}

fn frames() -> Vec<Result<Vec<u8>, FrameError>> {
    let sandbox = [3; 16];
    let counters = Counters { cpu_us: Some(1), memory_peak_bytes: None, oom_kills: Some(2), pids_refused: None };
    let text = || "text".to_owned();
    vec![
        ToInit::Hello { version: 1 }.encode(),
        ToInit::PutFile { path: b"/code/a".to_vec(), executable: true, append: false, content: b"hi".to_vec() }
            .encode(),
        ToInit::Spawn(Spawn {
            call: 7,
            argv: vec![b"sh".to_vec(), b"-c".to_vec()],
            env: vec![b"A=1".to_vec()],
            cwd: b"/".to_vec(),
            runner: true,
        })
        .encode(),
        ToInit::Signal { signal: 9 }.encode(),
        ToInit::Recycle.encode(),
        ToInit::Keep.encode(),
        ToInit::Settle.encode(),
        ToInit::Adopt { call: 7, pid: 3 }.encode(),
        FromInit::Ready { version: 1 }.encode(),
        FromInit::AssemblyFailed { step: 3, errno: 1 }.encode(),
        FromInit::FileFailed { path: b"/code/a".to_vec(), errno: 28 }.encode(),
        FromInit::Spawned { call: 7, pid: 2 }.encode(),
        FromInit::SpawnFailed { call: 7, errno: 2 }.encode(),
        FromInit::Exited { call: 7, code: 0, signal: 9 }.encode(),
        FromInit::Recycled { left: Some(Leftover::Files) }.encode(),
        FromInit::Kept.encode(),
        FromInit::Settled { failed: false }.encode(),
        ToRunner::Begin {
            call: 7,
            contract: text(),
            name: text(),
            args: vec![text()],
            env: vec![(vec![1], vec![2])],
            code_bytes: 3,
        }
        .encode(),
        ToRunner::Body { call: 7, sequence: 0, bytes: b"x=1".to_vec() }.encode(),
        ToRunner::End { call: 7 }.encode(),
        ToRunner::Credit { call: 7, bytes: 9 }.encode(),
        ToRunner::Request {
            call: 8,
            method: text(),
            path: text(),
            query: text(),
            headers: vec![(text(), vec![1])],
            body_bytes: 3,
        }
        .encode(),
        ToRunner::Prepare { distributions: vec![text()] }.encode(),
        FromRunner::Failed { call: 7, message: text() }.encode(),
        FromRunner::Loaded { call: 7 }.encode(),
        FromRunner::Busy { call: 7 }.encode(),
        FromRunner::Printed { call: 7, is_error: true, bytes: b"said".to_vec() }.encode(),
        ToLauncher::Create(Create {
            sandbox,
            tenant: sandbox,
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
        })
        .encode(),
        ToLauncher::Stat { sandbox }.encode(),
        ToLauncher::Renew { sandbox, stays: true }.encode(),
        ToLauncher::Kill { sandbox }.encode(),
        ToLauncher::Hatch { zygote: 6, language: text(), sandbox: Some(sandbox) }.encode(),
        ToLauncher::Retire { zygote: 6 }.encode(),
        ToLauncher::Meter { sandbox }.encode(),
        FromLauncher::Hello(Host {
            version: 1,
            root: true,
            server_uid: 1000,
            layers: vec![text()],
            limits: vec![(text(), text())],
            missing: vec![(text(), text(), text())],
            runtimes: vec![(text(), text())],
            memory_bytes: 1,
            cpu_milli: 2,
            pids: 3,
            max_sandboxes: 4,
            reconciled: 5,
            packages: true,
        })
        .encode(),
        FromLauncher::Refused { reason: text(), fix: text() }.encode(),
        FromLauncher::CreateFailed { sandbox, step: Step::Place, errno: 1 }.encode(),
        FromLauncher::Usage { sandbox, counters }.encode(),
        FromLauncher::Ended { sandbox, counters }.encode(),
        FromLauncher::Renewed { sandbox, counters, left: Some(Leftover::Sockets) }.encode(),
        FromLauncher::Hatched { zygote: 6 }.encode(),
        FromLauncher::ZygoteEnded { zygote: 6, cause: ZygoteEnd::Refused { errno: 12 } }.encode(),
        FromLauncher::ZygoteEnded { zygote: 6, cause: ZygoteEnd::Unfit { reason: Unfit::Threads } }.encode(),
        FromLauncher::Started { sandbox, pid: 3 }.encode(),
        FromLauncher::NotStarted { sandbox, errno: 1 }.encode(),
        FromLauncher::Metered { sandbox }.encode(),
    ]
}

/// A whole conversation of a runner, behind the byte that chooses the portions.
fn stream() -> Vec<u8> {
    let frames = [
        FromRunner::Hello { version: faas_protocol::VERSION },
        FromRunner::Loaded { call: 7 },
        FromRunner::Head { call: 7, status: 200, headers: vec![("name".to_owned(), b"value".to_vec())] },
        FromRunner::Body { call: 7, sequence: 0, bytes: vec![b'x'; 40] },
        FromRunner::Body { call: 7, sequence: 1, bytes: vec![b'y'; 24] },
        FromRunner::End { call: 7 },
    ];
    let mut stream = vec![16];
    stream.extend(frames.iter().flat_map(FromRunner::encode).flatten());
    stream
}
