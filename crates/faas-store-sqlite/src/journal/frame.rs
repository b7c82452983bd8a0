//! Entries as the journal's files hold them.
//!
//! ```text
//! length u32 │ crc32 of what follows u32 │ form u8 │ tenant 16 │ node 16 │ record
//! ```
//!
//! The record is JSON, or [`mark`] has its form. Numbers are little-endian; the length counts what follows the
//! checksum. A form, once written, is read by every later program. Reading trusts nothing: it
//! stops at the first frame that is not whole. A whole one with unknown content is passed over: a newer
//! program wrote it, and what follows it stands where it says.

use super::mark;
use crate::pending::{Content, Pending};
use faas_store_api::{Journaled, StoreError};
use faas_types::{ExecutionRecord, NodeId, TenantId};

/// The record follows as JSON.
const RECORD: u8 = 1;
/// The record follows as [`mark`] has it.
const MARK: u8 = 2;
/// Length and checksum.
const HEADER: usize = 8;
/// Form, tenant and node.
const PREFIX: usize = 33;
/// Room for most records without a result, so that the frame is written where it stays.
const ROOM: usize = 2048;
/// The longest body: a record has at most a result of some MiB.
const MAX_BODY: usize = 16 << 20;

/// What a file has.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) entries: Vec<Pending>,
    /// Where the whole frames begin whose content is not known.
    pub(crate) unknown: Vec<usize>,
    /// What stopped the reading before the end.
    pub(crate) damage: Option<Damage>,
}

/// The first frame that is not whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    /// Where it begins.
    pub(crate) offset: usize,
    /// What is wrong with it.
    pub(crate) reason: &'static str,
}

/// An entry as a frame, and as it waits for its import.
pub(crate) fn encode(entry: Journaled<'_>) -> Result<(Vec<u8>, Pending), StoreError> {
    let Journaled { tenant, node, record } = entry;
    let unwritable = |reason: String| StoreError::Unavailable { reason };
    let mut frame = Vec::with_capacity(ROOM);
    frame.extend_from_slice(&[0; HEADER]);
    frame.push(MARK);
    frame.extend_from_slice(tenant.as_bytes());
    frame.extend_from_slice(node.as_bytes());
    let is_mark = mark::write(record, &mut frame);
    if !is_mark {
        frame[HEADER] = RECORD;
        let written = if record.has_output() {
            serde_json::to_writer(&mut frame, &record.clone().without_output())
        } else {
            serde_json::to_writer(&mut frame, record)
        };
        written.map_err(|error| unwritable(format!("a record is no JSON: {error}")))?;
    }
    let length = frame.len() - HEADER;
    let Some(length) = u32::try_from(length).ok().filter(|_| length <= MAX_BODY) else {
        return Err(unwritable(format!("a record has {} bytes, the journal takes {MAX_BODY}", length - PREFIX)));
    };
    let checksum = crc32fast::hash(&frame[HEADER..]);
    frame[..4].copy_from_slice(&length.to_le_bytes());
    frame[4..HEADER].copy_from_slice(&checksum.to_le_bytes());
    // As long as it waits it takes what it needs, and no more.
    let written = frame[HEADER + PREFIX..].to_vec();
    let content = if is_mark {
        Content::Mark(written)
    } else {
        let json = String::from_utf8(written).map_err(|error| unwritable(format!("a record is no text: {error}")))?;
        Content::Json(json)
    };
    Ok((frame, Pending::new(tenant, node, record, content)))
}

/// The record of a mark that waits.
pub(crate) fn read_mark(bytes: &[u8]) -> Option<ExecutionRecord> {
    mark::read(bytes)
}

