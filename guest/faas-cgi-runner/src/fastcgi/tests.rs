//! Records there and back, in every cut, and bytes of every kind.

use super::*;

fn frame(kind: u8, content: &[u8], padding: u8) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let mut bytes = vec![1, kind, 0, 1, high, low, padding, 0];
    bytes.extend_from_slice(content);
    bytes.extend(std::iter::repeat_n(0xaa, usize::from(padding)));
    bytes
}

fn decode(bytes: &[u8], size: usize) -> (Vec<Said>, Result<(), RecordError>) {
    let (mut decoder, mut said) = (Decoder::default(), Vec::new());
    for piece in bytes.chunks(size) {
        if let Err(error) = decoder.push(piece, &mut said) {
            return (said, Err(error));
        }
    }
    (said, Ok(()))
}

#[test]
fn an_answer_is_read_in_any_cut() {
    let answer = [
        frame(STDERR, b"PHP Warning", 3),
        frame(STDOUT, b"Status: 200\r\n\r\n", 0),
        frame(STDOUT, &[b'x'; 65535], 255),
        frame(STDOUT, b"", 0),
        frame(END_REQUEST, &[0, 0, 0, 0, 0, 0, 0, 0], 0),
    ]
    .concat();
    let expected = [
        Said::Stderr(b"PHP Warning".to_vec()),
        Said::Stdout(b"Status: 200\r\n\r\n".to_vec()),
        Said::Stdout(vec![b'x'; 65535]),
        Said::End,
    ];
    for size in [1, 7, 8, 9, 100, 65536, 1 << 20] {
        assert_eq!(decode(&answer, size), (expected.to_vec(), Ok(())), "in pieces of {size}");
    }
}

#[test]
fn what_no_application_sends_is_refused() {
    let refused = |bytes: &[u8]| decode(bytes, 3).1.unwrap_err();
    assert_eq!(refused(b"HTTP/1.1 200 OK\r\n"), RecordError::Version(b'H'));
    assert_eq!(refused(&[1, STDOUT, 0, 2, 0, 0, 0, 0]), RecordError::Request(2));
    assert_eq!(refused(&frame(STDIN, b"x", 0)), RecordError::Kind(STDIN));
    assert_eq!(refused(&frame(END_REQUEST, &[0, 0, 0, 0, 2, 0, 0, 0], 0)), RecordError::Refused(2));
    assert_eq!(refused(&frame(END_REQUEST, &[], 0)), RecordError::Refused(255));
}

#[test]
fn any_bytes_are_decoded_the_same_in_any_cut() {
    let mut random = 2463534242_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let (mut said_something, mut refused) = (0, 0);
    for _ in 0..5000 {
        let mut bytes = Vec::new();
        for _ in 0..next() % 6 {
            let content: Vec<u8> = (0..next() % 20).map(|_| next().to_be_bytes()[7]).collect();
            let kind = [STDOUT, STDERR, END_REQUEST, STDOUT, STDERR, STDIN, 0][usize::try_from(next() % 7).unwrap()];
            let padding = if next() % 2 == 0 { 0 } else { 5 };
            bytes.extend(frame(kind, &content, padding));
            if next() % 9 == 0 {
                bytes.push(next().to_be_bytes()[7]);
            }
        }
        let expected = decode(&bytes, 1 << 20);
        said_something += usize::from(!expected.0.is_empty());
        refused += usize::from(expected.1.is_err());
        let size = usize::try_from(1 + next() % 11).unwrap();
        assert_eq!(decode(&bytes, size), expected);
    }
    assert!(said_something > 100 && refused > 100, "{said_something} and {refused} are no test");
}

/// Takes apart what `begin` made, as an application does.
fn variables(mut bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    while let Some((header, rest)) = bytes.split_first_chunk::<8>() {
        let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let (mut content, rest) = rest.split_at(length);
        bytes = rest;
        let number = |content: &mut &[u8]| -> usize {
            if content[0] < 128 {
                let length = usize::from(content[0]);
                *content = &content[1..];
                return length;
            }
            let (digits, rest) = content.split_first_chunk::<4>().unwrap();
            *content = rest;
            usize::try_from(u32::from_be_bytes(*digits) & 0x7fff_ffff).unwrap()
        };
        while header[1] == PARAMS && !content.is_empty() {
            let (name, value) = (number(&mut content), number(&mut content));
            // No pair is spread over two records.
            let (name, rest) = content.split_at(name);
            let (value, rest) = rest.split_at(value);
            content = rest;
            all.push((String::from_utf8(name.to_vec()).unwrap(), value.to_vec()));
        }
    }
    all
}

#[test]
fn variables_arrive_whole_however_many_there_are() {
    let long = vec![b'v'; 60_000];
    let given: Vec<(String, Vec<u8>)> =
        (0..300).map(|n| (format!("NAME_{n}"), if n % 50 == 0 { long.clone() } else { vec![b'x'; n] })).collect();
    let bytes = begin(given.iter().map(|(name, value)| (name.as_str(), value.as_slice()))).unwrap();
    assert_eq!(variables(&bytes), given);
    let longest = vec![b'v'; MAX_CONTENT - 8];
    assert!(begin([("ABC", longest.as_slice())].into_iter()).is_ok());
    assert!(begin([("ABCD", longest.as_slice())].into_iter()).is_err());
}

#[test]
fn a_body_is_cut_into_records() {
    assert_eq!(stdin(b"").len(), 0);
    assert_eq!(stdin(&vec![b'x'; MAX_CONTENT + 1]).len(), MAX_CONTENT + 1 + 2 * HEADER);
    assert_eq!(stdin_end(), [1, STDIN, 0, 1, 0, 0, 0, 0]);
}
