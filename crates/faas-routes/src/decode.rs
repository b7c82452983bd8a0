//! Percent encoding undone.

use std::borrow::Cow;

/// The text that a segment of a canonical path stands for. What encodes nothing stays as it is: such a
/// path is not canonical, and no caller has one.
pub(crate) fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let pair = after.first().zip(after.get(1)).filter(|_| byte == b'%');
        match pair.and_then(|(high, low)| Some(hexadecimal(*high)? << 4 | hexadecimal(*low)?)) {
            Some(encoded) => {
                decoded.push(encoded);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                decoded.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8(decoded).map_or(Cow::Borrowed(text), Cow::Owned)
}

pub(crate) fn hexadecimal(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn what_encodes_nothing_stays() {
        for (text, decoded) in [
            ("plain", "plain"),
            ("a%20b", "a b"),
            ("%C3%BC", "ü"),
            ("%c3%bc%", "ü%"),
            ("%4", "%4"),
            ("%zz", "%zz"),
            ("%ff", "%ff"),
            ("ü%21", "ü!"),
        ] {
            assert_eq!(decode(text), decoded);
        }
    }
}
