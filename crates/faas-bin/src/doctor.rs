//! What this host gives to sandboxes: examined, not assumed. The verdict is a trial: a strict
//! sandbox runs a command, or it does not.

mod host;
mod report;
mod server;
mod system;
mod trial;

pub(crate) use report::{Report, table};
pub(crate) use server::examine_server;

use crate::diagnostic::CliError;
use crate::runtime::on_runtime;
use faas_config::Config;
use faas_lib::Bootstrap;
use report::{Finding, State};

/// Examines this host.
pub(crate) fn examine(config: &Config, check_system: bool) -> Result<Report, CliError> {
    let mut findings = Vec::new();
    let strict = match start(config) {
        Ok(bootstrap) => {
            findings.extend(host::findings(bootstrap.host()));
            on_runtime(trial::run(bootstrap, config, check_system, &mut findings))?
        }
        Err(error) => {
            findings.push(Finding::new("sandbox", "launcher", State::Missing, error.to_string()));
            false
        }
    };
    if check_system {
        findings.extend(system::findings(config));
    }
    Ok(Report { strict, findings })
}

fn start(config: &Config) -> Result<Bootstrap, faas_lib::StartError> {
    let bootstrap = Bootstrap::start(config)?;
    bootstrap.become_unprivileged()?;
    Ok(bootstrap)
}
