//! How much an archive may hold.

use faas_types::ByteSize;

/// How much an archive may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Plain files.
    pub files: u32,
    /// Files and directories.
    pub entries: u32,
    /// Bytes of all files together.
    pub unpacked: ByteSize,
    /// How many times its packed size it may unpack to, once that is more than `small`.
    pub ratio: u32,
    /// What it may unpack to whatever its size.
    pub small: ByteSize,
}

impl Limits {
    /// A function's source: as many files and bytes as one that comes without an archive.
    pub const SOURCE: Self =
        Self { files: 4096, entries: 2 * 4096, unpacked: ByteSize::mib(16), ratio: 100, small: ByteSize::mib(1) };
}
