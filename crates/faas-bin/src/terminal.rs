//! Makes output of hostile programs harmless on a terminal.
//!
//! Invariant: whatever goes in and however it is cut into pieces, what comes out is UTF-8 without
//! control characters other than newline, carriage return and tab, and without characters that
//! reorder text. What was taken out stays visible. Pure; used where we write to a terminal, and for
//! foreign text among ours.

/// The filter of one stream; it remembers a character that is not whole yet.
#[derive(Debug, Default)]
pub(crate) struct Neutraliser {
    partial: Vec<u8>,
}

impl Neutraliser {
    /// Takes a piece of the stream and appends what is fit for a terminal.
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let joined;
        let mut rest = if self.partial.is_empty() {
            bytes
        } else {
            self.partial.extend_from_slice(bytes);
            joined = std::mem::take(&mut self.partial);
            joined.as_slice()
        };
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => return append(text, out),
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    append(&String::from_utf8_lossy(valid), out);
                    match error.error_len() {
                        Some(invalid) => {
                            append("\u{fffd}", out);
                            rest = &after[invalid..];
                        }
                        None => {
                            self.partial = after.to_vec();
                            return;
                        }
                    }
                }
            }
        }
    }

    /// Ends the stream: a character that never became whole is shown as such.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        if !std::mem::take(&mut self.partial).is_empty() {
            append("\u{fffd}", out);
        }
    }
}

/// Foreign text for one line of ours: newlines and tabs become visible, too.
pub(crate) fn one_line(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    for character in text.chars() {
        show(character, &mut out);
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn append(text: &str, out: &mut Vec<u8>) {
    for character in text.chars() {
        match character {
            '\n' | '\r' | '\t' => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            other => show(other, out),
        }
    }
}

/// A character as itself, or as what names it.
fn show(character: char, out: &mut Vec<u8>) {
    let mut buffer = [0; 4];
    match character {
        // Caret notation: escape is ^[, delete is ^?.
        '\0'..='\u{1f}' | '\u{7f}' => {
            let shown = char::from_u32(u32::from(character) ^ 0x40).unwrap_or('\u{fffd}');
            out.push(b'^');
            out.extend_from_slice(shown.encode_utf8(&mut buffer).as_bytes());
        }
        other if is_control(other) => {
            out.extend_from_slice(format!("<U+{:04X}>", u32::from(other)).as_bytes());
        }
        other => out.extend_from_slice(other.encode_utf8(&mut buffer).as_bytes()),
    }
}

/// C1 controls, line and paragraph separators, and what reorders the text around it.
pub(crate) const fn is_control(character: char) -> bool {
    matches!(character,
        '\u{80}'..='\u{9f}' | '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::{Neutraliser, is_control};
    use proptest::prelude::*;

    fn filter(pieces: &[&[u8]]) -> String {
        let (mut filter, mut out) = (Neutraliser::default(), Vec::new());
        for piece in pieces {
            filter.push(piece, &mut out);
        }
        filter.finish(&mut out);
        String::from_utf8(out).expect("only UTF-8 comes out")
    }

    #[test]
    fn text_passes_unchanged() {
        let text = "plain\ttext\r\nümläut 日本語 🦀\n";
        assert_eq!(filter(&[text.as_bytes()]), text);
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(filter(&bytes), text);
    }

    #[test]
    fn sequences_become_visible_and_harmless() {
        for (hostile, shown) in [
            (b"\x1b[2J\x1b[31mred".as_slice(), "^[[2J^[[31mred"),
            (b"\x1b]52;c;aGk=\x07", "^[]52;c;aGk=^G"),
            (b"\x1b]0;title\x1b\\", "^[]0;title^[\\"),
            (b"a\x08b\x7f\x00", "a^Hb^?^@"),
            (b"\xc2\x9b31m", "<U+009B>31m"),
            (b"\x9b31m", "\u{fffd}31m"),
            ("x\u{202e}y".as_bytes(), "x<U+202E>y"),
        ] {
            assert_eq!(filter(&[hostile]), shown);
        }
    }

    #[test]
    fn a_sequence_cut_anywhere_is_still_caught() {
        let hostile = b"a\x1b]52;c;aGk=\x07\xc2\x9b2J\xe2\x80\xaeb\xff";
        let whole = filter(&[hostile]);
        for cut in 0..hostile.len() {
            assert_eq!(filter(&[&hostile[..cut], &hostile[cut..]]), whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_character_that_never_ends_is_shown_at_the_end() {
        assert_eq!(filter(&[b"a\xe2", b"\x80"]), "a\u{fffd}");
    }

    proptest! {
        #[test]
        fn nothing_a_terminal_obeys_comes_out(pieces in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..16), 0..16)) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let out = filter(&pieces);
            prop_assert!(!out.chars().any(|character|
                (character.is_control() && !matches!(character, '\n' | '\r' | '\t')) || is_control(character)));
            prop_assert_eq!(&filter(&[&pieces.concat()]), &out);
        }
    }
}
