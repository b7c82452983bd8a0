//! An archive of a folder: the same files, with `faas.yaml` among them or not.
//!
//! It is read here, so that what would change is shown as of a folder, and refused before anything is sent.

use crate::diagnostic::CliError;
use faas_archive::{ArchiveError, ArchiveFile, Format, Limits, read_files};
use faas_client::model::FileBody;
use faas_types::ErrorCode;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// The most bytes of an archive: what its files may be, and as much again around them.
const MOST_BYTES: u64 = 32 * 1024 * 1024;
/// As much as tells what it is.
const BEGIN: u64 = 512;
/// How archives end their names.
const ENDINGS: [&str; 4] = [".tar.gz", ".tgz", ".tar", ".zip"];

/// The files of an archive; `None` for a file that is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<FileBody>>, CliError> {
    let shown = path.display();
    let unreadable =
        |error: io::Error| CliError::new(ErrorCode::ProgramUnreadable, format!("{shown} cannot be read: {error}"));
    let refused = |what: String| {
        CliError::new(ErrorCode::FileRefused, format!("{shown} {what}"))
            .help("pack plain files and directories: tar -czf hello.tar.gz -C hello .")
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.by_ref().take(BEGIN).read_to_end(&mut bytes).map_err(unreadable)?;
    if Format::of(&bytes).is_none() {
        return Ok(None);
    }
    file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MOST_BYTES {
        return Err(refused(format!("is above {MOST_BYTES} bytes, which is the most an archive may have")));
    }
    let files = read_files::<ArchiveError>("it", &bytes, &Limits::SOURCE, |_| Ok(()));
    let file = |ArchiveFile { path, content, executable }| FileBody { path, content, executable };
    match files {
        Ok(files) => Ok(Some(files.into_iter().map(file).collect())),
        Err(error) => Err(refused(format!("is an archive that is refused: {error}"))),
    }
}

/// The name of an archive without what says that it is one.
pub(super) fn own_name(name: &str) -> Option<&str> {
    ENDINGS.iter().find_map(|ending| name.strip_suffix(ending))
}
