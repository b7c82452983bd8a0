//! What a runner may say next: the whole conversation, and each way to break it.

use super::{BeginError, FromRunner, RunnerFrames, RunnerFramesError, ToRunner};
use crate::VERSION;
use crate::flow::FlowError;
use crate::frame::Decoder;

const HELLO: FromRunner = FromRunner::Hello { version: VERSION };

fn head(call: u32) -> FromRunner {
    FromRunner::Head { call, status: 200, headers: Vec::new() }
}

fn body(call: u32, sequence: u32, length: usize) -> FromRunner {
    FromRunner::Body { call, sequence, bytes: vec![b'x'; length] }
}

/// A runner that said hello and runs call 7 with a window of 100 bytes.
fn running() -> RunnerFrames {
    let mut frames = RunnerFrames::new();
    frames.accept(&HELLO).unwrap();
    assert_eq!(frames.begin(7, 100), Ok(Some(ToRunner::Credit { call: 7, bytes: 100 })));
    frames
}

/// The same after the head.
fn answering() -> RunnerFrames {
    let mut frames = running();
    frames.accept(&head(7)).unwrap();
    frames
}

#[test]
fn several_calls_of_one_connection() {
    let mut frames = RunnerFrames::new();
    assert_eq!(frames.begin(1, 10), Ok(Some(ToRunner::Credit { call: 1, bytes: 10 })), "the host need not wait");
    frames.accept(&HELLO).unwrap();
    frames.accept(&head(1)).unwrap();
    frames.accept(&body(1, 0, 4)).unwrap();
    assert_eq!(frames.consumed(1, 4), None);
    frames.accept(&body(1, 1, 6)).unwrap();
    assert_eq!(frames.consumed(1, 6), Some(ToRunner::Credit { call: 1, bytes: 10 }));
    frames.accept(&body(1, 2, 10)).unwrap();
    assert!(frames.is_running());
    frames.accept(&FromRunner::End { call: 1 }).unwrap();
    assert!(!frames.is_running());
    assert_eq!(frames.consumed(1, 10), None, "nothing is granted to a call that is over");

    assert_eq!(frames.begin(2, 0), Ok(None));
    frames.accept(&head(2)).unwrap();
    assert_eq!(frames.begin(3, 0), Err(BeginError::StillRunning { call: 3, running: 2 }));
    frames.accept(&FromRunner::End { call: 2 }).unwrap();
    assert_eq!(frames.begin(2, 0), Err(BeginError::NotAbove { call: 2, last: 2 }));
}

#[test]
fn several_calls_at_once_end_in_any_order() {
    let printed = |call, length| FromRunner::Printed { call, is_error: false, bytes: vec![b'x'; length] };
    let mut frames = RunnerFrames::of(2);
    frames.accept(&HELLO).unwrap();
    frames.begin(1, 10).unwrap();
    frames.begin(2, 10).unwrap();
    assert_eq!(frames.begin(3, 10), Err(BeginError::StillRunning { call: 3, running: 1 }));
    frames.accept(&head(2)).unwrap();
    assert_eq!(frames.accept(&body(1, 0, 1)), Err(RunnerFramesError::BodyBeforeHead { call: 1 }), "each by itself");
    frames.accept(&printed(1, 6)).unwrap();
    frames.accept(&body(2, 0, 10)).unwrap();
    let no_credit = RunnerFramesError::Flow { call: 1, source: FlowError::Exceeded { bytes: 5, available: 4 } };
    assert_eq!(frames.accept(&printed(1, 5)), Err(no_credit), "what is printed takes credit");
    assert_eq!(frames.accept(&printed(1, 0)), Err(RunnerFramesError::EmptyBody { call: 1 }));
    assert_eq!(frames.consumed(1, 6), Some(ToRunner::Credit { call: 1, bytes: 6 }));
    frames.accept(&FromRunner::End { call: 2 }).unwrap();
    for frame in [printed(2, 1), body(2, 1, 1), FromRunner::End { call: 2 }] {
        assert_eq!(frames.accept(&frame), Err(RunnerFramesError::NotAsked { call: 2 }), "it is over");
    }
    frames.begin(3, 10).unwrap();
    frames.accept(&FromRunner::Failed { call: 1, message: String::new() }).unwrap();
    assert!(frames.is_running());
}

#[test]
fn a_program_that_answers_one_call_at_a_time_prints_to_its_streams() {
    let printed = FromRunner::Printed { call: 7, is_error: true, bytes: vec![b'x'] };
    assert_eq!(running().accept(&printed), Err(RunnerFramesError::NotShared { call: 7 }));
}

#[test]
fn hello_is_first_once_and_of_this_version() {
    let mut frames = RunnerFrames::new();
    frames.begin(7, 100).unwrap();
    assert_eq!(frames.accept(&head(7)), Err(RunnerFramesError::BeforeHello));
    let other = VERSION + 1;
    assert_eq!(
        frames.accept(&FromRunner::Hello { version: other }),
        Err(RunnerFramesError::Version { version: other })
    );
    assert_eq!(running().accept(&HELLO), Err(RunnerFramesError::SecondHello));
}

#[test]
fn a_contract_without_a_response_lets_nothing_through() {
    let mut frames = RunnerFrames::new();
    frames.accept(&HELLO).unwrap();
    for frame in [head(0), body(0, 0, 1), FromRunner::End { call: 0 }] {
        assert_eq!(frames.accept(&frame), Err(RunnerFramesError::NotAsked { call: 0 }));
    }
}

