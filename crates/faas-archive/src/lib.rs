//! Layer 1: archives that strangers made, read entry by entry.
//!
//! [`Archive`] reads tarballs and zip archives and hands on each entry with its checked kind and its
//! metered content; it writes nothing. [`read_files`] makes the files of an uploaded archive out of that,
//! in memory. Its callers are the installation of packages, the upload of a function's source, and the
//! command line.
//!
//! Invariants: no length that an archive states is believed before it is compared with a limit; nothing is
//! handed on but directories and plain files; what passes a limit ends the reading where it passes it.

mod archive;
mod error;
mod files;
mod format;
mod limits;
mod path;
mod pax;
mod tarball;
mod zipped;

pub use archive::{Archive, Content, Entry};
pub use error::{ArchiveError, TooLarge};
pub use files::{ArchiveFile, read_files};
pub use format::Format;
pub use limits::Limits;
pub use path::Relative;
