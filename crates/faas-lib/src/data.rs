//! The data directory of a server: whose it is, its database, its logs.
//!
//! ```text
//! node      the id under which its rows stand
//! logs/     one file per execution
//! packages/ installed dependencies of functions (`faas-build`), made before the launcher starts
//! faas.db … the store's own files, unless the configuration names another directory for them
//! ```

use faas_orchestrator::Logs;
use faas_store_sqlite::{OpenError, SqliteStore, keep_others_out};
use faas_types::NodeId;
use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

const NODE: &str = "node";
const NODE_BEING_WRITTEN: &str = "node.new";
const LOGS: &str = "logs";

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file or directory of it cannot be made, read or written.
    #[error("cannot use {path:?} of the data directory: {source}; check its owner, its permissions and the free space")]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file that says whose rows are whose holds something else.
    #[error(
        "{path:?} holds no node id; restore it, or remove it to begin as a new node whose earlier rows are another's"
    )]
    Node {
        /// The file.
        path: PathBuf,
    },
    /// The store in it cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
}

/// Makes a data directory that only this process's user may read, or closes one of ours to others. A
/// process that becomes another user has to give it away itself.
///
/// # Errors
/// It cannot be made; or others may enter it and it is not ours alone.
fn prepare_data_directory(path: &Path) -> Result<(), DataError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.and_then(|()| keep_others_out(path)).map_err(|source| DataError::File { path: path.to_owned(), source })
}

/// An open data directory.
pub(crate) struct DataDirectory {
    pub(crate) node: NodeId,
    pub(crate) store: SqliteStore,
    pub(crate) logs: Logs,
}

impl DataDirectory {
    /// Opens it. The store's lock keeps every other server out.
    pub(crate) fn open(data: &Path, database: &Path) -> Result<Self, DataError> {
        prepare_data_directory(data)?;
        let store = SqliteStore::open(database)?;
        let logs = data.join(LOGS);
        let node = node(data)?;
        let logs = Logs::directory(&logs).map_err(|source| DataError::File { path: logs, source })?;
        Ok(Self { node, store, logs })
    }
}

/// The node's id, made when there is none.
fn node(data: &Path) -> Result<NodeId, DataError> {
    let path = data.join(NODE);
    match fs::read_to_string(&path) {
        Ok(text) => text.trim_end().parse().map_err(|_| DataError::Node { path }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let node = NodeId::generate();
            write_node(data, &path, node).map_err(|source| DataError::File { path, source })?;
            Ok(node)
        }
        Err(source) => Err(DataError::File { path, source }),
    }
}

/// Whole or not at all, and there after a loss of power.
fn write_node(data: &Path, path: &Path, node: NodeId) -> io::Result<()> {
    let new = data.join(NODE_BEING_WRITTEN);
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    writeln!(file, "{node}")?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    fs::File::open(data)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::{DataDirectory, DataError, prepare_data_directory};
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, chown};

    #[test]
    fn a_directory_that_is_there_is_closed_to_others_or_refused() {
        let place = tempfile::tempdir().expect("a directory");
        let data = place.path().join("data");
        fs::create_dir(&data).expect("made");
        let open_to = |mode| fs::set_permissions(&data, fs::Permissions::from_mode(mode)).expect("ours");
        let mode = || fs::metadata(&data).expect("there").permissions().mode() & 0o7777;
        open_to(0o755);
        prepare_data_directory(&data).expect("ours");
        assert_eq!(mode(), 0o700);
        if !rustix::process::geteuid().is_root() {
            return println!("SKIP a directory of another user: only root can give one away");
        }
        open_to(0o755);
        chown(&data, Some(12345), None).expect("given away");
        let refused = prepare_data_directory(&data).expect_err("another's").to_string();
        assert!(refused.contains("data") && refused.contains("user 12345") && refused.contains("chmod"), "{refused}");
        assert_eq!(mode(), 0o755, "it is left as it is");
    }

    #[test]
    fn a_node_keeps_its_id_and_its_directory() {
        let place = tempfile::tempdir().expect("a directory");
        let data = place.path().join("deep/data");
        let first = DataDirectory::open(&data, &data).expect("opened");
        assert!(matches!(DataDirectory::open(&data, &data), Err(DataError::Store(_))), "a second server is refused");
        let node = first.node;
        drop(first);
        assert_eq!(DataDirectory::open(&data, &data).expect("opened again").node, node);
        fs::write(data.join("node"), "something").expect("written");
        assert!(matches!(DataDirectory::open(&data, &data), Err(DataError::Node { .. })));
    }
}
