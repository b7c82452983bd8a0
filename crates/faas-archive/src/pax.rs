//! The attributes of an entry in a tar archive, as POSIX writes them: `LENGTH KEY=VALUE\n`, one behind the other.
//!
//! Invariant: an attribute that would make the entry another file than its header tells is read or refused,
//! never passed over.

use crate::error::ArchiveError;

/// Reads the attributes of the next entry; its path where they have one.
pub(crate) fn path_of_next(text: &[u8]) -> Result<Option<Vec<u8>>, ArchiveError> {
    let mut path = None;
    for record in Records(text) {
        let (key, value) = record?;
        check(key)?;
        if key == b"path" && path.replace(value.to_owned()).is_some() {
            return Err(ArchiveError::refused("an entry has two paths among its attributes"));
        }
    }
    Ok(path)
}

/// Reads the attributes of all entries to come, of which none may say what a file is.
pub(crate) fn check_of_all(text: &[u8]) -> Result<(), ArchiveError> {
    for record in Records(text) {
        let (key, _) = record?;
        check(key)?;
        if key == b"path" {
            return Err(ArchiveError::refused("it has one path for all of its entries"));
        }
    }
    Ok(())
}

fn check(key: &[u8]) -> Result<(), ArchiveError> {
    let refused = |what: &str| Err(ArchiveError::refused(format!("an entry has {what} among its attributes")));
    match key {
        // It would change where the next entry begins.
        b"size" => refused("its size"),
        b"linkpath" => refused("the target of a link"),
        key if key.starts_with(b"GNU.sparse.") => refused("the map of a sparse file"),
        _ => Ok(()),
    }
}

struct Records<'a>(&'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = Result<(&'a [u8], &'a [u8]), ArchiveError>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.0;
        if text.is_empty() {
            return None;
        }
        match split(text) {
            Some((key, value, rest)) => {
                self.0 = rest;
                Some(Ok((key, value)))
            }
            None => {
                self.0 = &[];
                Some(Err(ArchiveError::refused("an entry's attributes are damaged")))
            }
        }
    }
}

fn split(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = text.iter().position(|byte| *byte == b' ')?;
    let digits = text.get(..space).filter(|digits| (1..=8).contains(&digits.len()))?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let length: usize = str::from_utf8(digits).ok()?.parse().ok()?;
    let record = text.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some((record.get(..equals)?, record.get(equals + 1..)?, text.get(length..)?))
}

#[cfg(test)]
mod tests {
    use super::{check_of_all, path_of_next};

    fn path(text: &[u8]) -> Result<Option<Vec<u8>>, String> {
        path_of_next(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_path_is_found_among_values_of_any_bytes() {
        let text = b"19 SCHILY.x=a\nb\xff==\n8 path=\n";
        assert_eq!(path(text), Ok(Some(Vec::new())));
        assert_eq!(path(b"17 comment=abcde\n"), Ok(None));
        assert_eq!(path(b""), Ok(None));
        check_of_all(b"17 comment=abcde\n").expect("what git writes");
    }

    #[test]
    fn what_makes_it_another_file_is_refused() {
        for (text, part) in [
            (&b"8 size=\n"[..], "size"),
            (b"13 linkpath=\n", "link"),
            (b"20 GNU.sparse.map=0\n", "sparse"),
            (b"8 path=\n8 path=\n", "two paths"),
        ] {
            let refused = path(text).expect_err(part);
            assert!(refused.contains(part), "{refused}");
        }
        assert!(check_of_all(b"8 path=\n").is_err());
        for text in [
            &b"x"[..],
            b" path=\n",
            b"9 path=\n",
            b"7 path=\n",
            b"+8 path=\n",
            b"99999999 path=\n",
            b"999999999999999999999 path=\n",
            b"6 path\n",
            b"0 path=\n",
        ] {
            let refused = path(text).expect_err("damaged");
            assert!(refused.contains("damaged"), "{text:?}: {refused}");
        }
    }
}
