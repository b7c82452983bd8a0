use super::{InitError, LineWriter, LogFormat, LogSettings, Notation, init, lines};
use std::io::{self, Write};
use std::str::FromStr as _;
use std::sync::{Arc, Mutex};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;

/// Where a test's lines go.
#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What `events` log in this form under this filter.
fn logged(format: LogFormat, filter: &str, events: impl FnOnce()) -> String {
    let target = Lines::default();
    let sink = target.clone();
    let filter = Targets::from_str(filter).unwrap();
    let layer = lines(format, move || sink.clone()).with_filter(filter);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), events);
    let bytes = target.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

const HOSTILE: &str = "x\u{1b}]52;c;aGk=\u{7}\nINFO forged\u{202e}";

#[test]
fn a_hostile_text_stays_on_its_line_and_moves_no_cursor() {
    let text = logged(LogFormat::Text, "info", || tracing::info!(path = %HOSTILE, debug = ?HOSTILE, "{HOSTILE}"));
    assert_eq!(text.lines().count(), 1, "{text:?}");
    assert!(text.ends_with('\n') && text.contains("forged"), "{text:?}");
    assert!(!text.trim_end().chars().any(|character| character.is_control() || character == '\u{202e}'), "{text:?}");
}

#[test]
fn json_lines_carry_the_text_unchanged_to_whoever_parses_them() {
    let text = logged(LogFormat::Json, "info", || {
        let span = tracing::info_span!("request", request_id = "abc");
        let _entered = span.enter();
        tracing::warn!(path = %HOSTILE, status = 404, "refused");
    });
    assert_eq!(text.lines().count(), 1, "{text:?}");
    assert!(!text.trim_end().chars().any(|character| character.is_control() || character == '\u{202e}'), "{text:?}");
    for part in ["\"level\":\"WARN\"", "\"message\":\"refused\"", "\"status\":404", "\"request_id\":\"abc\"", "\\u202e"]
    {
        assert!(text.contains(part), "{part} is missing: {text:?}");
    }
}

/// What is written faster than by the formatter's own parts reads the same.
#[test]
fn text_lines_read_as_the_formatter_writes_them() {
    let events = || {
        let span = tracing::info_span!("request", request_id = "a-1", quoted = "a\"b\\", display = %"x y", empty = "");
        let _entered = span.enter();
        tracing::info!(text = "plain", hostile = HOSTILE, number = 7_u64, below = -7_i64, truth = true, "a message");
        tracing::info!(optional = Some(1.5), debug = ?["a"], "with {} in it", "arguments");
    };
    let target = Lines::default();
    let sink = target.clone();
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(move || LineWriter::new(sink.clone(), Notation::Text));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), events);
    let expected = String::from_utf8(target.0.lock().unwrap().clone()).unwrap();
    let written = logged(LogFormat::Text, "info", events);
    let parts = |text: &str| -> Vec<(usize, String)> {
        // The times differ, their form does not.
        let cut = |line: &str| line.split_once(' ').map(|(time, rest)| (time.len(), rest.to_owned())).unwrap();
        text.lines().map(cut).collect()
    };
    assert_eq!(parts(&written), parts(&expected));
    let time = written.split(' ').next().unwrap();
    let digits = time.replace(|character: char| character.is_ascii_digit(), "0");
    assert_eq!(digits, "0000-00-00T00:00:00.000000Z");
}

#[test]
fn levels_are_filtered_by_target() {
    let text = logged(LogFormat::Text, "warn,mine=debug", || {
        tracing::info!("left out");
        tracing::warn!("kept");
        tracing::debug!(target: "mine", "kept too");
        tracing::trace!(target: "mine", "left out");
    });
    assert_eq!((text.matches("kept").count(), text.matches("left out").count()), (2, 0), "{text}");
}

#[test]
fn a_filter_that_means_nothing_is_refused_with_what_is_accepted() {
    for filter in ["info,faas=loud", "[span]=debug=x"] {
        let error = init(&LogSettings { filter: filter.to_owned(), format: LogFormat::Text }).unwrap_err();
        assert!(matches!(error, InitError::Filter { .. }), "{error}");
        assert!(error.to_string().contains("accepted: off, error"), "{error}");
    }
}
