use super::inline::{Head, with_output};
use super::tail::Tail;
use super::{INLINE_BYTES, Recorder, Times};
use crate::log::LogWriter;
use crate::{ExecutionRequest, Logs, StreamName, Work};
use bytes::Bytes;
use faas_executor_api::Done;
use faas_types::{
    Contract, ErrorKind, ExecutionId, ExecutionRecord, ExecutionState, Language, LimitHit, Outcome, OutputStats, Usage,
};
use serde_json::{Value, json};
use std::time::Instant;

fn record_of(contract: Contract, outcome: Outcome, stdout: &[u8], output: OutputStats) -> ExecutionRecord {
    let work = Work::Script {
        code: Bytes::from_static(b"x"),
        name: "main.py".to_owned(),
        language: Language::Python,
        contract,
    };
    let now = Instant::now();
    let times = Times { created: now, turn: now, started: now };
    let mut recorder = Recorder::new(&ExecutionRequest::new(work));
    recorder.stdout(stdout);
    let running = ExecutionRecord {
        status: ExecutionState::Running,
        ..ExecutionRecord::queued(ExecutionId::generate(), Some(Language::Python), contract, "fake")
    };
    recorder.finish(running, &Done { outcome, usage: Usage::default(), output }, &times)
}

fn script(outcome: Outcome) -> ExecutionRecord {
    record_of(Contract::Script, outcome, b"", OutputStats::default())
}

fn argv_json(code: u8, stdout: &str) -> ExecutionRecord {
    record_of(Contract::ArgvJson, Outcome::Exited { code }, stdout.as_bytes(), OutputStats::default())
}

#[test]
fn each_outcome_has_its_status_kind_and_next_step() {
    for (outcome, status, kind, error) in [
        (Outcome::Exited { code: 3 }, ExecutionState::Failed, ErrorKind::UserError, "code 3"),
        (Outcome::Signaled { signal: 11 }, ExecutionState::Failed, ErrorKind::UserError, "SIGSEGV"),
        (Outcome::TimedOut, ExecutionState::Failed, ErrorKind::Timeout, "30s passed; raise timeout"),
        (Outcome::OutOfMemory, ExecutionState::Failed, ErrorKind::Oom, "256Mi was reached; raise memory"),
        (
            Outcome::LimitExceeded { limit: LimitHit::Output },
            ExecutionState::Failed,
            ErrorKind::Limit,
            "output limit of 64Mi",
        ),
        (Outcome::Cancelled, ExecutionState::Cancelled, ErrorKind::Cancelled, "cancelled"),
        (Outcome::SandboxLost, ExecutionState::Failed, ErrorKind::SandboxLost, "sandbox"),
    ] {
        let record = script(outcome);
        assert_eq!((record.status, record.error_kind), (status, Some(kind)));
        assert!(record.error.as_deref().unwrap_or_default().contains(error), "{:?}", record.error);
    }
    let good = script(Outcome::Exited { code: 0 });
    assert_eq!((good.status, good.error, good.error_kind), (ExecutionState::Succeeded, None, None));
    assert_eq!((script(Outcome::Signaled { signal: 9 }).exit_code, good.exit_code), (None, Some(0)));
}

#[test]
fn the_json_has_the_documented_fields() {
    let record = script(Outcome::Exited { code: 0 });
    let value = serde_json::to_value(&record).expect("serializable");
    let Value::Object(fields) = &value else { panic!("an object") };
    let names: Vec<_> = fields.keys().map(String::as_str).collect();
    for name in [
        "id",
        "execution_id",
        "status",
        "language",
        "error",
        "error_kind",
        "exit_code",
        "signal",
        "stdout",
        "stderr",
        "stdout_truncated",
        "stderr_truncated",
        "result",
        "function",
        "version",
        "mode",
        "contract",
        "executor",
        "isolation",
        "start",
        "usage",
        "snapshot_id",
        "snapshot_skipped",
        "instance_id",
        "created_at",
        "started_at",
        "finished_at",
    ] {
        assert!(names.contains(&name), "{name} is missing in {names:?}");
    }
    assert!(!names.contains(&"stdout_base64"), "only where the text is lossy");
    assert_eq!(value["status"], "succeeded");
    assert_eq!(value["mode"], "ephemeral");
    assert_eq!(value["usage"]["egress_bytes"], 0);
    assert_eq!(value["usage"]["cost_usd"], Value::Null);
    assert!(value["created_at"].as_str().is_some_and(|text| text.ends_with('Z') && text.contains('.')));
    assert_eq!(serde_json::from_value::<ExecutionRecord>(value).expect("readable"), record);
}

