//! What a build may take. Every limit is named in the error of what passes it.

use faas_types::ByteSize;
use std::time::Duration;

/// What one build may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// From its start to its end.
    pub time: Duration,
    /// How long the index may say nothing.
    pub silence: Duration,
    /// What the index is asked.
    pub requests: u32,
    /// One page of the index.
    pub page: ByteSize,
    /// One package, packed.
    pub file: ByteSize,
    /// All that is fetched.
    pub fetched: ByteSize,
    /// Everything unpacked.
    pub unpacked: ByteSize,
    /// Files and directories unpacked, and entries of one archive.
    pub entries: u32,
    /// How many times its packed size an archive may unpack to, once it is larger than 16 MiB.
    pub ratio: u32,
    /// How much of what the tools said is kept.
    pub log: ByteSize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(600),
            silence: Duration::from_secs(30),
            requests: 20_000,
            page: ByteSize::mib(64),
            file: ByteSize::mib(256),
            fetched: ByteSize::mib(384),
            unpacked: ByteSize::mib(1024),
            entries: 100_000,
            ratio: 100,
            log: ByteSize::mib(1),
        }
    }
}

/// Something that was larger than its limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is larger than the limit of {limit}; use fewer or smaller dependencies")]
pub struct TooLarge {
    /// What it was.
    pub what: String,
    /// The limit, with its unit.
    pub limit: String,
}

impl TooLarge {
    pub(crate) fn new(what: impl Into<String>, limit: impl ToString) -> Self {
        Self { what: what.into(), limit: limit.to_string() }
    }
}
