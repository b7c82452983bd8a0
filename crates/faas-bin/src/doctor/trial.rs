//! The proof: sandboxes that run something.

use super::report::{Finding, State};
use crate::diagnostic::CliError;
use faas_config::Config;
use faas_lib::{Bootstrap, ExecutionEvent, ExecutionRecord, ExecutionRequest, InputItem, Platform, Work};
use faas_types::{IsolationLevel, Resources};

/// Prints the name of each file of `/proc` that tells a program about the host and can be read.
const LOOK_INTO_PROC: &str = "for name in kcore keys key-users timer_list sched_debug kallsyms sysrq-trigger; do \
    if [ -n \"$(head -c 1 /proc/$name 2>/dev/null | od -An -tx1)\" ]; then echo $name; fi; done";

/// Runs a command in a strict sandbox; whether that worked is the verdict.
pub(super) async fn run(
    bootstrap: Bootstrap,
    config: &Config,
    check_system: bool,
    findings: &mut Vec<Finding>,
) -> Result<bool, CliError> {
    let platform = bootstrap.into_platform().await?;
    let strict = match execute(&platform, config, &["true"]).await {
        Ok(_) => {
            findings.push(Finding::new("sandbox", "strict", State::Holds, "a command ran in a strict sandbox"));
            true
        }
        Err(why) => {
            findings.push(Finding::new("sandbox", "strict", State::Missing, why));
            false
        }
    };
    if check_system && strict {
        findings.push(match execute(&platform, config, &["sh", "-c", LOOK_INTO_PROC]).await {
            Ok(record) if record.stdout.trim().is_empty() => {
                Finding::new("system", "/proc inside", State::Holds, "nothing of the host is readable")
            }
            Ok(record) => {
                let names = record.stdout.split_whitespace().collect::<Vec<_>>().join(", ");
                Finding::new("system", "/proc inside", State::Missing, format!("readable: {names}"))
            }
            Err(why) => Finding::new("system", "/proc inside", State::Missing, why),
        });
    }
    platform.shutdown().await;
    Ok(strict)
}

/// The record of a command that ended well, or why it did not.
async fn execute(platform: &Platform, config: &Config, argv: &[&str]) -> Result<ExecutionRecord, String> {
    let mut request =
        ExecutionRequest::new(Work::Command { argv: argv.iter().map(|part| (*part).to_owned()).collect() });
    request.isolation = IsolationLevel::Strict;
    request.resources = Resources { cpu: config.cpus.value, ..Resources::default() };
    let mut execution = platform.start(request).await.map_err(|error| error.to_string())?;
    // A command that ended meanwhile needs no end of input.
    let _ = execution.input.send(InputItem::Eof).await;
    while let Some(event) = execution.next().await {
        if let ExecutionEvent::Complete(record) = event {
            return match &record.error {
                None => Ok(*record),
                Some(error) => Err(error.clone()),
            };
        }
    }
    Err("the trial ended without a record".to_owned())
}
