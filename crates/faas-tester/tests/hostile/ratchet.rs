//! The ratchet: which of all x86-64 system calls a sandbox can reach, against a list in the repository.
//! A call that was denied must stay denied; one that is denied now though the list lets it through is
//! an improvement and only mentioned, so that the list holds on older kernels too.

use crate::launch::Scene;
use crate::report;
use crate::trial::{Outcome, Row, Verdict};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// One row.
pub(crate) const ROWS: &[Row] =
    &[Row::new("row_D1.1_system_call_ratchet", "reach a system call that was denied before", ratchet)];

/// Calls that are not made, and why.
const EXCLUDED: &[(u16, &str, &str)] = &[
    (15, "rt_sigreturn", "reads a signal frame that is not there: only ends the caller"),
    (34, "pause", "waits for a signal"),
    (56, "clone", "starts a process that would answer twice; row 8 tries its flags"),
    (57, "fork", "starts a process that would answer twice; needed by every program"),
    (58, "vfork", "shares the caller's memory with a child that would answer twice"),
    (60, "exit", "ends the caller"),
    (61, "wait4", "waits; needed by every program"),
    (231, "exit_group", "ends the caller"),
];

const GOLDEN: &str = "syscalls.golden";
const HEADER: &str = "# System calls of x86-64 as code in the default sandbox finds them: denied (EPERM, EACCES, ENOSYS,\n# EAFNOSUPPORT, or the caller is killed), reachable, or excluded from the probe. Rewritten by running\n# the hostile suite's ratchet with FAAS_UPDATE_GOLDEN=1; a new `reachable` needs a reason in review.\n";

/// What this process has found so far; both identities share one list.
static FOUND: Mutex<BTreeMap<u16, bool>> = Mutex::new(BTreeMap::new());

fn ratchet(scene: &Scene<'_>) -> Outcome {
    let excluded: Vec<_> = EXCLUDED.iter().map(|(number, ..)| number.to_string()).collect();
    let parsed = scene.program("ratchet.py").env("EXCLUDED", &excluded.join(",")).seconds(120).run()?.report()?;
    let mut found = BTreeMap::new();
    for line in parsed.lines.iter().filter_map(|line| line.strip_prefix("call ")) {
        let (number, answer) = line.split_once(' ').ok_or_else(|| format!("not a call: {line}"))?;
        let denied = ["EPERM", "EACCES", "ENOSYS", "EAFNOSUPPORT", "SIGSYS"].contains(&answer);
        found.insert(number.parse::<u16>().map_err(|e| format!("{line}: {e}"))?, !denied);
    }
    let probed = found.len() + EXCLUDED.len();
    if probed != 471 {
        return Err(format!("{probed} of 471 system calls were accounted for"));
    }
    let path = scene.suite.programs().join(GOLDEN);
    if std::env::var_os("FAAS_UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        let mut all = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, reachable) in found {
            *all.entry(number).or_default() |= reachable;
        }
        std::fs::write(&path, render(&all)).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        report::line(&format!("note: wrote {}", path.display()));
        return Ok(Verdict::Pass);
    }
    let golden = std::fs::read_to_string(&path)
        .map_err(|e| format!("cannot read {} (make it with FAAS_UPDATE_GOLDEN=1): {e}", path.display()))?;
    compare(&golden, &found)?;
    Ok(Verdict::Pass)
}

fn compare(golden: &str, found: &BTreeMap<u16, bool>) -> Result<(), String> {
    let mut expected = BTreeMap::new();
    for line in golden.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<_> = line.split_whitespace().collect();
        if let [number, _, verdict, ..] = words[..] {
            expected
                .insert(number.parse::<u16>().map_err(|e| format!("{GOLDEN}: {line}: {e}"))?, verdict == "reachable");
        }
    }
    let names = |wanted: bool| -> Vec<String> {
        let differs = found.iter().filter(|(number, reachable)| {
            **reachable == wanted && expected.get(number).copied().unwrap_or(false) != wanted
        });
        differs.map(|(number, _)| format!("{number} {}", name_of(*number))).collect()
    };
    let tightened = names(false);
    if !tightened.is_empty() {
        report::line(&format!("note: denied here though the list lets them through: {}", tightened.join(", ")));
    }
    let opened = names(true);
    if opened.is_empty() { Ok(()) } else { Err(format!("newly reachable system calls: {}", opened.join(", "))) }
}

fn render(found: &BTreeMap<u16, bool>) -> String {
    let mut text = HEADER.to_owned();
    for number in 0..=470 {
        let verdict = match (EXCLUDED.iter().find(|(other, ..)| *other == number), found.get(&number)) {
            (Some((.., reason)), _) => format!("excluded: {reason}"),
            (None, Some(true)) => "reachable".to_owned(),
            (None, _) => "denied".to_owned(),
        };
        text.push_str(&format!("{number} {} {verdict}\n", name_of(number)));
    }
    text
}

/// The kernel's name of a number; `unassigned` where there is none.
fn name_of(number: u16) -> &'static str {
    let names: &'static str = include_str!("syscall-names.txt");
    names.lines().find_map(|line| line.strip_prefix(&format!("{number} "))).unwrap_or("unassigned")
}
