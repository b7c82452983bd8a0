//! Makes one log line harmless: one event stays one line, and a terminal obeys nothing in it.

/// How what is taken out is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notation {
    /// `<U+001B>`, for people.
    Text,
    /// `\u001b`, which a JSON reader turns back into the character.
    Json,
}

/// Appends `line` to `out` with every control character, and every character that reorders text, shown
/// instead of sent. A tab stays; in JSON it cannot occur.
pub(super) fn neutralise(line: &str, notation: Notation, out: &mut String) {
    for character in line.chars() {
        if character == '\t' || !is_dangerous(character) {
            out.push(character);
            continue;
        }
        let number = u32::from(character);
        match notation {
            Notation::Text => out.push_str(&format!("<U+{number:04X}>")),
            // All of them are in the basic plane, so four digits hold each.
            Notation::Json => out.push_str(&format!("\\u{number:04x}")),
        }
    }
}

/// Whether a text is made of printable ASCII alone. All of it is looked at, which a processor does many
/// bytes at a time.
pub(super) fn is_plain(text: &[u8]) -> bool {
    text.iter().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'))
}

/// C0 and C1 controls, delete, line and paragraph separators, and what reorders the text around it.
const fn is_dangerous(character: char) -> bool {
    matches!(character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200e}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::{Notation, is_dangerous, neutralise};
    use proptest::prelude::*;

    fn shown(line: &str, notation: Notation) -> String {
        let mut out = String::new();
        neutralise(line, notation, &mut out);
        out
    }

    #[test]
    fn escapes_and_new_lines_are_shown() {
        for (hostile, text) in [
            ("plain \u{fc}ml\u{e4}ut \u{1f980}\tx", "plain \u{fc}ml\u{e4}ut \u{1f980}\tx"),
            ("a\u{1b}[2Jb", "a<U+001B>[2Jb"),
            ("a\nINFO forged", "a<U+000A>INFO forged"),
            ("\u{9b}31m\u{7f}\u{202e}", "<U+009B>31m<U+007F><U+202E>"),
        ] {
            assert_eq!(shown(hostile, Notation::Text), text);
        }
        assert_eq!(shown("{\"a\":\"\u{9b}\u{202e}\"}", Notation::Json), "{\"a\":\"\\u009b\\u202e\"}");
    }

    proptest! {
        #[test]
        fn nothing_a_terminal_obeys_comes_out(line in any::<String>()) {
            for notation in [Notation::Text, Notation::Json] {
                let out = shown(&line, notation);
                prop_assert!(out.chars().all(|character| character == '\t' || !is_dangerous(character)));
            }
        }
    }
}
