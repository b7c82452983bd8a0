//! Files of a function that come from this host.

use bytes::Bytes;
use faas_executor_api::FileIn;

/// A file of a function's source, which is read and not executed.
pub(crate) fn source_file(path: impl Into<String>, content: impl Into<Bytes>) -> FileIn {
    FileIn { path: path.into(), content: content.into(), executable: false }
}