#[test]
fn an_argv_json_result_decides_over_the_exit_code() {
    let good = argv_json(0, "log\n{\"sum\":3}\n");
    assert_eq!((good.status, good.result), (ExecutionState::Succeeded, Some(json!({"sum": 3}))));

    let failed = argv_json(0, "{\"error\":\"no such image\\nsecond line\"}\n");
    assert_eq!((failed.status, failed.error_kind), (ExecutionState::Failed, Some(ErrorKind::UserError)));
    assert_eq!(failed.error.as_deref(), Some("no such image"));
    assert_eq!(failed.exit_code, Some(0));

    let null_error = argv_json(0, "{\"error\":null}");
    assert_eq!(null_error.status, ExecutionState::Succeeded);

    let nothing = argv_json(0, "done\n");
    assert_eq!((nothing.status, nothing.error_kind), (ExecutionState::Failed, Some(ErrorKind::UserError)));

    let exited = argv_json(2, "done\n");
    assert_eq!(exited.error.as_deref(), Some("the program exited with code 2"));
}

#[test]
fn a_result_after_discarded_output_is_not_trusted() {
    let output = OutputStats { stdout_truncated: true, ..OutputStats::default() };
    let record = record_of(Contract::ArgvJson, Outcome::Exited { code: 0 }, b"{\"a\":1}\n", output);
    assert_eq!((record.status, record.result), (ExecutionState::Failed, None));
}

#[test]
fn inline_output_is_cut_between_characters_and_lossy_only_where_it_is() {
    let mut head = Head::default();
    head.push(b"plain ");
    head.push("ü".as_bytes());
    let inline = head.finish();
    assert_eq!((inline.text.as_str(), inline.base64), ("plain ü", None));

    let mut head = Head::default();
    head.push(&vec![b'a'; INLINE_BYTES - 1]);
    head.push("üb".as_bytes());
    let inline = head.finish();
    assert_eq!((inline.text.len(), inline.base64), (INLINE_BYTES - 1, None));

    let mut head = Head::default();
    head.push(b"a\xffb");
    let inline = head.finish();
    assert_eq!((inline.text.as_str(), inline.base64.as_deref()), ("a\u{fffd}b", Some("Yf9i")));

    // A program's own half character is lossy, also at the very end.
    let mut head = Head::default();
    head.push(&"ü".as_bytes()[..1]);
    assert!(head.finish().base64.is_some());
}

#[test]
fn a_tail_keeps_the_end() {
    let mut tail = Tail::new(4);
    for byte in b"abcdefghij" {
        tail.push(&[*byte]);
    }
    assert_eq!(tail.finish(), (b"ghij".to_vec(), true));
    let mut tail = Tail::new(4);
    tail.push(b"abcd");
    assert_eq!(tail.finish(), (b"abcd".to_vec(), false));
}

#[test]
fn what_a_log_holds_is_put_back_and_what_it_lacks_is_flagged() {
    let logs = Logs::memory();
    let mut log = LogWriter::new(logs, ExecutionId::generate());
    let long = vec![b'o'; INLINE_BYTES + 1];
    log.append(StreamName::Stderr, b"err").expect("written");
    log.append(StreamName::Stdout, &long).expect("written");
    let output = OutputStats { stdout_bytes: 1024 * 1024 + 1, stderr_bytes: 3, ..OutputStats::default() };
    let ended = record_of(Contract::Script, Outcome::Exited { code: 0 }, b"", output);
    assert!(ended.stdout_truncated && !ended.stderr_truncated);

    let file = log.file().expect("it wrote").clone();
    let shown = with_output(ended.clone(), Some((file, log.length())));
    assert_eq!((shown.stdout.len(), shown.stderr.as_str()), (INLINE_BYTES, "err"));
    assert!(shown.stdout_truncated && !shown.stderr_truncated);

    let gone = with_output(ended, None);
    assert!(gone.stdout.is_empty() && gone.stdout_truncated && gone.stderr_truncated);
}
