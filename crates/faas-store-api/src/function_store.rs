//! The contract of a store of functions.

use crate::{ChangeError, CreateFunctionError, FunctionChange, NewFunction, StoreError, StoredFunction, StoredVersion};
use async_trait::async_trait;
use faas_types::{FunctionId, FunctionKey, TenantId, Timestamp};

/// How much of what versions are to run is read at once; a page is cut short after the one that passes it.
pub const VERSIONS_PAGE_BYTES: usize = 32 * 1024 * 1024;

/// Keeps functions and their versions. What a method promises holds when it has returned, and through
/// `kill -9` and the loss of power. Dropping a method's future may leave it done or not done.
#[async_trait]
pub trait FunctionStore: Send + Sync + 'static {
    /// Makes a function whose first version is live. Of two at once of one name, or with one key, one is made.
    ///
    /// # Errors
    /// The name is taken, the key belongs to a function of another name, or the store failed.
    async fn create_function(&self, new: NewFunction) -> Result<StoredFunction, CreateFunctionError>;

    /// Changes a function, when its revision is the expected one or none is.
    ///
    /// # Errors
    /// There is none, it has changed, or the store failed.
    async fn change_function(
        &self,
        tenant: TenantId,
        function: FunctionId,
        expected: Option<u64>,
        change: FunctionChange,
        at: Timestamp,
    ) -> Result<StoredFunction, ChangeError>;

    /// Forgets a function with all of its versions, when its revision is the expected one or none is. Its
    /// name is free then.
    ///
    /// # Errors
    /// There is none, it has changed, or the store failed.
    async fn delete_function(
        &self,
        tenant: TenantId,
        function: FunctionId,
        expected: Option<u64>,
    ) -> Result<(), ChangeError>;

    /// A tenant's function.
    ///
    /// # Errors
    /// The store failed.
    async fn function(&self, tenant: TenantId, key: &FunctionKey) -> Result<Option<StoredFunction>, StoreError>;

    /// A version of a tenant's function.
    ///
    /// # Errors
    /// The store failed.
    async fn version(
        &self,
        tenant: TenantId,
        function: FunctionId,
        number: u32,
    ) -> Result<Option<StoredVersion>, StoreError>;

    /// Versions of a tenant's function before the given number, newest first, at most `limit` of them and, after
    /// the first, [`VERSIONS_PAGE_BYTES`] of what they are to run.
    ///
    /// # Errors
    /// The store failed.
    async fn versions(
        &self,
        tenant: TenantId,
        function: FunctionId,
        before: Option<u32>,
        limit: u32,
    ) -> Result<Vec<StoredVersion>, StoreError>;

    /// A tenant's functions made before the given one, which may be gone, newest first, at most `limit` of them.
    ///
    /// # Errors
    /// The store failed.
    async fn functions(
        &self,
        tenant: TenantId,
        before: Option<FunctionId>,
        limit: u32,
    ) -> Result<Vec<StoredFunction>, StoreError>;

    /// Functions of all tenants behind the given id, by id, each with its live version, at most `limit` of them and,
    /// after the first, [`VERSIONS_PAGE_BYTES`] of what they are to run: what a node has to know before it serves.
    /// Only an empty page is the end.
    ///
    /// # Errors
    /// The store failed.
    async fn live_versions(
        &self,
        after: Option<FunctionId>,
        limit: u32,
    ) -> Result<Vec<(StoredFunction, StoredVersion)>, StoreError>;
}

/// Takes from what is read until a page is full, the one that fills it included; the same for every store.
///
/// # Errors
/// What could not be read.
pub fn within_page<T, E>(
    read: impl Iterator<Item = Result<T, E>>,
    bytes_of: impl Fn(&T) -> usize,
) -> Result<Vec<T>, E> {
    let (mut page, mut bytes) = (Vec::new(), 0_usize);
    for item in read {
        let item = item?;
        bytes = bytes.saturating_add(bytes_of(&item));
        page.push(item);
        if bytes > VERSIONS_PAGE_BYTES {
            break;
        }
    }
    Ok(page)
}
