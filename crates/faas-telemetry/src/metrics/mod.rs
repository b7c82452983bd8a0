//! Counters, gauges and histograms, and their rendering for Prometheus.

mod labels;
mod registry;

pub use labels::{Method, UNMATCHED_ROUTE};
pub use registry::{CONTENT_TYPE, Ended, Metrics};
