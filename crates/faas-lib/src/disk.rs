//! What is said of a disk that a server cannot begin on: which one, how full, what to do.

use crate::{DataError, PlatformError};
use faas_orchestrator::StartError;
use faas_store_api::StoreError;
use faas_store_sqlite::OpenError;
use std::path::Path;

/// A server begins within this: it notes its life, and takes in what the journal has.
const NEEDED: u64 = 1 << 20;

/// The same error, with the state of the disk where that may be the cause.
pub(crate) fn explained(cause: PlatformError, directory: &Path) -> PlatformError {
    let Ok(disk) = rustix::fs::statvfs(directory) else { return cause };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let is_full = free < NEEDED;
    let is_of_the_disk = match &cause {
        PlatformError::Orchestrator(StartError::Store(error))
        | PlatformError::Data(DataError::Store(OpenError::Database { source: error, .. })) => {
            matches!(error, StoreError::Unavailable { .. })
        }
        // Owners and permissions are no less likely, and these say so.
        PlatformError::Data(DataError::File { .. } | DataError::Store(OpenError::File { .. })) => is_full,
        PlatformError::Data(
            DataError::Node { .. } | DataError::Store(OpenError::InUse { .. } | OpenError::Newer { .. }),
        )
        | PlatformError::Orchestrator(StartError::Executor(_))
        | PlatformError::Launcher(_)
        | PlatformError::Index(_)
        | PlatformError::Packages(_)
        | PlatformError::Disk { .. } => false,
    };
    if !is_of_the_disk {
        return cause;
    }
    let next = if is_full { "make space there" } else { "see what the system's log says of it" };
    PlatformError::Disk { cause: Box::new(cause), directory: directory.to_owned(), free, next }
}

#[cfg(test)]
mod tests {
    use super::explained;
    use crate::{DataError, PlatformError};
    use faas_orchestrator::StartError;
    use faas_store_api::StoreError;
    use faas_types::ErrorCode;

    #[test]
    fn a_store_that_fails_names_the_disk_and_everything_else_stays_as_it_is() {
        let place = tempfile::tempdir().expect("a directory");
        let store = |error: StoreError| explained(StartError::Store(error).into(), place.path());
        let error = store(StoreError::Unavailable { reason: "disk I/O error".to_owned() });
        assert_eq!(error.code(), ErrorCode::StorageUnavailable);
        let said = error.to_string();
        let directory = place.path().to_str().expect("text");
        assert!(["disk I/O error", directory, "bytes are free", "start again"].iter().all(|part| said.contains(part)));

        let corrupt = store(StoreError::Corrupt { reason: "a page".to_owned() });
        assert!(matches!(corrupt, PlatformError::Orchestrator(_)), "{corrupt}");
        let node = explained(DataError::Node { path: place.path().to_owned() }.into(), place.path());
        assert!(matches!(node, PlatformError::Data(_)), "{node}");
    }
}
