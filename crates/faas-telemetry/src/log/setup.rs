//! The process's one subscriber.

use super::background::{self, Log};
use super::neutralise::Notation;
use super::plain;
use super::writer::LineWriter;
use crate::export::{self, Exporter, ExporterError};
use std::io::{self, Write};
use std::str::FromStr as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry, fmt};

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What is logged and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// `info`, or `info,faas_gateway=debug`: a level for all, or levels by target, as in `RUST_LOG`.
    pub filter: String,
    /// The form of the lines.
    pub format: LogFormat,
}

/// Why logging was not set up.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The filter cannot be read.
    #[error(
        "log filter {given:?} is refused: {reason}; accepted: off, error, warn, info, debug or trace, and TARGET=LEVEL, with commas"
    )]
    Filter {
        /// The filter as given.
        given: String,
        /// What the parser says.
        reason: String,
    },
    /// Spans cannot be exported.
    #[error("spans cannot be exported to {endpoint:?}: {reason}; correct telemetry.otlp_endpoint or unset it")]
    Export {
        /// The endpoint as given.
        endpoint: String,
        /// What is wrong.
        reason: String,
    },
    /// The thread that writes the lines was refused.
    #[error("the system refused the thread that writes log lines: {0}; raise the limit of processes")]
    Thread(#[from] io::Error),
    /// This process logs already.
    #[error("logging was set up before in this process; set it up once, in the program's main")]
    AlreadySet,
}

/// Sends the process's events to stderr from now on, until the log is dropped.
///
/// # Errors
/// A malformed filter, or a second call.
pub fn init(settings: &LogSettings) -> Result<Log, InitError> {
    let (lines, log) = filtered_lines(settings)?;
    start(vec![lines])?;
    Ok(log)
}

/// The same, and sends the spans of this platform to an OpenTelemetry collector: `http://HOST:PORT`.
///
/// # Errors
/// A malformed filter or endpoint, or a second call. A collector that does not answer is no error.
pub fn init_with_export(settings: &LogSettings, endpoint: &str) -> Result<(Log, Exporter), InitError> {
    let (lines, log) = filtered_lines(settings)?;
    let (spans, exporter) = export::spans(endpoint).map_err(|error: ExporterError| InitError::Export {
        endpoint: endpoint.to_owned(),
        reason: error.to_string(),
    })?;
    start(vec![lines, spans])?;
    Ok((log, exporter))
}

fn start(layers: Vec<BoxedLayer>) -> Result<(), InitError> {
    tracing_subscriber::registry().with(layers).try_init().map_err(|_| InitError::AlreadySet)
}

fn filtered_lines(settings: &LogSettings) -> Result<(BoxedLayer, Log), InitError> {
    let filter = Targets::from_str(&settings.filter)
        .map_err(|error| InitError::Filter { given: settings.filter.clone(), reason: error.to_string() })?;
    let (handover, log) = background::start(io::stderr(), |lines| {
        tracing::warn!(lines, "log lines were dropped: stderr is not read as fast as they come");
    })?;
    Ok((lines(settings.format, move || handover.clone()).with_filter(filter).boxed(), log))
}

/// A layer that writes every event as one line.
fn lines<W: Write + 'static>(format: LogFormat, target: impl Fn() -> W + Send + Sync + 'static) -> BoxedLayer {
    let layer = fmt::layer().with_ansi(false).log_internal_errors(false).with_timer(plain::Time);
    match format {
        LogFormat::Text => {
            layer.fmt_fields(plain::Fields).with_writer(move || LineWriter::new(target(), Notation::Text)).boxed()
        }
        LogFormat::Json => layer
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .with_writer(move || LineWriter::new(target(), Notation::Json))
            .boxed(),
    }
}

#[cfg(test)]
mod tests;
