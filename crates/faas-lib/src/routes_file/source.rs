//! The sources that rows name: each module read once for one state of the file, and bounded together.

use crate::source::files_of;
use faas_executor_api::FileIn;
use faas_routes_file::FunctionRoots;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The files of a function. What they take is free again when nothing is made of them any more.
#[derive(Debug)]
pub(super) struct Source {
    /// One file under its own name, or those of a directory.
    pub(super) files: Vec<FileIn>,
    /// Whether the module is a directory.
    pub(super) is_directory: bool,
    taken: u64,
    all: Arc<AtomicU64>,
}

impl Drop for Source {
    fn drop(&mut self) {
        self.all.fetch_sub(self.taken, Ordering::Relaxed);
    }
}

/// The modules of one state of the file, and what all that are held take.
#[derive(Debug)]
pub(super) struct Sources {
    roots: Arc<FunctionRoots>,
    /// What was read since it was forgotten: many rows may name one module.
    read: HashMap<String, Result<Arc<Source>, String>>,
    most: u64,
    all: Arc<AtomicU64>,
}

impl Sources {
    pub(super) fn new(roots: Arc<FunctionRoots>, most: u64) -> Self {
        Self { roots, read: HashMap::new(), most, all: Arc::default() }
    }

    /// The source that a module is; `Err` says why there is none.
    pub(super) fn of(&mut self, module: &str) -> Result<Arc<Source>, String> {
        if let Some(read) = self.read.get(module) {
            return read.clone();
        }
        let read = self.read_now(module).map(Arc::new);
        self.read.insert(module.to_owned(), read.clone());
        read
    }

    /// Forgets what was read, so that it is read again.
    pub(super) fn forget(&mut self) {
        self.read = HashMap::new();
    }

    fn read_now(&self, module: &str) -> Result<Source, String> {
        // What would not be taken anyway is not read.
        let room = self.most.checked_sub(self.all.load(Ordering::Relaxed)).filter(|room| *room > 0);
        let room = room.ok_or_else(|| self.full())?;
        let read = self.roots.read(module).map_err(|error| error.to_string())?;
        let (files, is_directory) = files_of(module, read);
        let taken: usize = files.iter().map(|file| file.path.len() + file.content.len()).sum();
        let taken = u64::try_from(taken).unwrap_or(u64::MAX);
        if taken > room {
            return Err(self.full());
        }
        self.all.fetch_add(taken, Ordering::Relaxed);
        Ok(Source { files, is_directory, taken, all: Arc::clone(&self.all) })
    }

    fn full(&self) -> String {
        format!(
            "the modules of all rows have more than {} bytes together; delete rows, or make modules smaller",
            self.most
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Sources;
    use faas_routes_file::FunctionRoots;
    use std::fs;
    use std::sync::Arc;

    #[test]
    fn what_many_rows_name_is_read_once_and_counts_once() {
        let place = tempfile::tempdir().expect("a directory");
        let module = place.path().join("a.py");
        fs::write(&module, "one").expect("written");
        let roots = FunctionRoots::new([place.path().to_owned()]).expect("absolute");
        // One module with its name has 7 bytes.
        let mut sources = Sources::new(Arc::new(roots), 10);
        let first = sources.of("a.py").expect("read");
        fs::write(&module, "two").expect("written");
        assert_eq!(sources.of("a.py").expect("known").files[0].content, "one");
        assert!(sources.of("b.py").expect_err("not there").contains("b.py"));

        sources.forget();
        assert!(sources.of("a.py").expect_err("no room").contains("10 bytes"));
        drop(first);
        sources.forget();
        assert_eq!(sources.of("a.py").expect("read again").files[0].content, "two");
    }
}
