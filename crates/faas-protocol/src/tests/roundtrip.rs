//! What is encoded decodes to the same, in its own conversation only; what is not is refused.

use proptest::collection::vec;
use proptest::prelude::*;

use super::golden::{Conversation, examples};
use super::strategies::{from_init, from_launcher, from_runner, to_init, to_launcher, to_runner};
use crate::call::{FromRunner, ToRunner};
use crate::control::{FromInit, MAX_PIECE, Spawn, ToInit};
use crate::frame::{FrameError, HEADER, MAX_BODY};
use crate::launcher::{FromLauncher, ToLauncher};
use crate::wire::MAX_ENTRIES;

/// Decoding gives the message back; cutting the last byte or adding one is refused.
macro_rules! roundtrip {
    ($name:ident, $strategy:expr, $message:ty) => {
        proptest! {
            #[test]
            fn $name(message in $strategy) {
                let frame = message.encode().unwrap();
                prop_assert_eq!(<$message>::decode(&frame), Ok(message));
                prop_assert_eq!(<$message>::decode(&frame[..frame.len() - 1]), Err(FrameError::Truncated));
                let mut longer = frame.clone();
                longer.push(0);
                prop_assert_eq!(<$message>::decode(&longer), Err(FrameError::TrailingBytes { count: 1 }));
            }
        }
    };
}

roundtrip!(to_init_roundtrip, to_init(), ToInit);
roundtrip!(from_init_roundtrip, from_init(), FromInit);
roundtrip!(to_runner_roundtrip, to_runner(), ToRunner);
roundtrip!(from_runner_roundtrip, from_runner(), FromRunner);
roundtrip!(to_launcher_roundtrip, to_launcher(), ToLauncher);
roundtrip!(from_launcher_roundtrip, from_launcher(), FromLauncher);

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        for conversation in Conversation::ALL {
            let _refused_or_not = conversation.decodes(&bytes);
        }
    }

    /// Behind a sound header every byte of the body is arbitrary: nearly all of what is refused
    /// here is refused by the fields, not by the header. What is accepted has this one encoding.
    #[test]
    fn arbitrary_bodies_never_panic_and_have_one_encoding(kind in 0x10..0x70u8, body in vec(any::<u8>(), 0..80)) {
        let mut frame = vec![0; HEADER];
        frame[0] = u8::try_from(body.len()).unwrap();
        frame[4] = kind;
        frame.extend_from_slice(&body);
        for conversation in Conversation::ALL {
            if let Ok(again) = conversation.decodes(&frame) {
                prop_assert_eq!(&again, &frame);
            }
        }
    }
}

#[test]
fn a_frame_that_strays_is_unknown_in_every_other_conversation() {
    for example in examples() {
        let frame = example.frame;
        for conversation in Conversation::ALL {
            let answer = conversation.decodes(&frame);
            if conversation == example.conversation {
                assert_eq!(answer.as_ref(), Ok(&frame), "{}", example.name);
            } else {
                assert!(
                    matches!(answer, Err(FrameError::UnknownType { .. } | FrameError::NonZero { .. })),
                    "{} was taken for {conversation:?}: {answer:?}",
                    example.name
                );
            }
        }
    }
}

#[test]
fn every_field_of_the_header_that_a_message_does_not_use_must_be_zero() {
    for example in examples() {
        for (offset, bit) in [(5, 1), (5, 0x80), (6, 1), (7, 1)] {
            let mut frame = example.frame.clone();
            frame[offset] |= bit;
            let answer = example.conversation.decodes(&frame);
            assert!(
                matches!(answer, Err(FrameError::UnknownFlags { .. } | FrameError::NonZero { field: "padding" })),
                "{}: byte {offset} {answer:?}",
                example.name
            );
        }
        for (offset, uses) in [(8, example.name.contains("call")), (12, example.name.contains("sequence"))] {
            let mut frame = example.frame.clone();
            frame[offset] ^= 0x40;
            let answer = example.conversation.decodes(&frame);
            assert_eq!(answer.is_ok(), uses, "{}: byte {offset} {answer:?}", example.name);
        }
    }
}

#[test]
fn what_does_not_fit_in_one_frame_is_refused_by_encode() {
    let spawn = |argv: Vec<Vec<u8>>, env: Vec<Vec<u8>>| {
        ToInit::Spawn(Spawn { call: 1, argv, env, cwd: b"/".to_vec(), runner: false }).encode()
    };
    assert!(spawn(vec![Vec::new(); 4096], vec![Vec::new(); 4096]).is_ok());
    assert_eq!(
        spawn(Vec::new(), vec![Vec::new(); 4097]),
        Err(FrameError::TooMany { field: "env", count: MAX_ENTRIES + 1 })
    );
    assert_eq!(spawn(vec![vec![b'x'; MAX_BODY]], Vec::new()), Err(FrameError::TooLong { length: 131_072 + 18 }));

    let body = |length| FromRunner::Body { call: 1, sequence: 0, bytes: vec![7; length] };
    let whole = body(MAX_BODY).encode().unwrap();
    assert_eq!(FromRunner::decode(&whole), Ok(body(MAX_BODY)));
    assert_eq!(body(MAX_BODY + 1).encode(), Err(FrameError::TooLong { length: 131_073 }));
}

#[test]
fn a_piece_of_a_file_is_bounded_on_both_sides() {
    let put = |length| ToInit::PutFile {
        path: b"/workspace/a".to_vec(),
        executable: false,
        append: false,
        content: vec![1; length],
    };
    let mut frame = put(MAX_PIECE).encode().unwrap();
    assert_eq!(ToInit::decode(&frame), Ok(put(MAX_PIECE)));
    assert_eq!(put(MAX_PIECE + 1).encode(), Err(FrameError::PieceTooLong { length: MAX_PIECE + 1 }));

    let content_length = HEADER + 4 + 12 + 2;
    frame.push(1);
    for at in [0, content_length] {
        frame[at] += 1;
    }
    assert_eq!(ToInit::decode(&frame), Err(FrameError::PieceTooLong { length: MAX_PIECE + 1 }));
}
