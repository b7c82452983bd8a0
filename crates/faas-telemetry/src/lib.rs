//! Layer 1: what the platform tells its operators: log lines and metrics.
//!
//! [`init`] sends `tracing` events to stderr as text or JSON lines, from a thread of their own; foreign
//! text in them is made harmless on a terminal. [`init_with_export`] sends spans to an OpenTelemetry
//! collector too. [`Metrics`] counts and renders Prometheus text. Invariant: every label
//! comes from a closed set of this crate's or from the source code, never from a request, so no
//! request can add a time series.

mod export;
mod log;
mod metrics;
pub mod names;

pub use export::{Exporter, follow};
pub use log::{InitError, Log, LogFormat, LogSettings, init, init_with_export};
pub use metrics::{CONTENT_TYPE, Ended, Method, Metrics, UNMATCHED_ROUTE};
