//! The directory of installed packages.
//!
//! ```text
//! TENANT/DIGEST        packages, faas.lock among them; read-only, never changed
//! TENANT/asked-DIGEST  the packages that a list of dependencies led to
//! .new-*               what is being made; removed at a start
//! ```
//!
//! Invariant: a directory that has the name of a digest is complete, and stays as it is until it is
//! removed whole.

use crate::error::BuildError;
use crate::unpack::LOCK;
use faas_types::{PackagesId, TenantId};
use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

const BEING_MADE: &str = ".new-";
const ASKED: &str = "asked-";

/// The directory of installed packages. One process owns it.
#[derive(Debug)]
pub(crate) struct Store {
    root: PathBuf,
    made: AtomicU64,
    /// Held while packages become somebody's, and while unused ones lose their name.
    using: Mutex<()>,
}

/// A directory that is being filled. It goes with this value unless it was published.
#[derive(Debug)]
pub(crate) struct Staged {
    path: PathBuf,
}

impl Staged {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // It may have been published; and what stays is removed at the next start.
        let _ = remove_tree(&self.path);
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BuildError {
    let path = path.to_owned();
    move |source| BuildError::Io { path, source }
}

impl Store {
    /// Opens it, made where it is missing, and removes what a killed process left.
    pub(crate) fn open(root: &Path) -> Result<Self, BuildError> {
        DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(at(root))?;
        for entry in fs::read_dir(root).map_err(at(root))? {
            let entry = entry.map_err(at(root))?;
            if entry.file_name().to_string_lossy().starts_with(BEING_MADE) {
                remove_tree(&entry.path()).map_err(at(&entry.path()))?;
            }
        }
        Ok(Self { root: root.to_owned(), made: AtomicU64::new(0), using: Mutex::new(()) })
    }

    /// An empty directory on the same file system.
    pub(crate) fn stage(&self) -> Result<Staged, BuildError> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let path = self.root.join(format!("{BEING_MADE}{number}"));
        DirBuilder::new().mode(0o700).create(&path).map_err(at(&path))?;
        Ok(Staged { path })
    }

    /// The lock of packages that are there. Whoever asks begins to use them.
    pub(crate) fn lock(&self, tenant: TenantId, packages: PackagesId) -> Option<String> {
        let place = self.root.join(packages.directory(tenant));
        let _using = self.using.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = fs::read_to_string(place.join(LOCK)).ok()?;
        note_use(&place).ok()?;
        Some(lock)
    }

    /// Makes a filled directory the packages of this name, with their lock; it is there after a loss of
    /// power. Where they are there already they stay as they are.
    pub(crate) fn publish(
        &self,
        staged: &Staged,
        tenant: TenantId,
        packages: PackagesId,
        lock: &str,
    ) -> Result<(), BuildError> {
        let place = self.root.join(packages.directory(tenant));
        let tenants = self.tenant(tenant)?;
        let fill = || -> io::Result<()> {
            let mut file = File::create_new(staged.path.join(LOCK))?;
            file.write_all(lock.as_bytes())?;
            file.set_permissions(Permissions::from_mode(0o444))?;
            close(&staged.path)?;
            rustix::fs::syncfs(File::open(&staged.path)?)?;
            // A rename of a directory that nobody may write needs its new parent to be its old one.
            fs::set_permissions(&staged.path, Permissions::from_mode(0o755))?;
            match fs::rename(&staged.path, &place) {
                Err(_) if place.join(LOCK).is_file() => return Ok(()),
                renamed => renamed?,
            }
            fs::set_permissions(&place, Permissions::from_mode(0o555))?;
            File::open(&tenants)?.sync_all()
        };
        fill().map_err(at(&place))
    }

    /// The packages that a list of dependencies led to.
    pub(crate) fn asked(&self, tenant: TenantId, list: PackagesId) -> Option<PackagesId> {
        let place = self.root.join(PackagesId::tenant_directory(tenant)).join(format!("{ASKED}{list}"));
        fs::read_to_string(place).ok()?.parse().ok()
    }

