use super::{Fault, Framing, HeadFault, HeadLimits, Phase};
use crate::limits::HttpLimits;
use faas_types::ByteSize;
use proptest::prelude::*;

fn framing() -> Framing {
    Framing::new(HeadLimits::of(&HttpLimits::default()))
}

/// Reads on as a connection does: what does not pass yet is given again. How many bytes passed, and the
/// fault that ended it, without its place.
fn feed<'a>(framing: &mut Framing, pieces: impl IntoIterator<Item = &'a [u8]>) -> (usize, Option<Fault>) {
    let (mut held, mut passed) = (Vec::new(), 0);
    for piece in pieces {
        held.extend_from_slice(piece);
        while !held.is_empty() {
            match framing.scan(&held) {
                Ok(0) => break,
                Ok(whole) => {
                    held.drain(..whole);
                    passed += whole;
                }
                Err(Fault::Body(offset)) => return (passed + offset, Some(Fault::Body(0))),
                Err(fault) => return (passed, Some(fault)),
            }
        }
    }
    (passed, None)
}

fn scan(framing: &mut Framing, bytes: &[u8]) -> Option<Fault> {
    feed(framing, [bytes]).1
}

fn refused(text: &str) -> Option<usize> {
    let (passed, fault) = feed(&mut framing(), [text.as_bytes()]);
    fault.map(|_| passed)
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
        let mut reading = framing();
        assert_eq!(feed(&mut reading, [text.as_bytes()]), (text.len(), None), "{text:?}");
        assert_eq!(reading.phase(), Phase::Idle, "{text:?}");
    }
    let mut reading = framing();
    assert_eq!(scan(&mut reading, GOOD.concat().as_bytes()), None);
    assert_eq!(reading.phase(), Phase::Idle);
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
fn nothing_of_a_refused_head_passes() {
    for text in BAD.into_iter().filter(|text| !text.contains("\r\n\r\n3") && !text.contains("\r\n\r\n1")) {
        let passed = refused(text).expect("it is refused");
        assert!(passed == 0 || text[..passed].ends_with("\r\n\r\n"), "{:?}", &text[..passed]);
    }
}

#[test]
fn a_length_behind_much_white_space_still_counts() {
    let space = " ".repeat(400);
    let fixed = format!("GET / HTTP/1.1\r\nContent-Length:{space}3\r\n\r\nabc");
    let chunked = format!("GET / HTTP/1.1\r\nTransfer-Encoding:{space}chunked\r\n\r\n0\r\n\r\n");
    for text in [fixed, chunked] {
        let mut reading = framing();
        assert_eq!(reading.scan(text.as_bytes()), Ok(text.len()));
        assert_eq!(reading.phase(), Phase::Idle);
    }
}

#[test]
fn heads_pass_up_to_their_limits_and_not_beyond() {
    let limits = HttpLimits { header_bytes: ByteSize::from_bytes(1000), headers: 3, ..HttpLimits::default() };
    let fault = |text: &str| {
        let pieces = text.as_bytes().chunks(100);
        feed(&mut Framing::new(HeadLimits::of(&limits)), pieces).1
    };
    let of = |length: usize| format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(length - 23));
    assert_eq!(fault(&of(1000)), None);
    assert_eq!(fault(&of(1001)), Some(Fault::Head(HeadFault::TooLong)));
    assert_eq!(fault(&format!("GET /{}", "a".repeat(1000))), Some(Fault::Head(HeadFault::TargetTooLong)));
    let fields = |count: usize| format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(count));
    assert_eq!(fault(&fields(3)), None);
    assert_eq!(fault(&fields(4)), Some(Fault::Head(HeadFault::TooManyFields)));
}

#[test]
fn the_phase_follows_the_stream() {
    let mut reading = framing();
    assert_eq!(reading.phase(), Phase::Idle);
    let head = b"POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\n";
    for (bytes, passed, phase) in [
        (&head[..1], 0, Phase::Head),
        (&head[..20], 0, Phase::Head),
        (&head[..], head.len(), Phase::Body),
        (b"abc", 3, Phase::Body),
        (b"d", 1, Phase::Idle),
        (b"\r", 0, Phase::Idle),
        (b"\r\n", 0, Phase::Idle),
        (b"\r\nG", 0, Phase::Head),
    ] {
        assert_eq!(reading.scan(bytes), Ok(passed));
        assert_eq!(reading.phase(), phase, "after {bytes:?}");
    }
    assert_eq!(reading.requests(), 2);
}

#[test]
fn reading_stops_at_the_end_of_each_request() {
    let mut reading = framing();
    let text = GOOD.concat();
    let mut rest = text.as_bytes();
    for whole in GOOD {
        assert_eq!(reading.scan(rest), Ok(whole.len()), "{whole:?}");
        rest = &rest[whole.len()..];
    }
}

#[tokio::test]
async fn http2_is_told_by_its_preface() {
    let mut reading = framing();
    assert_eq!(scan(&mut reading, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), None);
    assert_eq!(reading.phase(), Phase::Http2);
    assert_eq!(scan(&mut reading, b"\0\0\0\x04\0\0\0\0\0"), None);
}

#[test]
fn after_an_upgrade_anything_passes() {
    let mut reading = framing();
    assert_eq!(scan(&mut reading, b"GET / HTTP/1.1\r\nupgrade: websocket\r\n\r\n"), None);
    reading.upgrade();
    assert_eq!(scan(&mut reading, b"\x81\x05\n\n\n\n\n"), None);
    assert_eq!(reading.phase(), Phase::Upgraded);
}

proptest! {
    /// A proxy and a network may cut the stream anywhere: the verdict is the same.
    #[test]
    fn the_verdict_does_not_depend_on_how_the_stream_is_cut(
        text in prop::sample::select([&GOOD[..], &BAD[..]].concat()),
        cuts in prop::collection::vec(1..20_usize, 1..60),
    ) {
        let whole = feed(&mut framing(), [text.as_bytes()]);
        let mut rest = text.as_bytes();
        let pieces = cuts.into_iter().chain(std::iter::repeat(7)).map_while(|cut| {
            let piece = rest.split_off(..cut.min(rest.len()))?;
            (!piece.is_empty()).then_some(piece)
        });
        prop_assert_eq!(feed(&mut framing(), pieces), whole);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut reading = framing();
        if scan(&mut reading, &bytes).is_none() {
            let _ = scan(&mut reading, &bytes);
        }
    }
}
