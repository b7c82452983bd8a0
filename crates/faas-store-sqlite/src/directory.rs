//! The store's directory: made when missing, closed to other users, and held by one server at a time.

use crate::OpenError;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const DATABASE: &str = "faas.db";

/// A directory this process holds. Whoever dies lets it go, however it dies.
pub(crate) struct Directory {
    path: PathBuf,
    /// Its lock ends when it is closed.
    _lock: File,
}

impl Directory {
    /// Makes the directory, readable by its owner only, unless it is there, and takes it.
    pub(crate) fn take(path: &Path) -> Result<Self, OpenError> {
        let file_error = |path: &Path| {
            let path = path.to_path_buf();
            move |source| OpenError::File { path, source }
        };
        make(path).and_then(|()| keep_others_out(path)).map_err(file_error(path))?;
        let lock_path = path.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut lock = options.open(&lock_path).map_err(file_error(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::InUse { directory: path.to_path_buf(), holder: holder(&lock_path) });
            }
            Err(TryLockError::Error(source)) => return Err(OpenError::File { path: lock_path, source }),
        }
        let named = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        named.map_err(file_error(&lock_path))?;
        let database = path.join(DATABASE);
        // SQLite gives its other files the permissions of this one. One that is there is not opened:
        // closing it again would end the locks of every connection of this process to it.
        match options.create_new(true).open(&database) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(file_error(&database)(error)),
            Ok(_) | Err(_) => {}
        }
        Ok(Self { path: path.to_path_buf(), _lock: lock })
    }

    /// The database.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// The two files the journal alternates between.
    pub(crate) fn journals(&self) -> [PathBuf; 2] {
        [self.path.join("journal.0"), self.path.join("journal.1")]
    }
}

/// Closes a directory of this process's user to other users.
///
/// # Errors
/// Others may enter it, and it is not ours or they share it; or it cannot be closed.
pub fn keep_others_out(path: &Path) -> io::Result<()> {
    let directory = File::open(path)?;
    let metadata = directory.metadata()?;
    if metadata.mode() & 0o077 == 0 {
        return Ok(());
    }
    let owner = metadata.uid();
    let refused = |why: String| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    // Such as /tmp: what is in it belongs to many.
    if metadata.mode() & 0o1000 != 0 {
        return refused("others may enter it, and its sticky bit says that it is shared; name one below it".to_owned());
    }
    if owner != rustix::process::geteuid().as_raw() {
        return refused(format!(
            "others may enter it, and it belongs to user {owner}; give it to the server's user or run `chmod 700` on it"
        ));
    }
    directory.set_permissions(Permissions::from_mode(0o700))
}

/// Makes what is missing of the path, so that it survives the loss of power.
fn make(path: &Path) -> io::Result<()> {
    let named = path.ancestors().take_while(|ancestor| !ancestor.as_os_str().is_empty());
    let missing = named.take_while(|ancestor| !ancestor.exists()).count();
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    for parent in path.ancestors().skip(1).take(missing) {
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

/// Who holds the lock, by what it wrote into it.
fn holder(lock: &Path) -> String {
    let text = fs::read_to_string(lock).unwrap_or_default();
    match text.trim().parse::<u32>() {
        Ok(process) => format!("process {process}"),
        Err(_) => "another process".to_owned(),
    }
}
