//! What programs print, in every cut, and bytes of every kind.

use super::*;

fn whole(text: &[u8]) -> Result<(Head, Vec<u8>), HeaderError> {
    match Header::default().push(text)? {
        Some((head, taken)) => Ok((head, text[taken..].to_vec())),
        None => Err(HeaderError::Unfinished),
    }
}

fn head(text: &str) -> Head {
    whole(text.as_bytes()).expect(text).0
}

#[test]
fn fields_status_and_body_are_told_apart() {
    let (head, body) = whole(b"Status: 404 Not Found\r\nContent-Type: text/plain\r\nX-A:b:c \n\nbody\n\n").unwrap();
    assert_eq!(head.status, 404);
    assert_eq!(
        head.headers,
        [("Content-Type".to_owned(), b"text/plain".to_vec()), ("X-A".to_owned(), b"b:c".to_vec())]
    );
    assert_eq!(body, b"body\n\n");
}

#[test]
fn a_location_alone_is_a_redirect_for_the_client() {
    assert_eq!(head("Location: https://example.com/\n\n").status, 302);
    assert_eq!(head("Location: /elsewhere\n\n").status, 302);
    assert_eq!(head("Status: 201\nLocation: /made\n\n").status, 201);
    assert_eq!(head("Content-Type: text/plain\n\n").status, 200);
}

#[test]
fn what_is_no_header_is_refused_and_named() {
    let refused = |text: &str| whole(text.as_bytes()).unwrap_err().to_string();
    assert!(refused("\nbody").contains("empty line"));
    assert!(refused("hello world\n").contains("hello world"));
    assert!(refused("HTTP/1.1 200 OK\nA: b\n\n").contains("line 1"));
    assert!(refused("A: b\n folded\n\n").contains("line 2"));
    assert!(refused("A : b\n\n").contains("line 1"));
    assert!(refused(": b\n\n").contains("line 1"));
    assert!(refused("N\u{fc}: b\n\n").contains("line 1"));
    for status in ["", "1", "99", "101", "600", "2000", "-20", "abc", "+20", "20 0"] {
        assert!(refused(&format!("Status: {status}\n\n")).contains("200 to 599"), "{status:?}");
    }
    assert!(refused("Status: 200\nstatus: 201\n\n").contains("once"));
}

#[test]
fn header_injection_with_control_characters_is_refused() {
    for value in ["a\rSet-Cookie: b", "a\0b", "a\x7fb", "a\x1bb"] {
        let refused = whole(format!("X-Name: {value}\n\n").as_bytes());
        assert_eq!(refused, Err(HeaderError::Value { name: "X-Name".to_owned() }), "{value:?}");
    }
    assert_eq!(head("X-Name: a\tb\n\n").headers[0].1, b"a\tb");
}

#[test]
fn an_endless_header_is_refused_before_it_is_held() {
    let mut header = Header::default();
    let mut pushed = 0;
    let error = loop {
        match header.push(b"a:b\nxxxxxxxx") {
            Ok(_) => pushed += 12,
            Err(error) => break error,
        }
        assert!(pushed <= MAX_HEADER_BYTES, "{pushed} bytes were taken");
    };
    // The second line has no colon before the first line's name comes again.
    assert!(matches!(error, HeaderError::TooLong | HeaderError::TooMany), "{error}");
    assert_eq!(Header::default().push(&vec![b'x'; 10 << 20]), Err(HeaderError::TooLong));
    let many = "a:\n".repeat(5000);
    assert_eq!(Header::default().push(many.as_bytes()), Err(HeaderError::TooMany));
}

#[test]
fn the_largest_header_fits_one_frame() {
    let count = usize::try_from(MAX_ENTRIES).unwrap();
    let long = format!("{}x:{}\n\n", "a:\n".repeat(count - 1), "v".repeat(MAX_HEADER_BYTES - 3 * count - 1));
    assert_eq!(long.len(), MAX_HEADER_BYTES);
    let Head { status, headers } = head(&long);
    assert_eq!(headers.len(), count);
    assert!(faas_protocol::call::FromRunner::Head { call: 1, status, headers }.encode().is_ok());
}

/// The same bytes in any pieces give the same head, body and error.
#[test]
fn the_cut_makes_no_difference() {
    let words: [&[u8]; 14] = [
        b"A",
        b": ",
        b":",
        b"b",
        b"\n",
        b"\r\n",
        b"\n\n",
        b"Status: 200",
        b"Status",
        b" ",
        b"\0",
        b"\xff",
        b"Location: /",
        b"x",
    ];
    let mut random = 88172645463325252_u64;
    let mut next = move |bound: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % (bound as u64)).unwrap()
    };
    let (mut heads, mut errors) = (0, 0);
    for _ in 0..20_000 {
        let text: Vec<u8> = (0..next(12)).flat_map(|_| words[next(words.len())].to_vec()).collect();
        let expected = whole(&text);
        match &expected {
            Ok((head, _)) => {
                heads += 1;
                assert!((200..=599).contains(&head.status));
                assert!(head.headers.iter().all(|(_, value)| !value.contains(&b'\n') && !value.contains(&0)));
            }
            Err(_) => errors += 1,
        }
        let size = 1 + next(5);
        let (mut header, mut at, mut result) = (Header::default(), 0, Err(HeaderError::Unfinished));
        for piece in text.chunks(size) {
            match header.push(piece) {
                Ok(Some((head, taken))) => result = Ok((head, text[at + taken..].to_vec())),
                Ok(None) => {
                    at += piece.len();
                    continue;
                }
                Err(error) => result = Err(error),
            }
            break;
        }
        assert_eq!(result, expected, "{:?} in pieces of {size}", String::from_utf8_lossy(&text));
    }
    assert!(heads > 100 && errors > 100, "{heads} heads and {errors} errors are no test");
}
