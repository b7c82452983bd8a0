//! Spans sent to an OpenTelemetry collector, where one is configured.

mod client;
mod exporter;
mod parent;

pub use exporter::Exporter;
pub(crate) use exporter::{ExporterError, spans};
pub use parent::follow;
