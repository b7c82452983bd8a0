//! Which archive some bytes are, told by the bytes alone.

use std::fmt;

/// The length of a tar archive's header.
const HEADER: usize = 512;

/// A kind of archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A tar archive.
    Tar,
    /// A tar archive that was packed with gzip.
    TarGz,
    /// A zip archive.
    Zip,
}

impl Format {
    /// What an archive begins as; `None` for everything else.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x1f, 0x8b, ..] => Some(Self::TarGz),
            // An entry, or the end of an archive without any.
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Self::Zip),
            _ => is_tar(bytes).then_some(Self::Tar),
        }
    }
}

/// Old archives have no magic number; every one has a checksum.
fn is_tar(bytes: &[u8]) -> bool {
    let Some(header) = bytes.first_chunk::<HEADER>() else { return false };
    let header = tar::Header::from_byte_slice(header);
    let sum: u32 = header.as_bytes().iter().enumerate().fold(0, |sum, (at, byte)| {
        let counted = if (148..156).contains(&at) { b' ' } else { *byte };
        sum + u32::from(counted)
    });
    // One without entries begins with its end.
    header.as_bytes().iter().all(|byte| *byte == 0) || header.cksum().is_ok_and(|stated| stated == sum)
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tar => "tar archive",
            Self::TarGz => "gzipped tarball",
            Self::Zip => "zip archive",
        })
    }
}
