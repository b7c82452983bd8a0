//! What a server elsewhere gives: what it says, and a strict sandbox that runs a command or does not.

use super::report::{Finding, Report, State};
use crate::terminal::one_line;
use faas_client::model::{CapabilitiesAnswer, ExecuteBody, StatsAnswer};
use faas_client::{Client, ClientError};
use faas_types::{IsolationLevel, Language, Layer, LimitKind};
use std::time::Duration;

/// How long the trial may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Examines a server.
pub(crate) async fn examine_server(client: &Client) -> Report {
    let mut findings = Vec::new();
    match client.health().await {
        Ok(health) => findings.push(finding("server", "health", State::Holds, &format!("version {}", health.version))),
        Err(error) => {
            findings.push(failed("health", &error));
            return Report { strict: false, findings };
        }
    }
    match client.capabilities().await {
        Ok(capabilities) => findings.extend(offered(&capabilities)),
        Err(error) => findings.push(failed("capabilities", &error)),
    }
    match client.stats().await {
        Ok(stats) => findings.push(room(&stats)),
        Err(error) => findings.push(failed("stats", &error)),
    }
    let trial = ExecuteBody {
        command: Some(vec!["true".to_owned()]),
        isolation: Some(IsolationLevel::Strict),
        ..ExecuteBody::default()
    };
    let strict = match client.execute(&trial, None, PATIENCE).await {
        Ok(record) => match record.error {
            None => Ok(()),
            Some(error) => Err(error),
        },
        Err(error) => Err(error.to_string()),
    };
    findings.push(match &strict {
        Ok(()) => Finding::new("sandbox", "strict", State::Holds, "a command ran in a strict sandbox"),
        Err(why) => finding("sandbox", "strict", State::Missing, why),
    });
    Report { strict: strict.is_ok(), findings }
}

fn offered(capabilities: &CapabilitiesAnswer) -> Vec<Finding> {
    let CapabilitiesAnswer { executor, isolation, runtimes, .. } = capabilities;
    let mut findings = vec![finding("server", "executor", State::Holds, executor)];
    let holds = |held: bool| if held { State::Holds } else { State::Hint };
    for layer in Layer::ALL {
        findings.push(Finding::new("layer", layer.as_str(), holds(isolation.layers.contains(&layer)), ""));
    }
    for limit in LimitKind::ALL {
        findings.push(Finding::new("limit", limit.as_str(), holds(isolation.limits.contains_key(&limit)), ""));
    }
    for language in Language::ALL {
        let path = runtimes.iter().find(|runtime| runtime.language == language).map(|runtime| runtime.path.as_str());
        findings.push(finding("runtime", language.as_str(), holds(path.is_some()), path.unwrap_or("not found")));
    }
    let missing = isolation.missing.iter();
    findings.extend(missing.map(|name| finding("sandbox", &one_line(name), State::Missing, "not given by that host")));
    findings
}

fn room(stats: &StatsAnswer) -> Finding {
    let full = stats.running >= stats.concurrency && stats.queued > 0;
    let detail = format!("{} of {} run, {} wait", stats.running, stats.concurrency, stats.queued);
    finding("server", "room", if full { State::Hint } else { State::Holds }, &detail)
}

fn failed(name: &str, error: &ClientError) -> Finding {
    finding("server", name, State::Missing, &error.to_string())
}

/// What a server says is foreign text.
fn finding(group: &'static str, name: &str, state: State, detail: &str) -> Finding {
    Finding::new(group, name, state, one_line(detail))
}
