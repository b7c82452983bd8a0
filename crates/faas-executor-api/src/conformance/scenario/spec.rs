//! What is validated before a sandbox is made, and how honest the reports are.

use crate::conformance::{Guest, trial::Trial};
use crate::{CreateError, Executor, SandboxSpec, SpecError};
use faas_types::{ByteSize, CpuAmount, IsolationLevel, IsolationReport, Language, Layer, LimitKind, Resources};
use std::sync::Arc;

/// Both `validate` and `create` must refuse; the reason.
async fn refused(trial: &Trial<'_>, spec: SandboxSpec, what: &str) -> SpecError {
    let Err(reason) = trial.executor.validate(&spec) else { trial.fail(format!("validate passed {what}")) };
    match trial.try_create(spec).await {
        Err(CreateError::Spec(created)) => trial.equal(created, reason.clone(), "create's reason, against validate's"),
        Err(other) => trial.fail(format!("create of {what} gave {other:?}")),
        Ok(sandbox) => {
            trial.destroy(sandbox).await;
            trial.fail(format!("create made {what}"))
        }
    }
    reason
}

/// Strict isolation is refused exactly when something is missing, and everything missing is named.
pub async fn strict_is_refused_when_something_is_missing(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("strict_is_refused_when_something_is_missing", executor, guest);
    let missing = trial.executor.capabilities().report.missing.clone();
    let spec = SandboxSpec { isolation: IsolationLevel::Strict, ..trial.spec() };
    if missing.is_empty() {
        let sandbox = trial.create(spec).await;
        let report = sandbox.isolation().clone();
        trial.equal(report.missing.clone(), Vec::new(), "what is missing under strict");
        trial.destroy(sandbox).await;
        return;
    }
    match refused(&trial, spec, "a strict sandbox").await {
        SpecError::Isolation { missing: named, fix } => {
            for name in &missing {
                trial.holds(named.contains(name), format!("{name} is missing and not named in {named:?}"));
            }
            trial.holds(!fix.is_empty(), "the refusal names no fix");
        }
        other => trial.fail(format!("a strict sandbox gave {other:?}")),
    }
}

/// Every layer and limit is accounted for, at best and in a real sandbox, which has no more.
pub async fn reports_account_for_everything(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("reports_account_for_everything", executor, guest);
    let best = trial.executor.capabilities().report.clone();
    account(&trial, &best);
    for isolation in [trial.spec().isolation, IsolationLevel::Standard] {
        let sandbox = trial.create(SandboxSpec { isolation, ..trial.spec() }).await;
        let report = sandbox.isolation().clone();
        trial.equal(report.level, isolation, "the level");
        account(&trial, &report);
        for layer in &report.layers {
            trial.holds(best.layers.contains(layer), format!("the sandbox claims {layer}, the executor does not"));
        }
        for limit in report.limits.keys() {
            trial
                .holds(best.limits.contains_key(limit), format!("the sandbox claims {limit:?}, the executor does not"));
        }
        trial.destroy(sandbox).await;
    }
}

fn account(trial: &Trial<'_>, report: &IsolationReport) {
    let layers = Layer::ALL.iter().map(|layer| (layer.as_str(), report.layers.contains(layer)));
    let limits = LimitKind::ALL.iter().map(|limit| (limit.as_str(), report.limits.contains_key(limit)));
    for (name, holds) in layers.chain(limits) {
        let missing = report.missing.iter().any(|missing| missing == name);
        // What strict can do without need not be listed.
        let excused = Layer::OPTIONAL.iter().any(|layer| name == layer.as_str()) && !missing;
        trial.holds(holds != missing || excused, format!("{name}: holds is {holds} and missing is {missing}"));
    }
}

/// More than the host has is refused, naming the field.
pub async fn resources_above_the_host_are_refused(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("resources_above_the_host_are_refused", executor, guest);
    let resources = Resources::default();
    let cases = [
        ("memory", Resources { memory: ByteSize::from_bytes(1 << 60), ..resources }),
        ("cpu", Resources { cpu: CpuAmount::MAX, ..resources }),
    ];
    for (expected, resources) in cases {
        match refused(&trial, trial.spec_with(resources), "a sandbox larger than any host").await {
            SpecError::AboveHost { field, .. } => trial.equal(field, expected, "the field named"),
            other => trial.fail(format!("{expected} above the host gave {other:?}")),
        }
    }
}

/// Limits that make no sense on any host are refused.
pub async fn malformed_resources_are_refused(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("malformed_resources_are_refused", executor, guest);
    let resources = Resources::default();
    let cases = [
        Resources { memory: ByteSize::from_bytes(1), disk: ByteSize::from_bytes(0), ..resources },
        Resources { pids: 1, ..resources },
        Resources { disk: ByteSize::mib(200), memory: ByteSize::mib(256), ..resources },
    ];
    for resources in cases {
        let reason = refused(&trial, trial.spec_with(resources), "a sandbox with malformed limits").await;
        trial.holds(matches!(reason, SpecError::Resources(_)), format!("{resources:?} gave {reason:?}"));
    }
}

/// A language whose interpreter this host lacks is refused; one it has passes.
pub async fn absent_runtimes_are_refused(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("absent_runtimes_are_refused", executor, guest);
    for wanted in Language::ALL {
        let spec = SandboxSpec { language: Some(wanted), ..trial.spec() };
        if trial.executor.capabilities().runtimes.iter().any(|runtime| runtime.language == wanted) {
            trial.equal(trial.executor.validate(&spec), Ok(()), "validate of a language this host has");
            continue;
        }
        match refused(&trial, spec, "a sandbox without its interpreter").await {
            SpecError::RuntimeMissing { language, install, .. } => {
                trial.equal(language, wanted, "the language named");
                trial.holds(!install.is_empty(), "the refusal does not say how to install it");
            }
            other => trial.fail(format!("{wanted} without its interpreter gave {other:?}")),
        }
    }
}
