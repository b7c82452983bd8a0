//! Spans reach a collector over OTLP, with the caller's trace, and the last ones before the end.

use faas_telemetry::{LogFormat, LogSettings, follow, init_with_export};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

const BOUND: Duration = Duration::from_secs(20);
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Takes one request and answers it with success.
fn collect(stream: TcpStream, requests: &Sender<(String, Vec<u8>)>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(BOUND))?;
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(text) = line.strip_prefix("content-length:") {
            length = text.trim().parse().map_err(std::io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
    requests.send((first, body)).map_err(std::io::Error::other)
}

fn contains(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

#[test]
fn spans_of_ours_arrive_as_a_part_of_the_callers_trace() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    let collector = thread::spawn(move || collect(listener.accept()?.0, &sender));

    let settings = LogSettings { filter: "off".to_owned(), format: LogFormat::Text };
    let (_log, exporter) = init_with_export(&settings, &endpoint).unwrap();
    let span = tracing::info_span!(target: "faas_gateway", "request", route = "/execute");
    follow(&span, &format!("00-{TRACE}-00f067aa0ba902b7-01"));
    drop(span.entered());
    let malformed = tracing::info_span!(target: "faas_gateway", "second");
    follow(&malformed, "00-nonsense");
    drop(malformed.entered());
    drop(tracing::info_span!(target: "hyper", "of a library").entered());
    // As `main` does it: after the server's runtime has done its last work.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { exporter.shutdown() });

    let (first, body) = requests.recv_timeout(BOUND).unwrap();
    collector.join().unwrap().unwrap();
    assert!(first.starts_with("POST /v1/traces "), "{first}");
    let trace: Vec<u8> = (0..16).map(|byte| u8::from_str_radix(&TRACE[byte * 2..][..2], 16).unwrap()).collect();
    assert!(contains(&body, &trace), "the trace of the caller is missing");
    for text in ["request", "second", "/execute", "service.version"] {
        assert!(contains(&body, text.as_bytes()), "{text:?} is missing");
    }
    assert!(!contains(&body, b"of a library"), "a span of a library was exported");
}
