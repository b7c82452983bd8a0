//! A platform behind its routes, as the configuration wants them.

use faas_config::Config;
use faas_gateway::{Access, ApiError, Defaults, Gateway, GatewayParts, HttpLimits, ModuleSource, Modules, Server};
use faas_lib::{FunctionModules, ModuleFiles, Platform};
use faas_telemetry::Metrics;
use faas_types::{Contract, Language};
use std::sync::Arc;

/// The server of this platform; without modules no function can name one.
pub(crate) fn server(
    platform: &Platform,
    config: &Config,
    limits: HttpLimits,
    metrics: &Metrics,
    modules: Option<FunctionModules>,
) -> Server {
    let gateway = Gateway::new(GatewayParts {
        orchestrator: platform.orchestrator().clone(),
        access: Access::local(),
        limits,
        defaults: Defaults {
            language: config.default_language.value,
            resources: config.resources(),
            timeout: config.timeout_for(Contract::Script),
            argv_json_timeout: config.timeout_for(Contract::ArgvJson),
            isolation: config.isolation.value,
            output: config.output_limits(),
        },
        metrics: metrics.clone(),
        modules: modules.map(|modules| Arc::new(OfHost(modules)) as Arc<dyn Modules>),
    });
    Server::new(gateway.router(), limits)
}

/// The modules of this host, for the gateway.
struct OfHost(FunctionModules);

impl Modules for OfHost {
    fn read(&self, module: &str, language: Language) -> Result<ModuleSource, ApiError> {
        match self.0.read(module, language) {
            Ok(ModuleFiles { main, files }) => Ok(ModuleSource { main, files }),
            Err(refused) => Err(ApiError::new(refused.code(), refused.to_string()).field("module")),
        }
    }
}
