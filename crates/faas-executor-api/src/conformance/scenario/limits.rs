//! Limits: what is declared is enforced for real, what is not declared is refused or reported.

use crate::conformance::trial::file;
use crate::conformance::{Guest, trial::Trial};
use crate::{CallError, Executor, Health, SandboxSpec, SpecError};
use faas_types::{ByteSize, IsolationLevel, LimitKind, Outcome, Resources};
use std::sync::Arc;

fn small() -> Resources {
    Resources { memory: ByteSize::mib(64), disk: ByteSize::mib(8), pids: 16, ..Resources::default() }
}

fn enforced(trial: &Trial<'_>, limit: LimitKind) -> bool {
    let enforced = trial.executor.capabilities().report.limits.contains_key(&limit);
    if !enforced {
        trial.skip(format!("{} is not enforced on this host", limit.as_str()));
    }
    enforced
}

/// What a program says as a word and a number.
fn counted(trial: &Trial<'_>, said: &str) -> (String, u64) {
    match said.trim_end().split_once(' ').map(|(word, number)| (word, number.parse())) {
        Some((word, Ok(number))) => (word.to_owned(), number),
        _ => trial.fail(format!("the program said {said:?} instead of a word and a number")),
    }
}

/// A limit of 64 MiB ends a program that takes 200 MiB and lets one live that takes 24.
pub async fn memory_limit_is_enforced(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("memory_limit_is_enforced", executor, guest);
    if !enforced(&trial, LimitKind::Memory) {
        return;
    }
    let mut sandbox = trial.create(trial.spec_with(small())).await;
    let said = trial.succeed(&mut sandbox, guest.allocate(ByteSize::mib(24).as_bytes())).await;
    trial.equal(said.as_str(), "allocated\n", "what a program below the limit says");
    let transcript = trial.run(&mut sandbox, guest.allocate(ByteSize::mib(200).as_bytes())).await;
    trial.equal(transcript.done.outcome, Outcome::OutOfMemory, "the outcome of a program above the limit");
    trial.equal(transcript.text().as_str(), "", "what a program above the limit says");
    trial.equal(sandbox.health(), Health::Unrecoverable, "health afterwards");
    let refusal = trial.refusal(&mut sandbox, trial.command(guest.print(b"", b"", 0))).await;
    trial.holds(matches!(refusal, CallError::Lost { .. }), format!("a call afterwards gave {refusal:?}"));
    trial.destroy(sandbox).await;
}

/// A program that forks without end gets fewer processes than the limit, and the sandbox lives on.
pub async fn pids_limit_is_enforced(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("pids_limit_is_enforced", executor, guest);
    if !enforced(&trial, LimitKind::Pids) {
        return;
    }
    let resources = small();
    let mut sandbox = trial.create(trial.spec_with(resources)).await;
    let said = trial.succeed(&mut sandbox, guest.fork_many(resources.pids * 4)).await;
    match said.trim_end().parse::<u32>() {
        // Init and the program itself are processes too.
        Ok(children) => trial.holds(
            children >= 4 && children <= resources.pids - 2,
            format!("{children} children under a limit of {} processes", resources.pids),
        ),
        Err(_) => trial.fail(format!("the program said {said:?} instead of a number")),
    }
    trial.still_works(&mut sandbox).await;
    trial.destroy(sandbox).await;
}

