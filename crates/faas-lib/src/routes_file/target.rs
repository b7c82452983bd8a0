//! A row's function as what its route leads to.

use super::source::{Source, Sources};
use crate::source::main_of;
use faas_config::Config;
use faas_orchestrator::{Access, FunctionError, FunctionSpec, Functions, RowTarget};
use faas_routes_file::{RowFunction, RowRuntime};
use faas_types::{Contract, ErrorCode, IsolationLevel, Language, OutputLimits, Resources, TenantId};
use std::sync::Arc;
use std::time::Duration;

/// Why a row is not served.
#[derive(Debug)]
pub(super) struct Refused(pub(super) String);

/// What a function gets that its row does not ask for.
#[derive(Debug, Clone)]
pub(super) struct Defaults {
    resources: Resources,
    timeout: Duration,
    isolation: IsolationLevel,
    output: OutputLimits,
}

impl Defaults {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            resources: config.resources(),
            timeout: config.timeout_for(Contract::Handler),
            isolation: config.isolation.value,
            output: config.output_limits(),
        }
    }

    /// What the row's route leads to, and the source it is made of. What this build or this host does not have
    /// is answered by the route itself, for its row is good.
    pub(super) fn target(
        &self,
        functions: &Functions,
        sources: &mut Sources,
        function: RowFunction,
    ) -> Result<(RowTarget, Option<Arc<Source>>), Refused> {
        let language = match function.runtime {
            RowRuntime::Php => Language::Php,
            RowRuntime::Python => Language::Python,
            RowRuntime::JavaScript => Language::JavaScript,
            RowRuntime::Wasm => {
                let detail = "runtime wasm is not in this build: the wasm executor does not exist yet; the routes \
                              file takes php, python and javascript";
                return Ok((RowTarget::Refused(ErrorCode::FieldUnsupported, detail.to_owned()), None));
            }
        };
        let source = sources.of(&function.module).map_err(Refused)?;
        let spec = self.spec(language, &function, &source);
        match functions.unstored(TenantId::LOCAL, function.name, spec) {
            Ok(version) => Ok((RowTarget::Version(TenantId::LOCAL, version), Some(source))),
            Err(error @ FunctionError::RuntimeMissing { .. }) => {
                Ok((RowTarget::Refused(error.code(), error.to_string()), None))
            }
            Err(error) => Err(Refused(error.to_string())),
        }
    }

    fn spec(&self, language: Language, function: &RowFunction, source: &Source) -> FunctionSpec {
        let memory = function.memory.unwrap_or(self.resources.memory);
        let disk = self.resources.disk.min(Resources::default_disk_for(memory));
        let disk = if function.memory.is_some() { disk } else { self.resources.disk };
        FunctionSpec {
            main: main_of(language, &source.files, source.is_directory),
            files: source.files.clone(),
            // PHP and every other CGI program is called as a whole.
            handler: function.handler.clone().unwrap_or_else(|| FunctionSpec::ENTRY.to_owned()),
            resources: Resources { memory, disk, ..self.resources },
            timeout: function.timeout.unwrap_or(self.timeout),
            isolation: self.isolation,
            output: self.output,
            // Everybody who reaches a server in local mode is its one tenant.
            access: Access::Public,
            ..FunctionSpec::new(language, Vec::new())
        }
    }
}
