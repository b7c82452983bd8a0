//! What can be refused before anything is made.

use faas_executor_api::{SandboxSpec, SpecError};
use faas_protocol::launcher::Host;
use faas_types::{ByteSize, CpuAmount, IsolationLevel, Language};

/// Checks a spec against what the launcher reported.
pub(crate) fn validate(spec: &SandboxSpec, host: &Host) -> Result<(), SpecError> {
    spec.resources.check()?;
    let above = |field, asked: String, available: String| Err(SpecError::AboveHost { field, asked, available });
    let memory = ByteSize::from_bytes(host.memory_bytes);
    if spec.resources.memory > memory {
        return above("memory", spec.resources.memory.to_string(), memory.to_string());
    }
    let cpu = CpuAmount::from_milli(host.cpu_milli);
    if spec.resources.cpu > cpu {
        return above("cpu", spec.resources.cpu.to_string(), cpu.to_string());
    }
    if spec.resources.pids > host.pids {
        return above("pids", spec.resources.pids.to_string(), host.pids.to_string());
    }
    if spec.isolation == IsolationLevel::Strict
        && let Some((_, _, fix)) = host.missing.first()
    {
        return Err(SpecError::Isolation {
            missing: host.missing.iter().map(|(name, _, _)| name.clone()).collect(),
            fix: fix.clone(),
        });
    }
    if spec.packages.is_some() && !host.packages {
        return Err(SpecError::PackagesNotOffered);
    }
    match spec.language {
        Some(language) => interpreter(language, host).map(drop),
        None => Ok(()),
    }
}

/// Where a language's interpreter is inside every sandbox.
pub(crate) fn interpreter(language: Language, host: &Host) -> Result<&str, SpecError> {
    host.runtimes.iter().find(|(name, _)| name == language.as_str()).map(|(_, path)| path.as_str()).ok_or_else(|| {
        let looked_at = match language {
            Language::Python => "/usr/bin/python3",
            Language::JavaScript => "/usr/bin/node",
            Language::Bash => "/usr/bin/bash",
            Language::Php => "/usr/bin/php-cgi",
        };
        let install = format!("apt-get install {}", language.package());
        SpecError::RuntimeMissing { language, looked_at: looked_at.to_owned(), install }
    })
}
