//! From the launcher's report to the contract's capabilities.

use faas_executor_api::{Capabilities, ExecutorKind, IsolationClass, RuntimeInfo, Verb};
use faas_protocol::launcher::Host;
use faas_types::{Enforcement, IsolationLevel, IsolationReport, Language, Layer, LimitKind};

/// What this executor offers on this host.
pub(crate) fn capabilities(host: &Host) -> Capabilities {
    Capabilities {
        kind: ExecutorKind::Process,
        isolation: IsolationClass::Kernel,
        verbs: vec![Verb::Invoke, Verb::Exec, Verb::Recycle, Verb::Stay, Verb::Share],
        report: report(host, IsolationLevel::Strict),
        runtimes: host
            .runtimes
            .iter()
            .filter_map(|(language, path)| {
                Some(RuntimeInfo { language: language.parse::<Language>().ok()?, path: real(path) })
            })
            .collect(),
    }
}

/// Where an interpreter really is: distributions write its version into that name. Links of `/usr` lead to the
/// same place inside.
fn real(path: &str) -> String {
    let found = std::fs::canonicalize(path).ok().and_then(|found| found.to_str().map(str::to_owned));
    found.unwrap_or_else(|| path.to_owned())
}

/// What a sandbox of this level really has. A name this build does not know is left out: a report
/// never shows more than what holds.
pub(crate) fn report(host: &Host, level: IsolationLevel) -> IsolationReport {
    IsolationReport {
        level,
        layers: Layer::ALL.into_iter().filter(|layer| host.layers.iter().any(|name| name == layer.as_str())).collect(),
        limits: LimitKind::ALL
            .into_iter()
            .filter_map(|kind| {
                let (_, by) = host.limits.iter().find(|(name, _)| name == kind.as_str())?;
                Some((kind, enforcement(by)?))
            })
            .collect(),
        missing: host.missing.iter().map(|(name, _, _)| name.clone()).collect(),
    }
}

fn enforcement(name: &str) -> Option<Enforcement> {
    match name {
        "cgroup1" => Some(Enforcement::Cgroup1),
        "cgroup2" => Some(Enforcement::Cgroup2),
        "rlimit" => Some(Enforcement::Rlimit),
        "tmpfs" => Some(Enforcement::Tmpfs),
        _ => None,
    }
}
