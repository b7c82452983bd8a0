//! Rust source with everything that is not code blanked out, and its words.
//!
//! Enough of the language's lexical structure to find keywords reliably: comments (nested too),
//! strings (raw and byte ones too), characters and lifetimes. Line breaks stay where they were.

/// The text with comments and the contents of literals replaced by spaces.
pub(super) fn code_only(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < characters.len() {
        let end = literal_end(&characters, at);
        if end > at {
            out.extend(characters[at..end].iter().map(|character| if *character == '\n' { '\n' } else { ' ' }));
            at = end;
        } else {
            out.push(characters[at]);
            at += 1;
        }
    }
    out
}

/// Where the comment or literal that starts at `at` ends; `at` itself when none starts there.
fn literal_end(text: &[char], at: usize) -> usize {
    let next = text.get(at + 1).copied();
    match text[at] {
        '/' if next == Some('/') => position(text, at, |index| text[index] == '\n'),
        '/' if next == Some('*') => comment_end(text, at),
        '"' => quoted_end(text, at, '"'),
        '\'' if next == Some('\\') || text.get(at + 2) == Some(&'\'') => quoted_end(text, at, '\''),
        'r' if !part_of_word(text, at) => raw_end(text, at),
        _ => at,
    }
}

fn comment_end(text: &[char], start: usize) -> usize {
    let (mut depth, mut at) = (0_usize, start);
    while at + 1 < text.len() {
        match (text[at], text[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

fn quoted_end(text: &[char], start: usize, quote: char) -> usize {
    let mut at = start + 1;
    while at < text.len() {
        match text[at] {
            '\\' => at += 2,
            character if character == quote => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

/// `r"…"` and `r#"…"#`; a raw identifier such as `r#fn` is no literal.
fn raw_end(text: &[char], start: usize) -> usize {
    let hashes = text[start + 1..].iter().take_while(|character| **character == '#').count();
    let open = start + 1 + hashes;
    if text.get(open) != Some(&'"') {
        return start;
    }
    let closes =
        |index: usize| text[index] == '"' && text[index + 1..].iter().take_while(|c| **c == '#').count() >= hashes;
    (position(text, open + 1, closes) + 1 + hashes).min(text.len())
}

/// The `b` of `br"…"` is not a word the `r` belongs to.
fn part_of_word(text: &[char], at: usize) -> bool {
    let word = |index: usize| text[index].is_alphanumeric() || text[index] == '_';
    match at {
        0 => false,
        _ if text[at - 1] == 'b' => at >= 2 && word(at - 2),
        _ => word(at - 1),
    }
}

fn position(text: &[char], from: usize, found: impl Fn(usize) -> bool) -> usize {
    (from..text.len()).find(|index| found(*index)).unwrap_or(text.len())
}

/// A word of the code and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    /// Counted from one.
    pub(super) line: usize,
    /// The code after it.
    pub(super) rest: &'a str,
}

/// Identifiers and keywords of blanked code, in order.
pub(super) fn words(code: &str) -> impl Iterator<Item = Word<'_>> {
    let mut rest = code;
    let mut line = 1;
    std::iter::from_fn(move || {
        let start = rest.find(|character: char| character.is_alphanumeric() || character == '_')?;
        line += rest[..start].matches('\n').count();
        let from = &rest[start..];
        let end = from.find(|character: char| !(character.is_alphanumeric() || character == '_')).unwrap_or(from.len());
        rest = &from[end..];
        Some(Word { text: &from[..end], line, rest })
    })
}

#[cfg(test)]
mod tests {
    use super::{code_only, words};

    fn word_texts(source: &str) -> Vec<String> {
        words(&code_only(source)).map(|word| word.text.to_owned()).collect()
    }

    #[test]
    fn comments_and_literals_hold_no_words() {
        let table = [
            ("a // unsafe\nb", vec!["a", "b"]),
            ("a /* unsafe /* nested */ still */ b", vec!["a", "b"]),
            ("a \"unsafe \\\" quoted\" b", vec!["a", "b"]),
            ("a r\"unsafe \\\" b", vec!["a", "b"]),
            ("a r#\"unsafe \"quoted\" \"# b", vec!["a", "b"]),
            ("a b\"unsafe\" c", vec!["a", "b", "c"]),
            ("a br#\"unsafe\"# c", vec!["a", "b", "c"]),
            ("for\"unsafe\" c", vec!["for", "c"]),
            ("'\"' unsafe '\\'' b", vec!["unsafe", "b"]),
            ("fn f<'a>(x: &'a str) {}", vec!["fn", "f", "a", "x", "a", "str"]),
            ("r#fn", vec!["r", "fn"]),
        ];
        for (source, expected) in table {
            assert_eq!(word_texts(source), expected, "{source}");
        }
    }

    #[test]
    fn unfinished_text_ends_with_the_file() {
        for source in ["a /* b", "a \"b", "a r#\"b\"", "a \"b\\", "a 'b", "/", "r"] {
            assert!(code_only(source).chars().count() == source.chars().count(), "{source}");
        }
    }

    #[test]
    fn words_keep_their_lines() {
        let code = code_only("a\n/* \n */ b\n\"\n\" c");
        let lines: Vec<usize> = words(&code).map(|word| word.line).collect();
        assert_eq!(lines, [1, 3, 5]);
    }
}