/// Every whole frame from the beginning, and what stopped the reading.
pub(crate) fn decode(bytes: &[u8]) -> Decoded {
    let mut decoded = Decoded::default();
    let mut rest = bytes;
    while !rest.is_empty() {
        let offset = bytes.len() - rest.len();
        match first(rest) {
            Ok((body, after)) => {
                match entry(body) {
                    Some(entry) => decoded.entries.push(entry),
                    None => decoded.unknown.push(offset),
                }
                rest = after;
            }
            Err(reason) => {
                decoded.damage = Some(Damage { offset, reason });
                break;
            }
        }
    }
    decoded
}

/// The body of the first frame, and what follows it.
fn first(bytes: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    const TORN: &str = "it ends too early";
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or(TORN)?;
    let (checksum, rest) = rest.split_first_chunk::<4>().ok_or(TORN)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
    if !(PREFIX..=MAX_BODY).contains(&length) {
        return Err("its length is not possible");
    }
    let (body, after) = rest.split_at_checked(length).ok_or(TORN)?;
    if crc32fast::hash(body) != u32::from_le_bytes(*checksum) {
        return Err("its checksum is wrong");
    }
    Ok((body, after))
}

fn entry(body: &[u8]) -> Option<Pending> {
    let (form, rest) = body.split_first()?;
    let (tenant, rest) = rest.split_first_chunk::<16>()?;
    let (node, written) = rest.split_first_chunk::<16>()?;
    let (record, content) = match *form {
        RECORD => {
            let json = std::str::from_utf8(written).ok()?;
            (serde_json::from_str(json).ok()?, Content::Json(json.to_owned()))
        }
        MARK => (mark::read(written)?, Content::Mark(written.to_vec())),
        _ => return None,
    };
    Some(Pending::new(TenantId::from_bytes(*tenant), NodeId::from_bytes(*node), &record, content))
}

#[cfg(test)]
mod tests {
    use super::{Damage, decode, encode};
    use faas_store_api::Journaled;
    use faas_types::{
        Contract, ExecutionId, ExecutionRecord, ExecutionState, Language, Mode, NodeId, TenantId, Timestamp,
    };
    use proptest::prelude::*;

    fn frame() -> Vec<u8> {
        let record = ExecutionRecord::queued(ExecutionId::generate(), None, Contract::Command, "process");
        frame_of(&record)
    }

    fn frame_of(record: &ExecutionRecord) -> Vec<u8> {
        let entry = Journaled { tenant: TenantId::LOCAL, node: NodeId::from_bytes([1; 16]), record };
        encode(entry).expect("a frame").0
    }

    fn begun() -> ExecutionRecord {
        ExecutionRecord {
            status: ExecutionState::Starting,
            mode: Mode::Cached,
            function: Some("greet".to_owned()),
            version: Some("7".to_owned()),
            created_at: Timestamp::from_micros(1_700_000_000_000_001),
            labels: [("team", "a"), ("who", "é")].map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            ..ExecutionRecord::queued(
                ExecutionId::from_bytes([2; 16]),
                Some(Language::Python),
                Contract::Handler,
                "process",
            )
        }
    }

    /// What an earlier program wrote is read for ever, byte for byte as it was.
    #[test]
    fn frames_of_earlier_programs_are_read() {
        let tenant_and_node = format!("{}{}", "00".repeat(16), "01".repeat(16));
        let mark = [
            "02",
            &tenant_and_node,
            "0110000000",
            &"02".repeat(16),
            "020800000001401e18240a0600",
            "0306000000707974686f6e",
            "040700000068616e646c6572",
            "0506000000636163686564",
            "060700000070726f63657373",
            "07050000006772656574",
            "080100000037",
            "09040000007465616d0a0100000061",
            "090300000077686f0a02000000c3a9",
        ]
        .concat();
        let json = include_str!("record.json").trim_end();
        let record = format!("01{tenant_and_node}{}", hex(json.as_bytes()));
        for (body, is_ours) in [(mark, true), (record, false)] {
            let body = from_hex(&body);
            let length = u32::try_from(body.len()).expect("short");
            let frame = [&length.to_le_bytes()[..], &crc32fast::hash(&body).to_le_bytes(), &body].concat();
            if is_ours {
                assert_eq!(hex(&frame_of(&begun())), hex(&frame));
            }
            let decoded = decode(&frame);
            assert_eq!((decoded.entries.len(), decoded.unknown, decoded.damage), (1, Vec::new(), None));
            let entry = &decoded.entries[0];
            assert_eq!((entry.tenant, entry.node), (TenantId::LOCAL, NodeId::from_bytes([1; 16])));
            assert_eq!(entry.record().expect("a record"), begun());
        }
    }

