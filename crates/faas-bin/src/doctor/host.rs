//! What the launcher found: every layer, limit and language, also those that are not there.

use super::report::{Finding, State};
use faas_lib::Host;
use faas_types::{Language, Layer, LimitKind};

/// One finding for each layer, limit and language there is.
pub(super) fn findings(host: &Host) -> Vec<Finding> {
    let mut findings = Vec::new();
    let whose = if host.root { "real root" } else { "root of its own user namespace" };
    findings.push(Finding::new("sandbox", "launcher", State::Holds, format!("started as {whose}")));
    if host.reconciled > 0 {
        let detail = format!("{} sandboxes of dead launchers were removed", host.reconciled);
        findings.push(Finding::new("sandbox", "leftovers", State::Holds, detail));
    }
    for layer in Layer::ALL.map(Layer::as_str) {
        findings.push(if host.layers.iter().any(|name| name == layer) {
            Finding::new("layer", layer, State::Holds, "")
        } else {
            missing(host, "layer", layer)
        });
    }
    for limit in LimitKind::ALL.map(LimitKind::as_str) {
        findings.push(match host.limits.iter().find(|(name, _)| name == limit) {
            Some((_, by)) => Finding::new("limit", limit, State::Holds, format!("enforced by {by}")),
            None => missing(host, "limit", limit),
        });
    }
    for language in Language::ALL {
        let name = language.as_str();
        findings.push(match host.runtimes.iter().find(|(found, _)| found == name) {
            Some((_, path)) => Finding::new("runtime", name, State::Holds, path.clone()),
            None => Finding::new("runtime", name, State::Hint, "not found")
                .with_fix(format!("apt-get install {}", language.package())),
        });
    }
    // What the launcher misses beyond these names.
    let known: Vec<String> = findings.iter().map(|finding| finding.name.clone()).collect();
    for (name, why, fix) in host.missing.iter().filter(|(name, ..)| !known.contains(name)) {
        findings.push(Finding::new("sandbox", name.clone(), State::Missing, why.clone()).with_fix(fix.clone()));
    }
    findings
}

fn missing(host: &Host, group: &'static str, name: &str) -> Finding {
    match host.missing.iter().find(|(missing, ..)| missing == name) {
        Some((_, why, fix)) => Finding::new(group, name, State::Missing, why.clone()).with_fix(fix.clone()),
        // The launcher does not count it as missing: nothing promised depends on it here.
        None => Finding::new(group, name, State::Hint, "not given by this host"),
    }
}
