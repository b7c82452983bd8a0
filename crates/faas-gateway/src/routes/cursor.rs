//! Cursors of lists: opaque, and of no use when forged.
//!
//! A cursor is the last id or number of a page with a keyed checksum, so that a client can neither make one up
//! nor read a meaning into one.

use crate::ApiError;
use crate::routes::query::refused;
use faas_store_api::Cursor;
use faas_types::{ExecutionId, NodeId};

const CHECK: usize = 16;

/// The key of a data directory's cursors.
pub(crate) fn key(node: NodeId) -> [u8; 32] {
    blake3::derive_key("faas gateway 2026 list cursors", node.as_bytes())
}

/// A cursor of executions as it is handed out.
pub(super) fn seal(key: &[u8; 32], cursor: Cursor) -> String {
    seal_bytes(key, cursor.after.as_bytes())
}

/// A cursor of executions as it comes back.
pub(super) fn open(key: &[u8; 32], text: &str) -> Result<Cursor, ApiError> {
    open_bytes(key, text)
        .and_then(|bytes| bytes.try_into().ok())
        .map(|id| Cursor { after: ExecutionId::from_bytes(id) })
        .ok_or_else(|| forged(text))
}

/// A cursor of what is listed by a text, as it is handed out.
pub(super) fn seal_text(key: &[u8; 32], after: &str) -> String {
    seal_bytes(key, after.as_bytes())
}

/// A cursor of what is listed by a text, as it comes back.
pub(super) fn open_text(key: &[u8; 32], text: &str) -> Result<String, ApiError> {
    open_bytes(key, text).and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| forged(text))
}

fn forged(text: &str) -> ApiError {
    refused("cursor", text, "next_cursor of an earlier page, unchanged")
}

fn seal_bytes(key: &[u8; 32], after: &[u8]) -> String {
    let check = blake3::keyed_hash(key, after);
    after.iter().chain(&check.as_bytes()[..CHECK]).map(|byte| format!("{byte:02x}")).collect()
}

fn open_bytes(key: &[u8; 32], text: &str) -> Option<Vec<u8>> {
    let mut bytes = decode(text)?;
    let check = bytes.split_off(bytes.len().checked_sub(CHECK)?);
    (blake3::keyed_hash(key, &bytes).as_bytes()[..CHECK] == *check).then_some(bytes)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let is_digit = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    let byte = |pair: &[u8; 2]| {
        let text = str::from_utf8(pair).ok().filter(|_| pair.iter().all(is_digit))?;
        u8::from_str_radix(text, 16).ok()
    };
    pairs.iter().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::{key, open, open_text, seal, seal_text};
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

    #[test]
    fn a_name_is_sealed_like_an_id() {
        let key = key(NodeId::generate());
        for name in ["", "hello", &"n".repeat(63)] {
            assert_eq!(open_text(&key, &seal_text(&key, name)).expect("our own"), name);
            assert!(open_text(&key, &seal_text(&key, name).replacen(|_: char| true, "f0", 1)).is_err());
        }
        assert!(open(&key, &seal_text(&key, "hello")).is_err(), "of another list");
    }
}
