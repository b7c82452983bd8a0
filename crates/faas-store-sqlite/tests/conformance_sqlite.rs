//! The store in SQLite keeps the contract.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

use async_trait::async_trait;
use faas_store_api::Store;
use faas_store_api::conformance::StoreFactory;
use faas_store_sqlite::SqliteStore;
use tempfile::TempDir;

struct Sqlite(TempDir);

#[async_trait]
impl StoreFactory for Sqlite {
    async fn open(&self) -> Box<dyn Store> {
        Box::new(SqliteStore::open(self.0.path()).expect("the directory's store"))
    }

    fn is_durable(&self) -> bool {
        true
    }
}

faas_store_api::store_conformance_suite!(
    Sqlite(tempfile::tempdir().expect("a directory"));
    flavor = "multi_thread"
);
