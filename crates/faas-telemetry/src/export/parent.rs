//! The caller's trace, as W3C Trace Context has it.

use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use std::collections::HashMap;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

const HEADER: &str = "traceparent";

/// Makes `span` a part of the trace that a request's `traceparent` header names. Called before the
/// span is entered. A malformed header is passed over, as the standard asks for; where nothing is
/// exported there is nothing to do.
pub fn follow(span: &Span, traceparent: &str) {
    let carrier = HashMap::from([(HEADER.to_owned(), traceparent.to_owned())]);
    let parent = TraceContextPropagator::new().extract(&carrier);
    if span.set_parent(parent).is_err() {
        tracing::trace!("a span that is not exported follows no trace");
    }
}
