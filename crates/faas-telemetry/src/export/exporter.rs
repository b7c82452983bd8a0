//! The pipeline from spans to the collector.

use super::client::Client;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::io;
use std::time::Duration;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::{Layer, Registry};

/// Where a collector takes spans, below its address.
const PATH: &str = "/v1/traces";
const SERVICE: &str = "faas";
/// Only our own spans: those of libraries would describe, among others, this export.
const TARGETS: &str = "faas";
/// How long the last spans may take to leave.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why spans cannot be exported.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExporterError {
    /// The exporting thread's runtime was refused by the system.
    #[error("the system refused the runtime of the exporting thread: {0}")]
    Runtime(#[from] io::Error),
    /// The endpoint is no address.
    #[error("{0}")]
    Endpoint(#[from] ExporterBuildError),
}

/// Sends finished spans in batches, from a thread of its own. A collector that is slow or away costs
/// spans, never requests: what does not fit into the bounded queue is dropped.
#[derive(Debug)]
#[must_use = "the last spans leave when it is shut down"]
pub struct Exporter {
    provider: SdkTracerProvider,
}

impl Exporter {
    /// Sends what is left, for a few seconds at most. Blocks; called last, when everything has stopped.
    pub fn shutdown(self) {
        if let Err(error) = self.provider.shutdown_with_timeout(PATIENCE) {
            tracing::warn!(%error, "the last spans did not reach the collector");
        }
    }
}

/// The layer that turns `tracing` spans into exported ones, and what sends them.
pub(crate) fn spans(endpoint: &str) -> Result<(Box<dyn Layer<Registry> + Send + Sync>, Exporter), ExporterError> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Client::new()?)
        .with_endpoint(format!("{}{PATH}", endpoint.trim_end_matches('/')))
        .build()?;
    let resource = Resource::builder()
        .with_service_name(SERVICE)
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(SERVICE))
        .with_filter(Targets::new().with_target(TARGETS, LevelFilter::INFO));
    Ok((Box::new(layer), Exporter { provider }))
}
