//! The name of a set of installed packages.
//!
//! Invariant: one id has one text, and neither the text nor the path made from it holds anything a
//! tenant chose.

use crate::TenantId;
use crate::excerpt::excerpt;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

/// The digest of a dependency lock; names the directory with its packages. As text 64 lowercase
/// hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PackagesId([u8; 32]);

/// Why a text is not the id of a set of packages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not the id of a set of packages; accepted: 64 lowercase hexadecimal digits")]
pub struct PackagesIdError {
    /// The text as given, cut after its first characters when long.
    pub given: String,
}

impl PackagesId {
    /// From a digest.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The name of a tenant's directory beneath the root of all packages: 32 digits.
    #[must_use]
    pub fn tenant_directory(tenant: TenantId) -> String {
        digits(tenant.as_bytes())
    }

    /// Where a tenant's copy of these packages is, relative to the root of all packages.
    #[must_use]
    pub fn directory(&self, tenant: TenantId) -> String {
        format!("{}/{self}", Self::tenant_directory(tenant))
    }
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl fmt::Display for PackagesId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&digits(&self.0))
    }
}

impl FromStr for PackagesId {
    type Err = PackagesIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || PackagesIdError { given: excerpt(text) };
        let digit = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let pairs = text.as_bytes().as_chunks::<2>();
        let (pairs, []) = pairs else { return Err(refused()) };
        if pairs.len() != 32 {
            return Err(refused());
        }
        let mut bytes = [0; 32];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            let (high, low) = digit(*high).zip(digit(*low)).ok_or_else(refused)?;
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for PackagesId {
    type Error = PackagesIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PackagesId> for String {
    fn from(id: PackagesId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::PackagesId;
    use crate::TenantId;

    #[test]
    fn an_id_survives_text_and_nothing_else_is_one() {
        let mut bytes = [0xa5; 32];
        bytes[31] = 0x0f;
        let id = PackagesId::from_bytes(bytes);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().ends_with("a50f"));
        let text = id.to_string();
        for wrong in [&text[1..], &text.to_uppercase(), "", "../../etc", &"é".repeat(32), &format!("{text}0")] {
            assert!(wrong.parse::<PackagesId>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_directory_holds_digits_and_one_slash() {
        let id = PackagesId::from_bytes([7; 32]);
        assert_eq!(id.directory(TenantId::LOCAL), format!("{}/{}", "0".repeat(32), "07".repeat(32)));
    }
}
