//! Entries as the journal's files hold them.
//!
//! ```text
//! length u32 │ crc32 of what follows u32 │ version u8 │ tenant 16 │ node 16 │ record as JSON
//! ```
//!
//! Numbers are little-endian; the length counts what follows the checksum. Reading trusts nothing: it
//! stops at the first frame that is not whole. A whole one with unknown content is passed over: a newer
//! program wrote it, and what follows it stands where it says.

use crate::pending::Pending;
use faas_store_api::{Journaled, StoreError};
use faas_types::{ExecutionRecord, NodeId, TenantId};

/// The only form of frames so far.
const VERSION: u8 = 1;
/// Length and checksum.
const HEADER: usize = 8;
/// Version, tenant and node.
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
pub(crate) fn encode(entry: Journaled) -> Result<(Vec<u8>, Pending), StoreError> {
    let Journaled { tenant, node, record } = entry;
    let unwritable = |reason: String| StoreError::Unavailable { reason };
    let record = record.without_output();
    let mut frame = Vec::with_capacity(ROOM);
    frame.extend_from_slice(&[0; HEADER]);
    frame.push(VERSION);
    frame.extend_from_slice(tenant.as_bytes());
    frame.extend_from_slice(node.as_bytes());
    serde_json::to_writer(&mut frame, &record).map_err(|error| unwritable(format!("a record is no JSON: {error}")))?;
    let length = frame.len() - HEADER;
    let Some(length) = u32::try_from(length).ok().filter(|_| length <= MAX_BODY) else {
        return Err(unwritable(format!("a record has {} bytes, the journal takes {MAX_BODY}", length - PREFIX)));
    };
    let checksum = crc32fast::hash(&frame[HEADER..]);
    frame[..4].copy_from_slice(&length.to_le_bytes());
    frame[4..HEADER].copy_from_slice(&checksum.to_le_bytes());
    // As long as it waits it takes what it needs, and no more.
    let json = frame[HEADER + PREFIX..].to_vec();
    let json = String::from_utf8(json).map_err(|error| unwritable(format!("a record is no text: {error}")))?;
    Ok((frame, Pending::new(tenant, node, &record, json)))
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
    let (version, rest) = body.split_first()?;
    let (tenant, rest) = rest.split_first_chunk::<16>()?;
    let (node, json) = rest.split_first_chunk::<16>()?;
    if *version != VERSION {
        return None;
    }
    let json = std::str::from_utf8(json).ok()?;
    let record: ExecutionRecord = serde_json::from_str(json).ok()?;
    Some(Pending::new(TenantId::from_bytes(*tenant), NodeId::from_bytes(*node), &record, json.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{Damage, decode, encode};
    use faas_store_api::Journaled;
    use faas_types::{Contract, ExecutionId, ExecutionRecord, NodeId, TenantId};
    use proptest::prelude::*;

    fn frame() -> Vec<u8> {
        let record = ExecutionRecord::queued(ExecutionId::generate(), None, Contract::Command, "process");
        let entry = Journaled { tenant: TenantId::LOCAL, node: NodeId::generate(), record };
        encode(entry).expect("a frame").0
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