    /// Remembers what a list of dependencies led to.
    pub(crate) fn remember(&self, tenant: TenantId, list: PackagesId, packages: PackagesId) -> Result<(), BuildError> {
        let place = self.tenant(tenant)?.join(format!("{ASKED}{list}"));
        let staged = self.stage()?;
        let write = || -> io::Result<()> {
            let new = staged.path.join("new");
            fs::write(&new, packages.to_string())?;
            fs::rename(&new, &place)
        };
        write().map_err(at(&place))
    }

    fn tenant(&self, tenant: TenantId) -> Result<PathBuf, BuildError> {
        let place = self.root.join(PackagesId::tenant_directory(tenant));
        DirBuilder::new().recursive(true).mode(0o700).create(&place).map_err(at(&place))?;
        Ok(place)
    }

    /// Notes that the packages in `keep` are used, and removes those that nobody used for `unused` time; how
    /// many.
    pub(crate) fn forget_unused(&self, keep: &HashSet<PackagesId>, unused: Duration) -> Result<u64, BuildError> {
        let mut forgotten = 0;
        for tenant in fs::read_dir(&self.root).map_err(at(&self.root))? {
            let tenant = tenant.map_err(at(&self.root))?;
            // What is being made is nobody's yet, and what is no directory is not ours.
            let is_directory = tenant.file_type().is_ok_and(|kind| kind.is_dir());
            if !is_directory || tenant.file_name().to_string_lossy().starts_with(BEING_MADE) {
                continue;
            }
            let mut lists = Vec::new();
            for entry in fs::read_dir(tenant.path()).map_err(at(&tenant.path()))? {
                let entry = entry.map_err(at(&tenant.path()))?;
                let (path, name) = (entry.path(), entry.file_name());
                if name.to_string_lossy().starts_with(ASKED) {
                    lists.push(path);
                    continue;
                }
                let Ok(packages) = name.to_string_lossy().parse::<PackagesId>() else { continue };
                if keep.contains(&packages) {
                    note_use(&path).map_err(at(&path))?;
                } else if self.remove(&path, unused)? {
                    forgotten += 1;
                }
            }
            for list in lists {
                let packages = fs::read_to_string(&list).ok().and_then(|text| text.parse::<PackagesId>().ok());
                if packages.is_none_or(|packages| !tenant.path().join(packages.to_string()).exists()) {
                    fs::remove_file(&list).map_err(at(&list))?;
                }
            }
        }
        Ok(forgotten)
    }

    /// Removes packages that have been unused for so long; whether they were. They lose their name at once, and
    /// then their files.
    fn remove(&self, path: &Path, unused: Duration) -> Result<bool, BuildError> {
        let staged = self.stage()?;
        let old = staged.path.join("old");
        let remove = || -> io::Result<bool> {
            {
                let _using = self.using.lock().unwrap_or_else(PoisonError::into_inner);
                let used = fs::metadata(path)?.modified()?;
                if SystemTime::now().duration_since(used).unwrap_or_default() < unused {
                    return Ok(false);
                }
                fs::set_permissions(path, Permissions::from_mode(0o755))?;
                fs::rename(path, &old)?;
            }
            remove_tree(&staged.path)?;
            Ok(true)
        };
        remove().map_err(at(path))
    }
}

/// How long packages have been unused counts from here.
fn note_use(place: &Path) -> io::Result<()> {
    File::open(place)?.set_modified(SystemTime::now())
}

/// Makes every directory of a tree one that nobody writes to.
fn close(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            close(&entry.path())?;
        }
    }
    fs::set_permissions(path, Permissions::from_mode(0o555))
}

/// Removes a tree of which nobody may write the directories.
fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    open_up(path)?;
    fs::remove_dir_all(path)
}

