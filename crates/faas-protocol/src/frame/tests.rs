//! Streams cut anywhere, and streams that are not frames.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Decoder, FrameError, HEADER, Header, MAX_BODY, RawFrame};
use crate::call::FromRunner;
use crate::tests::strategies::from_runner;

fn header(length: u32) -> [u8; HEADER] {
    Header::plain(0x42).to_bytes(length)
}

/// Everything a decoder gives for a stream that is pushed in portions of these sizes.
fn decoded(stream: &[u8], sizes: impl IntoIterator<Item = usize>) -> Result<Vec<FromRunner>, FrameError> {
    let mut decoder = Decoder::new();
    let mut messages = Vec::new();
    let mut rest = stream;
    for size in sizes {
        let (portion, behind) = rest.split_at(size.min(rest.len()));
        rest = behind;
        decoder.push(portion);
        while let Some(frame) = decoder.next_frame()? {
            messages.push(FromRunner::decode(frame.as_bytes())?);
        }
    }
    assert!(rest.is_empty(), "the sizes do not cover the stream");
    decoder.finish()?;
    Ok(messages)
}

proptest! {
    #[test]
    fn any_split_of_a_stream_gives_the_same_frames(
        messages in vec(from_runner(), 0..12),
        sizes in vec(0..90usize, 0..60),
    ) {
        let stream: Vec<u8> = messages.iter().flat_map(|message| message.encode().unwrap()).collect();
        let any = decoded(&stream, sizes.into_iter().chain([stream.len()]));
        prop_assert_eq!(any.as_ref(), Ok(&messages));
        let single = decoded(&stream, std::iter::repeat_n(1, stream.len()));
        prop_assert_eq!(single.as_ref(), Ok(&messages));
    }

    #[test]
    fn arbitrary_streams_never_panic_and_errors_stay(portions in vec(vec(any::<u8>(), 0..40), 0..20)) {
        let mut decoder = Decoder::new();
        let mut failed = None;
        for portion in portions {
            decoder.push(&portion);
            loop {
                match decoder.next_frame() {
                    Ok(Some(frame)) => {
                        prop_assert_eq!(failed, None);
                        prop_assert!(frame.body().len() <= MAX_BODY);
                    }
                    Ok(None) => {
                        prop_assert_eq!(failed, None);
                        break;
                    }
                    Err(error) => {
                        prop_assert_eq!(error, *failed.get_or_insert(error));
                        break;
                    }
                }
            }
        }
    }
}

#[test]
fn a_stream_that_ends_inside_a_frame_is_truncated() {
    let frame = FromRunner::Hello { version: 1 }.encode().unwrap();
    for cut in 1..frame.len() {
        assert_eq!(decoded(&frame[..cut], [cut]), Err(FrameError::Truncated), "{cut}");
    }
    assert_eq!(decoded(&[], []), Ok(Vec::new()));
}

#[test]
fn a_decoder_that_nobody_drains_refuses_instead_of_growing() {
    let frame = FromRunner::Body { call: 1, sequence: 0, bytes: vec![0; MAX_BODY] }.encode().unwrap();
    let mut decoder = Decoder::new();
    decoder.push(&frame);
    decoder.push(&frame);
    decoder.push(&[0]);
    let overrun = FrameError::Overrun { length: 2 * frame.len() + 1 };
    assert_eq!(decoder.next_frame(), Err(overrun));
    assert_eq!(decoder.finish(), Err(overrun));
    assert_eq!(decoder.reserved(), 0, "the memory is given back");
}

#[test]
fn a_drained_decoder_keeps_its_buffer_bounded() {
    let frame = FromRunner::Body { call: 1, sequence: 0, bytes: vec![0; MAX_BODY] }.encode().unwrap();
    let stream = frame.repeat(20);
    let mut decoder = Decoder::new();
    let mut frames = 0;
    for portion in stream.chunks(100_000) {
        decoder.push(portion);
        while decoder.next_frame().unwrap().is_some() {
            frames += 1;
        }
        assert!(decoder.reserved() <= 2 * super::decoder::CAPACITY);
    }
    assert_eq!(frames, 20);
}

/// Hostile row 53, "length 0xFFFFFFFF".
#[test]
fn length_0xffffffff_is_refused_before_anything_is_set_aside_for_it() {
    let mut decoder = Decoder::new();
    decoder.push(&header(u32::MAX));
    assert_eq!(decoder.next_frame(), Err(FrameError::TooLong { length: 0xffff_ffff }));
    decoder.push(&FromRunner::Hello { version: 1 }.encode().unwrap());
    assert_eq!(decoder.next_frame(), Err(FrameError::TooLong { length: 0xffff_ffff }), "an error is final");
    assert_eq!(decoder.reserved(), 0);

    let longest = u32::try_from(MAX_BODY).unwrap();
    decoder = Decoder::new();
    decoder.push(&header(longest));
    assert_eq!(decoder.next_frame(), Ok(None));
    assert!(decoder.reserved() < 1024, "memory is set aside for bytes that did not come");
    assert_eq!(RawFrame::parse(&header(longest + 1)), Err(FrameError::TooLong { length: 131_073 }));
}

/// Hostile row 53, "negative".
#[test]
fn negative_lengths_are_refused_as_too_long() {
    for length in [-1, -2, i32::MIN, i32::MIN + 1, -131_072] {
        let length = u32::from_le_bytes(i32::to_le_bytes(length));
        let mut decoder = Decoder::new();
        decoder.push(&header(length));
        assert_eq!(decoder.next_frame(), Err(FrameError::TooLong { length: u64::from(length) }));
    }
}

/// Hostile row 53, "split 1 byte/s": whatever the pace, a frame in single bytes is one frame, and
/// the largest frame in single bytes costs linear work. The deadline belongs to the host.
#[test]
fn split_into_single_bytes_is_one_frame_and_stays_cheap() {
    let message = FromRunner::Body { call: 1, sequence: 0, bytes: vec![9; MAX_BODY] };
    let stream = message.encode().unwrap().repeat(2);
    assert_eq!(decoded(&stream, std::iter::repeat_n(1, stream.len())), Ok(vec![message.clone(), message]));
}
