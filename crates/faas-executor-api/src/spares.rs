//! What an executor decided about sandboxes that it makes before anybody asks. Shown to people, read by nobody else.

use crate::SandboxSpec;
use faas_types::ByteSize;
use std::time::Duration;

/// Those of one spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpareStats {
    /// Which ones.
    pub spec: SandboxSpec,
    /// How many there are to be.
    pub wanted: u32,
    /// Why so many, in one word.
    pub reason: &'static str,
    /// How many there are.
    pub ready: u32,
    /// How many were made.
    pub made: u64,
    /// How many of those were handed over.
    pub used: u64,
    /// How many ended without having been: nobody asked in time, or they died.
    pub unused: u64,
    /// How long it took to make the last one.
    pub took: Option<Duration>,
    /// The memory that the last one took until it waited.
    pub memory: Option<ByteSize>,
}