/// Writing stops at the limit with an error the program can handle, before memory runs out.
pub async fn disk_bytes_are_limited(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("disk_bytes_are_limited", executor, guest);
    if !enforced(&trial, LimitKind::Disk) {
        return;
    }
    // The largest share of memory that is allowed: the file system must be full first.
    let resources = Resources { disk: ByteSize::mib(32), ..small() };
    let disk = resources.disk.as_bytes();
    let mut sandbox = trial.create(trial.spec_with(resources)).await;
    let said = trial.succeed(&mut sandbox, guest.fill_file("large", disk * 2)).await;
    let (word, written) = counted(&trial, &said);
    trial.equal(word.as_str(), "full", "how writing twice the limit ended");
    trial.holds(written <= disk && written >= disk / 2, format!("{written} bytes under a limit of {disk}"));
    trial.still_works(&mut sandbox).await;
    trial.destroy(sandbox).await;

    let resources = Resources { disk: ByteSize::mib(4), ..small() };
    let mut sandbox = trial.create(trial.spec_with(resources)).await;
    let said = trial.succeed(&mut sandbox, guest.fill_file("half", ByteSize::mib(2).as_bytes())).await;
    trial.equal(said.as_str(), "wrote 2097152\n", "what a program below the limit says");
    let mut command = trial.command(guest.print(b"", b"", 0));
    command.files = vec![file("too-large", vec![0; 4 * 1024 * 1024])];
    let refusal = trial.refusal(&mut sandbox, command).await;
    trial.holds(
        matches!(&refusal, CallError::File { path, .. } if path == "too-large"),
        format!("passing in a file that does not fit gave {refusal:?}"),
    );
    trial.destroy(sandbox).await;
}

/// Creating files stops at the limit of inodes.
pub async fn disk_inodes_are_limited(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("disk_inodes_are_limited", executor, guest);
    if !enforced(&trial, LimitKind::Disk) {
        return;
    }
    let inodes = small().inodes();
    let mut sandbox = trial.create(trial.spec_with(small())).await;
    let said = trial.succeed(&mut sandbox, guest.create_files(inodes + 100)).await;
    let (word, created) = counted(&trial, &said);
    trial.equal(word.as_str(), "full", "how creating more files than the limit ended");
    trial.holds(created <= inodes && created >= inodes / 2, format!("{created} files under a limit of {inodes}"));
    trial.destroy(sandbox).await;
}

/// A limit the host does not enforce is refused under strict and listed as missing otherwise.
pub async fn unenforced_limits_are_not_claimed(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("unenforced_limits_are_not_claimed", executor, guest);
    let limits = trial.executor.capabilities().report.limits.clone();
    for limit in LimitKind::ALL.into_iter().filter(|limit| !limits.contains_key(limit)) {
        let name = limit.as_str();
        let strict = SandboxSpec { isolation: IsolationLevel::Strict, ..trial.spec() };
        match trial.executor.validate(&strict) {
            Err(SpecError::Isolation { missing, .. }) => {
                trial.holds(missing.iter().any(|missing| missing == name), format!("{name} is not named: {missing:?}"));
            }
            Err(SpecError::NotEnforced { .. }) => {}
            other => trial.fail(format!("{name} is not enforced, and strict gave {other:?}")),
        }
        let standard = SandboxSpec { isolation: IsolationLevel::Standard, ..trial.spec() };
        if trial.executor.validate(&standard).is_ok() {
            let sandbox = trial.create(standard).await;
            let report = sandbox.isolation().clone();
            trial.holds(!report.limits.contains_key(&limit), format!("the sandbox claims to enforce {name}"));
            trial.holds(
                report.missing.iter().any(|missing| missing == name),
                format!("{name} is not listed as missing"),
            );
            trial.destroy(sandbox).await;
        }
    }
}

/// Where memory and processor time are accounted for, each call says what it used.
pub async fn usage_is_measured(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("usage_is_measured", executor, guest);
    let taken = ByteSize::mib(24).as_bytes();
    let mut sandbox = trial.create(trial.spec_with(small())).await;
    let usage = trial.run(&mut sandbox, guest.allocate(taken)).await.done.usage;
    if enforced(&trial, LimitKind::Memory) {
        let peak = usage.memory_peak_bytes.unwrap_or_default();
        trial.holds(
            peak >= taken && peak <= small().memory.as_bytes(),
            format!("a peak of {:?} for a program that took {taken} bytes", usage.memory_peak_bytes),
        );
    }
    if enforced(&trial, LimitKind::Cpu) {
        trial.holds(usage.cpu_us.is_some_and(|used| used > 0), format!("processor time is {:?}", usage.cpu_us));
    }
    trial.destroy(sandbox).await;
}
