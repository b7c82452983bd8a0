//! Records as tables.

use crate::printed::Table;
use faas_types::ExecutionRecord;

/// One line per execution.
pub(super) fn table(records: &[ExecutionRecord]) -> Table {
    let mut table = Table::new(&["ID", "STATUS", "WHAT", "CREATED", "TOOK", "ERROR"]);
    for record in records {
        table.row(&[
            &record.id.to_string(),
            record.status.as_str(),
            &what(record),
            &record.created_at.to_string(),
            &took(record),
            record.error.as_deref().unwrap_or_default(),
        ]);
    }
    table
}

/// One line per thing to be said about an execution. Its output is for `faas executions logs`.
pub(super) fn details(record: &ExecutionRecord) -> Table {
    let mut table = Table::new(&["FIELD", "VALUE"]);
    let mut row = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            table.row(&[name, &value]);
        }
    };
    row("id", Some(record.id.to_string()));
    row("status", Some(record.status.to_string()));
    row("what", Some(what(record)));
    row("error", record.error.clone());
    row("error kind", record.error_kind.map(|kind| kind.to_string()));
    row("exit code", record.exit_code.map(|code| code.to_string()));
    row("signal", record.signal.map(|signal| signal.to_string()));
    row("result", record.result.as_ref().map(ToString::to_string));
    row("stdout", Some(format!("{} bytes", record.stdout_bytes)));
    row("stderr", Some(format!("{} bytes", record.stderr_bytes)));
    row("executor", Some(record.executor.clone()));
    row("mode", Some(record.mode.to_string()));
    row("isolation", record.isolation.as_ref().map(|isolation| isolation.level.to_string()));
    let missing = record.isolation.as_ref().map(|isolation| isolation.missing.join(", "));
    row("isolation missing", missing.filter(|missing| !missing.is_empty()));
    row("queued", Some(microseconds(record.start.queued_us)));
    row("start", Some(microseconds(record.start.start_us)));
    row("run", Some(microseconds(record.start.run_us)));
    row("processor", record.usage.cpu_us.map(microseconds));
    row("memory peak", record.usage.memory_peak_bytes.map(|bytes| format!("{bytes} bytes")));
    row("created", Some(record.created_at.to_string()));
    row("started", record.started_at.map(|time| time.to_string()));
    row("finished", record.finished_at.map(|time| time.to_string()));
    for (name, value) in &record.labels {
        row(&format!("label {name}"), Some(value.clone()));
    }
    table
}

fn what(record: &ExecutionRecord) -> String {
    record.language.map_or_else(|| record.contract.to_string(), |language| language.to_string())
}

fn took(record: &ExecutionRecord) -> String {
    if record.finished_at.is_some() { microseconds(record.start.total_us) } else { String::new() }
}

fn microseconds(count: u64) -> String {
    match count {
        0..1_000 => format!("{count}us"),
        1_000..1_000_000 => format!("{}.{}ms", count / 1_000, count % 1_000 / 100),
        _ => format!("{}.{:02}s", count / 1_000_000, count % 1_000_000 / 10_000),
    }
}

#[cfg(test)]
mod tests {
    use super::{details, microseconds, table};
    use faas_types::{Contract, ErrorKind, ExecutionId, ExecutionRecord, ExecutionState, Language};

    #[test]
    fn what_programs_say_about_themselves_stays_on_its_line() {
        let id = ExecutionId::generate();
        let mut record = ExecutionRecord::queued(id, Some(Language::Python), Contract::Script, "process");
        record.labels.insert("a\nb".to_owned(), "\u{1b}[2J\u{202e}".to_owned());
        let record = record.ended(ExecutionState::Failed, ErrorKind::UserError, "bad\nexe_fake  succeeded\u{9b}2J");
        let list = table(std::slice::from_ref(&record)).to_string();
        assert_eq!(list.lines().count(), 2, "{list}");
        assert!(list.contains("bad^Jexe_fake  succeeded<U+009B>2J"), "{list}");
        let shown = details(&record).to_string();
        assert!(shown.contains("label a^Jb") && shown.contains("^[[2J<U+202E>"), "{shown}");
    }

    #[test]
    fn times_are_short() {
        for (count, text) in
            [(0, "0us"), (999, "999us"), (1_250, "1.2ms"), (1_050_000, "1.05s"), (61_000_000, "61.00s")]
        {
            assert_eq!(microseconds(count), text);
        }
    }
}
