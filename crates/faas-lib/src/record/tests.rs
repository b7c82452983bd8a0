use super::capture::{Head, INLINE_BYTES, Tail};
use super::{ExecutionRecord, ExecutionStatus, Recorder, Times};
use crate::{ExecutionRequest, Timestamp, Work};
use bytes::Bytes;
use faas_executor_api::{Done, ExecutorKind};
use faas_types::{
    Contract, ErrorKind, ExecutionId, IsolationLevel, IsolationReport, Language, LimitHit, Outcome, OutputStats, Usage,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Instant;

fn record_of(contract: Contract, outcome: Outcome, stdout: &[u8], output: OutputStats) -> ExecutionRecord {
    let work = Work::Script {
        code: Bytes::from_static(b"x"),
        name: "main.py".to_owned(),
        language: Language::Python,
        contract,
    };
    let isolation = IsolationReport {
        level: IsolationLevel::Strict,
        layers: Vec::new(),
        limits: BTreeMap::new(),
        missing: Vec::new(),
    };
    let now = Timestamp::now();
    let times = Times { created_at: now, created: Instant::now(), started_at: now, started: Instant::now() };
    let mut recorder =
        Recorder::new(ExecutionId::generate(), ExecutorKind::Fake, &isolation, &ExecutionRequest::new(work));
    recorder.stdout(stdout);
    recorder.finish(&Done { outcome, usage: Usage::default(), output }, &times)
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
        (Outcome::Exited { code: 3 }, ExecutionStatus::Failed, ErrorKind::UserError, "code 3"),
        (Outcome::Signaled { signal: 11 }, ExecutionStatus::Failed, ErrorKind::UserError, "SIGSEGV"),
        (Outcome::TimedOut, ExecutionStatus::Failed, ErrorKind::Timeout, "30s passed; raise timeout"),
        (Outcome::OutOfMemory, ExecutionStatus::Failed, ErrorKind::Oom, "256Mi was reached; raise memory"),
        (
            Outcome::LimitExceeded { limit: LimitHit::Output },
            ExecutionStatus::Failed,
            ErrorKind::Limit,
            "output limit of 64Mi",
        ),
        (Outcome::Cancelled, ExecutionStatus::Cancelled, ErrorKind::Cancelled, "cancelled"),
        (Outcome::SandboxLost, ExecutionStatus::Failed, ErrorKind::SandboxLost, "sandbox"),
    ] {
        let record = script(outcome);
        assert_eq!((record.status, record.error_kind), (status, Some(kind)));
        assert!(record.error.as_deref().unwrap_or_default().contains(error), "{:?}", record.error);
    }
    let good = script(Outcome::Exited { code: 0 });
    assert_eq!((good.status, good.error, good.error_kind), (ExecutionStatus::Succeeded, None, None));
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
    assert_eq!(value["start"]["kind"], "cold");
    assert_eq!(value["usage"]["egress_bytes"], 0);
    assert_eq!(value["usage"]["cost_usd"], Value::Null);
    assert!(value["created_at"].as_str().is_some_and(|text| text.ends_with('Z') && text.contains('.')));
    assert_eq!(serde_json::from_value::<ExecutionRecord>(value).expect("readable"), record);
}

#[test]
fn an_argv_json_result_decides_over_the_exit_code() {
    let good = argv_json(0, "log\n{\"sum\":3}\n");
    assert_eq!((good.status, good.result), (ExecutionStatus::Succeeded, Some(json!({"sum": 3}))));

    let failed = argv_json(0, "{\"error\":\"no such image\\nsecond line\"}\n");
    assert_eq!((failed.status, failed.error_kind), (ExecutionStatus::Failed, Some(ErrorKind::UserError)));
    assert_eq!(failed.error.as_deref(), Some("no such image"));
    assert_eq!(failed.exit_code, Some(0));

    let null_error = argv_json(0, "{\"error\":null}");
    assert_eq!(null_error.status, ExecutionStatus::Succeeded);

    let nothing = argv_json(0, "done\n");
    assert_eq!((nothing.status, nothing.error_kind), (ExecutionStatus::Failed, Some(ErrorKind::UserError)));

    let exited = argv_json(2, "done\n");
    assert_eq!(exited.error.as_deref(), Some("the program exited with code 2"));
}

#[test]
fn a_result_after_discarded_output_is_not_trusted() {
    let output = OutputStats { stdout_truncated: true, ..OutputStats::default() };
    let record = record_of(Contract::ArgvJson, Outcome::Exited { code: 0 }, b"{\"a\":1}\n", output);
    assert_eq!((record.status, record.result), (ExecutionStatus::Failed, None));
}

#[test]
fn inline_output_is_cut_between_characters_and_lossy_only_where_it_is() {
    let mut head = Head::default();
    head.push(b"plain ");
    head.push("ü".as_bytes());
    let inline = head.finish();
    assert_eq!((inline.text.as_str(), inline.base64, inline.cut), ("plain ü", None, false));

    let mut head = Head::default();
    head.push(&vec![b'a'; INLINE_BYTES - 1]);
    head.push("üb".as_bytes());
    let inline = head.finish();
    assert_eq!((inline.text.len(), inline.base64, inline.cut), (INLINE_BYTES - 1, None, true));

    let mut head = Head::default();
    head.push(b"a\xffb");
    let inline = head.finish();
    assert_eq!((inline.text.as_str(), inline.base64.as_deref(), inline.cut), ("a\u{fffd}b", Some("Yf9i"), false));

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
