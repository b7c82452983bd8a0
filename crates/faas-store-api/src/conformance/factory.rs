//! What a store's test provides.

use crate::Store;
use async_trait::async_trait;

/// Makes the stores of one scenario.
#[async_trait]
pub trait StoreFactory: Send + Sync {
    /// Opens the factory's one place. A durable store finds there what earlier ones wrote; a store
    /// in memory is new.
    async fn open(&self) -> Box<dyn Store>;

    /// Whether what was written is found when a store is dropped and its place opened again.
    fn is_durable(&self) -> bool;
}
