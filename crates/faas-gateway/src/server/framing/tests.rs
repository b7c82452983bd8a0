use super::{Framing, Phase};
use proptest::prelude::*;

/// Reads on over the ends of requests.
fn scan(framing: &mut Framing, bytes: &[u8]) -> Result<(), usize> {
    let mut at = 0;
    while at < bytes.len() {
        at += framing.scan(&bytes[at..]).map_err(|offset| at + offset)?;
    }
    Ok(())
}

fn refused(text: &str) -> Option<usize> {
    scan(&mut Framing::default(), text.as_bytes()).err()
}

const GOOD: [&str; 6] = [
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n\n\r\n",
    "POST / HTTP/1.1\r\ntransfer-encoding:  Chunked \r\n\r\n3;a=\"b\"\r\n\n\r\n\r\n0A\r\n0123456789\r\n0\r\nx: y\r\n\r\n",
    "PRINT / HTTP/1.1\r\n\r\n",
    "P / HTTP/1.1\r\nx: \u{fc}\r\n\r\n",
];

const BAD: [&str; 22] = [
    "GET / HTTP/1.1\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\n",
    "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
    "\n\nGET / HTTP/1.1\r\n\r\n",
    "\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nx: a\r\n b\r\n\r\n",
    "GET / HTTP/1.1\r\n x: a\r\n\r\n",
    "GET / HTTP/1.1\r\nno colon\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length : 3\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;a\nb\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n 3\r\nabc\r\n",
];

#[test]
fn well_framed_requests_pass_and_end_where_the_next_begins() {
    for text in GOOD {
        let mut framing = Framing::default();
        assert_eq!(scan(&mut framing, text.as_bytes()), Ok(()), "{text:?}");
        assert_eq!(framing.phase(), Phase::Idle, "{text:?}");
    }
    let mut framing = Framing::default();
    assert_eq!(scan(&mut framing, GOOD.concat().as_bytes()), Ok(()));
    assert_eq!(framing.phase(), Phase::Idle);
}

#[test]
fn ambiguous_framing_is_refused_also_as_the_second_request() {
    for text in BAD {
        let at = refused(text);
        assert!(at.is_some(), "{text:?} passed");
        let second = format!("{}{text}", GOOD[0]);
        let expected = at.map(|at| at + GOOD[0].len());
        assert_eq!(refused(&second), expected, "{text:?} after another request");
    }
}

#[test]
fn a_disguised_length_behind_much_white_space_is_refused() {
    let space = " ".repeat(400);
    assert!(refused(&format!("GET / HTTP/1.1\r\nContent-Length:{space}3\r\n\r\n")).is_some());
    assert!(refused(&format!("GET / HTTP/1.1\r\nTransfer-Encoding:{space}chunked\r\n\r\n")).is_some());
    assert!(refused(&format!("GET / HTTP/1.1\r\nx-long:{space}\r\n\r\n")).is_none());
}

#[test]
fn the_phase_follows_the_stream() {
    let mut framing = Framing::default();
    assert_eq!(framing.phase(), Phase::Idle);
    for (bytes, phase) in [
        (&b"P"[..], Phase::Head),
        (b"OST / HTTP/1.1\r\n", Phase::Head),
        (b"content-length: 4\r\n\r\n", Phase::Body),
        (b"abc", Phase::Body),
        (b"d", Phase::Idle),
        (b"G", Phase::Head),
    ] {
        assert_eq!(scan(&mut framing, bytes), Ok(()));
        assert_eq!(framing.phase(), phase, "after {bytes:?}");
    }
    assert_eq!(framing.requests(), 2);
}

#[test]
fn reading_stops_at_the_end_of_each_request() {
    let mut framing = Framing::default();
    let text = GOOD.concat();
    let mut rest = text.as_bytes();
    for whole in GOOD {
        assert_eq!(framing.scan(rest), Ok(whole.len()), "{whole:?}");
        rest = &rest[whole.len()..];
    }
}

#[tokio::test]
async fn http2_is_told_by_its_preface() {
    let mut framing = Framing::default();
    assert_eq!(scan(&mut framing, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Ok(()));
    assert_eq!(framing.phase(), Phase::Http2);
    assert_eq!(scan(&mut framing, b"\0\0\0\x04\0\0\0\0\0"), Ok(()));
}

#[test]
fn after_an_upgrade_anything_passes() {
    let mut framing = Framing::default();
    assert_eq!(scan(&mut framing, b"GET / HTTP/1.1\r\nupgrade: websocket\r\n\r\n"), Ok(()));
    framing.upgrade();
    assert_eq!(scan(&mut framing, b"\x81\x05\n\n\n\n\n"), Ok(()));
    assert_eq!(framing.phase(), Phase::Upgraded);
}

proptest! {
    /// A proxy and a network may cut the stream anywhere: the verdict is the same.
    #[test]
    fn the_verdict_does_not_depend_on_how_the_stream_is_cut(
        text in prop::sample::select([&GOOD[..], &BAD[..]].concat()),
        cuts in prop::collection::vec(1..20_usize, 1..60),
    ) {
        let whole = scan(&mut Framing::default(), text.as_bytes());
        let mut framing = Framing::default();
        let mut at = 0;
        let mut verdict = Ok(());
        for cut in cuts.into_iter().chain(std::iter::repeat(7)) {
            if at == text.len() || verdict.is_err() {
                break;
            }
            let end = (at + cut).min(text.len());
            verdict = scan(&mut framing, &text.as_bytes()[at..end]).map_err(|offset| at + offset);
            at = end;
        }
        prop_assert_eq!(verdict, whole);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut framing = Framing::default();
        if scan(&mut framing, &bytes).is_ok() {
            let _ = scan(&mut framing, &bytes);
        }
    }
}
