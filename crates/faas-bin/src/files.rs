//! The user's files, read with the user's rights before this process gives anything up. Bounded:
//! nothing larger than its limit is ever held in memory.

use crate::diagnostic::CliError;
use bytes::Bytes;
use faas_lib::{FileIn, MAX_CODE_BYTES};
use faas_types::{ByteSize, ErrorCode};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// The program in a file.
pub(crate) fn read_program(path: &Path) -> Result<Bytes, CliError> {
    File::open(path)
        .and_then(|file| read_bounded(file, code_limit()))
        .map_err(|error| unreadable(&format!("program file {}", path.display()), &error))
}

/// The program on standard input.
pub(crate) fn read_standard_input() -> Result<Bytes, CliError> {
    read_bounded(io::stdin().lock(), code_limit()).map_err(|error| unreadable("the program on standard input", &error))
}

/// The files of `--file PATH[:DEST]`, together at most `limit` and a byte, so that the check of the
/// request can refuse them.
pub(crate) fn read_all(options: &[OsString], limit: ByteSize) -> Result<Vec<FileIn>, CliError> {
    let mut left = limit.as_bytes();
    options
        .iter()
        .map(|option| {
            let file = read_one(option, left)?;
            left = left.saturating_sub(u64::try_from(file.content.len()).unwrap_or(u64::MAX));
            Ok(file)
        })
        .collect()
}

fn read_one(option: &OsStr, left: u64) -> Result<FileIn, CliError> {
    let (path, destination) = split(option);
    let path = Path::new(path);
    let refused = |reason: &str| {
        CliError::new(ErrorCode::FileRefused, format!("--file {}: {reason}; accepted: PATH[:DEST]", path.display()))
    };
    let destination = destination.or_else(|| path.file_name()).ok_or_else(|| refused("it names no file"))?;
    let destination = destination.to_str().ok_or_else(|| refused("its name is not UTF-8; give a DEST"))?;
    let cannot_be_read = |error: io::Error| refused(&format!("it cannot be read: {error}"));
    let file = File::open(path).map_err(cannot_be_read)?;
    let metadata = file.metadata().map_err(cannot_be_read)?;
    if metadata.is_dir() {
        return Err(refused("it is a directory; give each file its own --file"));
    }
    let content = read_bounded(file, left).map_err(cannot_be_read)?;
    let executable = metadata.permissions().mode() & 0o111 != 0;
    Ok(FileIn { path: destination.to_owned(), content, executable })
}

/// At the last colon, unless nothing stands behind it.
fn split(option: &OsStr) -> (&OsStr, Option<&OsStr>) {
    let bytes = option.as_bytes();
    match bytes.iter().rposition(|byte| *byte == b':') {
        Some(colon) if colon + 1 < bytes.len() && colon > 0 => {
            (OsStr::from_bytes(&bytes[..colon]), Some(OsStr::from_bytes(&bytes[colon + 1..])))
        }
        _ => (option, None),
    }
}

/// Text of the command line.
pub(crate) fn text(field: &str, part: OsString) -> Result<String, CliError> {
    part.into_string().map_err(|part| {
        CliError::new(
            ErrorCode::NotText,
            format!("{field} {:?} is not text; accepted: UTF-8 without NUL bytes", part.to_string_lossy()),
        )
    })
}

fn code_limit() -> u64 {
    u64::try_from(MAX_CODE_BYTES).unwrap_or(u64::MAX)
}

/// At most one byte more than the limit, which is enough to be refused.
fn read_bounded(source: impl Read, limit: u64) -> io::Result<Bytes> {
    let mut content = Vec::new();
    source.take(limit.saturating_add(1)).read_to_end(&mut content)?;
    Ok(Bytes::from(content))
}

fn unreadable(what: &str, error: &io::Error) -> CliError {
    CliError::new(ErrorCode::ProgramUnreadable, format!("{what} cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::split;
    use std::ffi::OsStr;

    #[test]
    fn a_destination_stands_after_the_last_colon() {
        for (option, path, destination) in [
            ("words.txt", "words.txt", None),
            ("a/words.txt:data/w.txt", "a/words.txt", Some("data/w.txt")),
            ("a:b:c", "a:b", Some("c")),
            ("trailing:", "trailing:", None),
            (":x", ":x", None),
        ] {
            assert_eq!(split(OsStr::new(option)), (OsStr::new(path), destination.map(OsStr::new)));
        }
    }
}
