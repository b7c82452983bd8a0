//! Each field on its own, well-formed and hostile.

use super::{MAX_ENTRIES, Reader, Writer};
use crate::frame::{FrameError, HEADER, Header};

fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut body = Writer::new(Header::plain(0));
    write(&mut body);
    body.finish().unwrap().split_off(HEADER)
}

#[test]
fn fields_are_laid_out_as_documented() {
    let body = written(|body| {
        body.u8(1);
        body.u16(2);
        body.u32(3);
        body.u64(4);
        body.i32(-2);
        body.bool(true);
        body.string("é");
        body.optional(Some(5), Writer::u8);
        body.optional(None, Writer::u8);
        body.list("list", &[6, 7], |body, entry| body.u8(*entry));
    });
    assert_eq!(
        body,
        [
            1, 2, 0, 3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 1, 2, 0, 0, 0, 0xc3, 0xa9, 1, 5, 0, 2,
            0, 0, 0, 6, 7
        ]
    );
    let mut reader = Reader::new(&body);
    assert_eq!((reader.u8(), reader.u16(), reader.u32(), reader.u64()), (Ok(1), Ok(2), Ok(3), Ok(4)));
    assert_eq!((reader.i32(), reader.bool("bool")), (Ok(-2), Ok(true)));
    assert_eq!(reader.string("text"), Ok("é".to_owned()));
    assert_eq!(reader.optional("some", Reader::u8), Ok(Some(5)));
    assert_eq!(reader.optional("none", Reader::u8), Ok(None));
    assert_eq!(reader.list("list", Reader::u8), Ok(vec![6, 7]));
    assert_eq!(reader.finish(), Ok(()));
}

#[test]
fn every_cut_of_a_body_is_truncated() {
    let body = written(|body| body.list("list", &["one", "two"], |body, entry| body.string(entry)));
    let read = |bytes| Reader::new(bytes).list("list", |body| body.string("list"));
    assert!(read(&body).is_ok());
    for cut in 0..body.len() {
        assert_eq!(read(&body[..cut]), Err(FrameError::Truncated), "{cut}");
    }
}

#[test]
fn lengths_and_counts_beyond_the_bytes_at_hand_are_refused() {
    let huge = [0xff; 8];
    assert_eq!(Reader::new(&huge).bytes(), Err(FrameError::Truncated));
    assert_eq!(
        Reader::new(&huge).list("list", Reader::u8),
        Err(FrameError::TooMany { field: "list", count: u32::MAX })
    );
    let most = MAX_ENTRIES.to_le_bytes();
    assert_eq!(Reader::new(&most).list("list", Reader::u64), Err(FrameError::Truncated));
}

#[test]
fn values_that_stand_for_nothing_are_refused() {
    let bad = FrameError::BadValue { field: "field", value: 2 };
    assert_eq!(Reader::new(&[2]).bool("field"), Err(bad));
    assert_eq!(Reader::new(&[2, 0]).optional("field", Reader::u8), Err(bad));
    assert_eq!(Reader::new(&[1, 0, 0, 0, 0xff]).string("field"), Err(FrameError::NotUtf8 { field: "field" }));
    let surrogate = [3, 0, 0, 0, 0xed, 0xa0, 0x80];
    assert_eq!(Reader::new(&surrogate).string("field"), Err(FrameError::NotUtf8 { field: "field" }));
}

#[test]
fn a_writer_keeps_at_most_one_frame_and_its_first_refusal() {
    let mut body = Writer::new(Header::plain(0));
    let megabyte = vec![0; 1024 * 1024];
    for _ in 0..64 {
        body.bytes(&megabyte);
    }
    assert!(body.frame.capacity() < 2 * megabyte.len());
    assert_eq!(body.finish(), Err(FrameError::TooLong { length: 64 * (1024 * 1024 + 4) }));

    let mut body = Writer::new(Header::plain(0));
    body.list("first", &[(); 5000], |_, ()| ());
    body.list("second", &[(); 6000], |_, ()| ());
    assert_eq!(body.finish(), Err(FrameError::TooMany { field: "first", count: 5000 }));
}
