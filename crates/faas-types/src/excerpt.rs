//! The part of a hostile text that is kept for an error message.

const LONGEST: usize = 64;

/// The first characters of `text`, marked with an ellipsis when something was cut.
pub(crate) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::excerpt;

    #[test]
    fn cuts_long_text_between_characters() {
        assert_eq!(excerpt("256Mi"), "256Mi");
        assert_eq!(excerpt(&"ü".repeat(64)), "ü".repeat(64));
        assert_eq!(excerpt(&"ü".repeat(1_000_000)), format!("{}…", "ü".repeat(64)));
    }
}
