//! Cursors of lists: opaque, and of no use when forged.
//!
//! A cursor is the last id of a page with a keyed checksum, so that a client can neither make one up
//! nor read a meaning into one.

use crate::ApiError;
use crate::routes::query::refused;
use faas_store_api::Cursor;
use faas_types::{ExecutionId, NodeId};

const CHECK: usize = 16;
const ID: usize = 16;

/// The key of a data directory's cursors.
pub(crate) fn key(node: NodeId) -> [u8; 32] {
    blake3::derive_key("faas gateway 2026 list cursors", node.as_bytes())
}

/// A cursor as it is handed out.
pub(super) fn seal(key: &[u8; 32], cursor: Cursor) -> String {
    let id = cursor.after.as_bytes();
    let check = blake3::keyed_hash(key, id);
    id.iter().chain(&check.as_bytes()[..CHECK]).map(|byte| format!("{byte:02x}")).collect()
}

/// A cursor as it comes back.
pub(super) fn open(key: &[u8; 32], text: &str) -> Result<Cursor, ApiError> {
    decode(text)
        .and_then(|bytes| {
            let (id, check) = bytes.split_first_chunk::<ID>()?;
            (blake3::keyed_hash(key, id).as_bytes()[..CHECK] == *check).then(|| ExecutionId::from_bytes(*id))
        })
        .map(|after| Cursor { after })
        .ok_or_else(|| refused("cursor", text, "next_cursor of an earlier page, unchanged"))
}

fn decode(text: &str) -> Option<[u8; ID + CHECK]> {
    let mut bytes = [0; ID + CHECK];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        if pair.iter().any(|digit| !matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{key, open, seal};
    use faas_store_api::Cursor;
    use faas_types::{ExecutionId, NodeId};

    #[test]
    fn only_an_unchanged_cursor_opens() {
        let node = NodeId::generate();
        let cursor = Cursor { after: ExecutionId::generate() };
        let text = seal(&key(node), cursor);
        assert_eq!(open(&key(node), &text).expect("our own"), cursor);
        assert!(open(&key(NodeId::generate()), &text).is_err(), "another directory's");
        for index in 0..text.len() {
            let mut forged = text.clone().into_bytes();
            forged[index] = if forged[index] == b'0' { b'1' } else { b'0' };
            let forged = String::from_utf8(forged).expect("digits");
            assert!(open(&key(node), &forged).is_err(), "{forged}");
        }
        for wrong in ["", "0", &text[1..], &format!("{text}0"), &text.to_uppercase(), "é", &"+1".repeat(32)] {
            assert!(open(&key(node), wrong).is_err(), "{wrong}");
        }
    }
}
