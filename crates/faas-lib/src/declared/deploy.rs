//! Declared functions become functions.

use super::source::Found;
use super::{DeclaredSources, NotDeployed};
use crate::Platform;
use faas_config::{Config, DeclaredFunction};
use faas_orchestrator::{FunctionError, FunctionSpec, Functions};
use faas_types::{FunctionKey, FunctionRef, Resources, Scaling, TenantId, VersionSelector};

impl Platform {
    /// Deploys what the configuration declares, for the local tenant: makes what is not there, and a new version
    /// of what differs. What cannot be is an event, and given back.
    pub async fn deploy(&self, sources: DeclaredSources, config: &Config) -> Vec<NotDeployed> {
        let functions = self.orchestrator().functions();
        let DeclaredSources { found, missing: mut failed } = sources;
        for found in found {
            failed.extend(deploy(&functions, found, config).await.err());
        }
        for why in &failed {
            functions.note_refused(why.to_string());
            if let NotDeployed::NoSource { name, .. } | NotDeployed::NoStorage { name } = why {
                // A store that fails now says so to whoever asks for the function.
                drop(functions.note_sourceless(TenantId::LOCAL, name.clone(), why.to_string()).await);
            }
        }
        failed
    }
}

async fn deploy(functions: &Functions, found: Found, config: &Config) -> Result<(), NotDeployed> {
    let name = found.function.name.clone();
    let refused = |cause: FunctionError| NotDeployed::Refused { name: name.clone(), cause: Box::new(cause) };
    let spec = spec(found, config);
    let key = FunctionKey::Name(name.clone());
    let live = FunctionRef { function: key.clone(), version: VersionSelector::Live };
    match functions.view(TenantId::LOCAL, &live).await {
        Err(FunctionError::Unknown { .. } | FunctionError::NoSource { .. }) => {
            functions.create(TenantId::LOCAL, name.clone(), spec).await.map(drop).map_err(refused)
        }
        Err(error) => Err(refused(error)),
        Ok(view) if is_same(&view.version.spec, &spec) => Ok(()),
        Ok(view) => {
            let expected = Some(view.function.seen());
            functions.deploy(TenantId::LOCAL, &key, expected, spec).await.map(drop).map_err(refused)
        }
    }
}

/// Whether this is what is live; its packages are what its dependencies led to.
fn is_same(live: &FunctionSpec, wanted: &FunctionSpec) -> bool {
    FunctionSpec { packages: live.packages.clone(), ..wanted.clone() } == *live
}

/// What is left out is as for every function.
fn spec(found: Found, config: &Config) -> FunctionSpec {
    let Found { function, runtime, main, files } = found;
    let DeclaredFunction {
        name: _,
        runtime: _,
        handler,
        timeout,
        memory,
        cpu,
        dependencies,
        allow_build,
        environment,
        min_instances,
        max_instances,
        concurrency,
        code: _,
    } = function;
    let (defaults, scaling) = (config.resources(), Scaling::default());
    let contract = runtime.language.function_contract();
    let memory = memory.unwrap_or(defaults.memory);
    FunctionSpec {
        runtime: runtime.clone(),
        contract,
        handler: handler.unwrap_or_else(|| FunctionSpec::ENTRY.to_owned()),
        main,
        files,
        env: environment,
        resources: Resources {
            cpu: cpu.unwrap_or(defaults.cpu),
            memory,
            disk: defaults.disk.min(Resources::default_disk_for(memory)),
            pids: defaults.pids,
        },
        isolation: config.isolation.value,
        timeout: timeout.unwrap_or_else(|| config.timeout_for(contract)),
        output: config.output_limits(),
        dependencies,
        allow_build: allow_build.unwrap_or_default(),
        scaling: Scaling {
            min: min_instances.unwrap_or(scaling.min),
            max: max_instances.unwrap_or(scaling.max),
            concurrency: concurrency.unwrap_or(scaling.concurrency),
            ..scaling
        },
        ..FunctionSpec::new(runtime.language, "")
    }
}