    #[test]
    fn a_newer_program_may_say_more_in_a_mark() {
        let mut written = Vec::new();
        assert!(super::mark::write(&begun(), &mut written));
        written.extend([200, 2, 0, 0, 0, 1, 2]);
        assert_eq!(super::mark::read(&written), Some(begun()));
        for length in [1, 3, 10, written.len() - 1] {
            assert_eq!(super::mark::read(&written[..length]), None, "cut at {length}");
        }
    }

    /// Whatever differs from how an execution begins is written as JSON, and comes back.
    #[test]
    fn what_a_mark_cannot_say_is_a_record() {
        let more: [fn(&mut ExecutionRecord); 6] = [
            |record| record.status = ExecutionState::Succeeded,
            |record| record.error = Some("e".to_owned()),
            |record| record.stdout_bytes = 1,
            |record| record.result = Some(serde_json::json!({"a": 1})),
            |record| record.start.kind = "warm".to_owned(),
            |record| record.usage.cpu_us = Some(1),
        ];
        for change in more {
            let mut record = begun();
            change(&mut record);
            let frame = frame_of(&record);
            assert_eq!(frame[8], 1);
            assert_eq!(decode(&frame).entries[0].record().expect("a record"), record);
        }
        let wrote = ExecutionRecord { stdout: "x".to_owned(), ..begun() };
        assert_eq!(decode(&frame_of(&wrote)).entries[0].record().expect("a record"), begun());
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn from_hex(text: &str) -> Vec<u8> {
        let digits = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("two digits");
        (0..text.len()).step_by(2).map(digits).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let frames: Vec<u8> = (0..3).flat_map(|_| frame()).collect();
        let decoded = decode(&frames);
        assert_eq!((decoded.entries.len(), decoded.unknown, decoded.damage), (3, Vec::new(), None));
        assert_eq!(decode(&[]).entries.len(), 0);
    }

    #[test]
    fn zeros_after_the_end_are_damage_and_not_entries() {
        let mut frames = frame();
        let offset = frames.len();
        frames.extend([0; 4096]);
        let decoded = decode(&frames);
        assert_eq!(decoded.entries.len(), 1);
        assert_eq!(decoded.damage, Some(Damage { offset, reason: "its length is not possible" }));
    }

    proptest! {
        /// Wherever a file is cut or a bit is flipped, every frame before is read and none after.
        #[test]
        fn what_is_before_the_damage_is_read(at in 0.0..1.0_f64, bit in 0..8_u8, cut: bool) {
            let frames: Vec<Vec<u8>> = (0..4).map(|_| frame()).collect();
            let mut bytes = frames.concat();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place within the file")]
            let place = (at * bytes.len() as f64) as usize;
            if cut {
                bytes.truncate(place);
            } else {
                bytes[place] ^= 1 << bit;
            }
            let mut whole = 0;
            let mut end = 0;
            for frame in &frames {
                end += frame.len();
                whole += usize::from(end <= place);
            }
            let decoded = decode(&bytes);
            prop_assert_eq!((decoded.entries.len(), decoded.unknown.len()), (whole, 0));
            let at_a_boundary = cut && frames.iter().take(whole).map(Vec::len).sum::<usize>() == place;
            prop_assert_eq!(decoded.damage.is_none(), at_a_boundary);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            decode(&bytes);
        }
    }
}
