//! A platform behind its routes, as the configuration wants them.

use faas_config::Config;
use faas_gateway::{Access, Defaults, Gateway, GatewayParts, HttpLimits, Server};
use faas_lib::Platform;
use faas_telemetry::Metrics;
use faas_types::Contract;

/// The server of this platform.
pub(crate) fn server(platform: &Platform, config: &Config, limits: HttpLimits, metrics: &Metrics) -> Server {
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
    });
    Server::new(gateway.router(), limits)
}