fn open_up(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Store;
    use faas_types::{PackagesId, TenantId};
    use std::collections::HashSet;
    use std::fs::{self, File};
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::{Duration, SystemTime};

    const PACKAGES: PackagesId = PackagesId::from_bytes([1; 32]);
    const OTHER: PackagesId = PackagesId::from_bytes([2; 32]);
    const LIST: PackagesId = PackagesId::from_bytes([3; 32]);

    fn published(store: &Store, tenant: TenantId, packages: PackagesId) {
        let staged = store.stage().expect("staged");
        fs::create_dir(staged.path().join("a")).expect("made");
        fs::write(staged.path().join("a/b"), "text").expect("written");
        store.publish(&staged, tenant, packages, "lock").expect("published");
        drop(staged);
        store.remember(tenant, LIST, packages).expect("remembered");
    }

    #[test]
    fn packages_are_whole_read_only_and_their_tenants() {
        let root = tempfile::tempdir().expect("a directory");
        let store = Store::open(root.path()).expect("opened");
        published(&store, TenantId::LOCAL, PACKAGES);
        assert_eq!(store.lock(TenantId::LOCAL, PACKAGES).as_deref(), Some("lock"));
        assert_eq!(store.asked(TenantId::LOCAL, LIST), Some(PACKAGES));
        let place = root.path().join(PACKAGES.directory(TenantId::LOCAL));
        for (path, mode) in [("", 0o555), ("a", 0o555), ("faas.lock", 0o444)] {
            let found = fs::metadata(place.join(path)).expect(path).permissions().mode();
            assert_eq!(found & 0o777, mode, "{path}");
        }
        let another = TenantId::from_bytes([9; 16]);
        assert_eq!((store.lock(another, PACKAGES), store.asked(another, LIST)), (None, None));
        // A second time changes nothing and is no error.
        published(&store, TenantId::LOCAL, PACKAGES);
        assert_eq!(fs::read_to_string(place.join("a/b")).expect("there"), "text");
        // What nobody may write to is removed by who knows how.
        store.forget_unused(&HashSet::new(), Duration::ZERO).expect("removed");
    }

    #[test]
    fn what_was_being_made_is_gone_after_an_end_and_after_a_kill() {
        let root = tempfile::tempdir().expect("a directory");
        let store = Store::open(root.path()).expect("opened");
        drop(store.stage().expect("staged"));
        let killed = store.stage().expect("staged");
        fs::create_dir(killed.path().join("a")).expect("made");
        fs::set_permissions(killed.path().join("a"), fs::Permissions::from_mode(0o555)).expect("closed");
        std::mem::forget(killed);
        Store::open(root.path()).expect("opened again");
        assert_eq!(fs::read_dir(root.path()).expect("listed").count(), 0);
    }

    #[test]
    fn what_nobody_uses_is_forgotten_with_the_lists_that_led_there() {
        let root = tempfile::tempdir().expect("a directory");
        let store = Store::open(root.path()).expect("opened");
        let tenant = TenantId::from_bytes([9; 16]);
        published(&store, TenantId::LOCAL, PACKAGES);
        published(&store, tenant, OTHER);
        let keep = HashSet::from([PACKAGES]);
        assert_eq!(store.forget_unused(&keep, Duration::from_secs(3600)).expect("looked"), 0, "it was used just now");
        let used_long_ago = || {
            let place = File::open(root.path().join(PACKAGES.directory(TenantId::LOCAL))).expect("there");
            place.set_modified(SystemTime::now() - Duration::from_secs(7200)).expect("set");
        };
        used_long_ago();
        assert_eq!(store.forget_unused(&keep, Duration::ZERO).expect("removed"), 1);
        assert_eq!(store.forget_unused(&HashSet::new(), Duration::from_secs(3600)).expect("looked"), 0, "it was kept");
        used_long_ago();
        assert!(store.lock(TenantId::LOCAL, PACKAGES).is_some());
        assert_eq!(store.forget_unused(&HashSet::new(), Duration::from_secs(3600)).expect("looked"), 0, "it was given");
        assert_eq!(store.asked(TenantId::LOCAL, LIST), Some(PACKAGES));
        assert_eq!((store.asked(tenant, LIST), store.lock(tenant, OTHER)), (None, None));
        assert_eq!(store.forget_unused(&HashSet::new(), Duration::ZERO).expect("removed"), 1);
    }
}
