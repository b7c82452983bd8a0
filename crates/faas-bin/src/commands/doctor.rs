//! `faas doctor`.

use crate::cli::GlobalOptions;
use crate::diagnostic::CliError;
use crate::doctor::{self, Report};
use crate::remote::RemoteOptions;
use crate::runtime::on_runtime;
use crate::{console, settings};
use std::process::ExitCode;

/// Options of `faas doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code: 0 when a strict sandbox runs, else 1.")]
pub(crate) struct DoctorOptions {
    /// Check the system too: kernel, processor, memory, disk, what /proc shows inside
    #[arg(long)]
    check_system: bool,

    /// Make what an ordinary user needs for strict sandboxes; only as root
    #[arg(long)]
    fix: bool,

    /// Take back what --fix made
    #[arg(long, conflicts_with = "fix")]
    unfix: bool,

    /// The user to do it for, a name or a number [default: $SUDO_USER]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,

    /// Print JSON
    #[arg(long)]
    json: bool,

    /// Examine this server instead of this host
    #[arg(long, value_name = "URL", conflicts_with_all = ["check_system", "fix", "unfix", "user"])]
    server: Option<String>,
}

impl DoctorOptions {
    /// Those of `faas doctor --check-system`.
    pub(super) const fn of_the_system() -> Self {
        Self { check_system: true, fix: false, unfix: false, user: None, json: false, server: None }
    }
}

pub(super) fn doctor(options: &DoctorOptions, global: &GlobalOptions) -> Result<ExitCode, CliError> {
    if options.fix || options.unfix {
        return delegate(options);
    }
    if options.user.is_some() {
        return Err(CliError::invalid("--user goes with --fix or --unfix".to_owned()));
    }
    let report = match &options.server {
        Some(_) => {
            let client = RemoteOptions::at(options.server.clone()).client()?;
            on_runtime(async { Ok(doctor::examine_server(&client).await) })?
        }
        None => doctor::examine(&settings::load_own(global, &global.flags())?, options.check_system)?,
    };
    let text = if options.json { json(&report)? } else { doctor::table(&report) };
    let printed = console::print(text.as_bytes())?;
    Ok(if report.strict { printed } else { ExitCode::FAILURE })
}

fn json(report: &Report) -> Result<String, CliError> {
    serde_json::to_string_pretty(report)
        .map(|text| text + "\n")
        .map_err(|error| CliError::invalid(format!("the report cannot be written: {error}")))
}

fn delegate(options: &DoctorOptions) -> Result<ExitCode, CliError> {
    let user = match &options.user {
        Some(user) => user.clone(),
        None => std::env::var("SUDO_USER").map_err(|_| {
            CliError::invalid("--user is missing and SUDO_USER is not set; accepted: --fix --user NAME".to_owned())
        })?,
    };
    if options.unfix {
        faas_lib::undelegate(&user)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut lines = String::new();
    for path in faas_lib::delegate(&user)? {
        lines.push_str(&format!("{user} may use {}\n", path.display()));
        if path.ends_with("shell") {
            // Cgroup v2 lets nobody but root move a process in from elsewhere.
            let procs = path.join("cgroup.procs");
            lines.push_str("start programs from a shell in it; this moves yours:\n");
            lines.push_str(&format!("  sudo sh -c \"echo $$ > {}\"\n", procs.display()));
        }
    }
    console::print(lines.as_bytes())
}