#[test]
fn a_program_is_loaded_once_and_before_it_answers() {
    let loaded = |call| FromRunner::Loaded { call };
    let mut frames = running();
    assert_eq!(frames.accept(&loaded(6)), Err(RunnerFramesError::WrongCall { call: 6, expected: 7 }));
    frames.accept(&loaded(7)).unwrap();
    assert_eq!(frames.accept(&loaded(7)), Err(RunnerFramesError::LateLoaded { call: 7 }));
    assert_eq!(answering().accept(&loaded(7)), Err(RunnerFramesError::LateLoaded { call: 7 }));
}

#[test]
fn a_runner_is_busy_with_the_call_it_answers() {
    let mut frames = answering();
    frames.accept(&FromRunner::Busy { call: 7 }).unwrap();
    assert_eq!(frames.accept(&FromRunner::Busy { call: 7 }), Err(RunnerFramesError::SecondBusy { call: 7 }));
    frames.accept(&FromRunner::End { call: 7 }).unwrap();
    assert_eq!(frames.accept(&FromRunner::Busy { call: 7 }), Err(RunnerFramesError::NotAsked { call: 7 }));
}

#[test]
fn head_is_first_and_once() {
    assert_eq!(running().accept(&body(7, 0, 1)), Err(RunnerFramesError::BodyBeforeHead { call: 7 }));
    assert_eq!(running().accept(&FromRunner::End { call: 7 }), Err(RunnerFramesError::BodyBeforeHead { call: 7 }));
    assert_eq!(answering().accept(&head(7)), Err(RunnerFramesError::SecondHead { call: 7 }));
}

#[test]
fn pieces_come_in_order_and_have_bytes() {
    for sequence in [1, 2, u32::MAX] {
        assert_eq!(
            answering().accept(&body(7, sequence, 1)),
            Err(RunnerFramesError::OutOfOrder { call: 7, sequence, expected: 0 })
        );
    }
    assert_eq!(answering().accept(&body(7, 0, 0)), Err(RunnerFramesError::EmptyBody { call: 7 }));
}

#[test]
fn credit_is_respected() {
    let mut frames = answering();
    frames.accept(&body(7, 0, 100)).unwrap();
    let flow = |bytes| RunnerFramesError::Flow { call: 7, source: FlowError::Exceeded { bytes, available: 0 } };
    assert_eq!(frames.accept(&body(7, 1, 1)), Err(flow(1)));
    assert_eq!(frames.consumed(7, 60), Some(ToRunner::Credit { call: 7, bytes: 60 }));
    frames.accept(&body(7, 1, 60)).unwrap();
    assert_eq!(frames.accept(&body(7, 2, 1)), Err(flow(1)));
}

/// Hostile row 53, "1M frames": a million frames of the smallest kind in one stream. The host
/// stops at the first it did not ask for, and holds no more than the window until then.
#[test]
fn a_million_frames_end_at_the_first_one_that_was_not_asked_for() {
    let flood = |frame: FromRunner, accepted_before: u32| {
        let frame = frame.encode().unwrap();
        let mut decoder = Decoder::new();
        let mut frames = answering();
        for accepted in 0..1_000_000 {
            decoder.push(&frame);
            let raw = decoder.next_frame().unwrap().unwrap();
            if let Err(error) = frames.accept(&FromRunner::decode(raw.as_bytes()).unwrap()) {
                assert_eq!(accepted, accepted_before);
                return error;
            }
        }
        panic!("a million frames were accepted");
    };
    assert_eq!(flood(HELLO, 0), RunnerFramesError::SecondHello);
    assert_eq!(flood(head(7), 0), RunnerFramesError::SecondHead { call: 7 });
    assert_eq!(flood(body(7, 0, 0), 0), RunnerFramesError::EmptyBody { call: 7 });
    assert_eq!(flood(body(7, 0, 1), 1), RunnerFramesError::OutOfOrder { call: 7, sequence: 0, expected: 1 });
    assert_eq!(flood(FromRunner::End { call: 7 }, 1), RunnerFramesError::NotAsked { call: 7 });

    let mut frames = answering();
    let refused = (0..1_000_000).find(|sequence| frames.accept(&body(7, *sequence, 1)).is_err());
    assert_eq!(refused, Some(100), "a well-ordered million ends with the window");
}

/// Hostile row 53, "wrong id".
#[test]
fn a_wrong_call_id_is_refused() {
    for call in [0, 6, 8, u32::MAX] {
        for frame in [head(call), body(call, 0, 1), FromRunner::End { call }] {
            assert_eq!(answering().accept(&frame), Err(RunnerFramesError::WrongCall { call, expected: 7 }));
        }
    }
}

/// Hostile row 53, "replay": of a piece, of a whole answer, and of the last call's answer as this
/// call's.
#[test]
fn a_replay_is_refused() {
    let mut frames = answering();
    frames.accept(&body(7, 0, 1)).unwrap();
    assert_eq!(frames.accept(&body(7, 0, 1)), Err(RunnerFramesError::OutOfOrder { call: 7, sequence: 0, expected: 1 }));
    frames.accept(&FromRunner::End { call: 7 }).unwrap();
    assert_eq!(frames.accept(&head(7)), Err(RunnerFramesError::NotAsked { call: 7 }));
    frames.begin(8, 100).unwrap();
    for frame in [head(7), body(7, 0, 1), FromRunner::End { call: 7 }] {
        assert_eq!(frames.accept(&frame), Err(RunnerFramesError::WrongCall { call: 7, expected: 8 }));
    }
}
