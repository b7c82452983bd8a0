//! Opaque ids: a kind prefix and a time-ordered part.
//!
//! Invariant: one id has one text, so texts may be compared, logged and used as keys.

use crate::excerpt::excerpt;
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// Why a text is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not an id of this kind; accepted: {prefix} followed by 32 lowercase hexadecimal digits")]
pub struct IdError {
    /// The text as given, cut after its first characters when long.
    pub given: String,
    /// The prefix of the wanted kind.
    pub prefix: &'static str,
}

/// Room for the text of any id.
const LONGEST: usize = 48;

/// The text of an id.
fn text<'a>(prefix: &str, id: Uuid, room: &'a mut [u8; LONGEST]) -> &'a str {
    let (before, digits) = room.split_at_mut(prefix.len());
    before.copy_from_slice(prefix.as_bytes());
    let length = prefix.len() + id.simple().encode_lower(digits).len();
    // A prefix and hexadecimal digits are text.
    room.get(..length).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Uuid);

        // Every record has some, so they are written without an allocation.
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(text(Self::PREFIX, self.0, &mut [0; LONGEST]))
            }
        }

        impl $name {
            /// What every id of this kind starts with.
            pub const PREFIX: &'static str = $prefix;

            /// A fresh id, later in order than every earlier one of this process.
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id behind these bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The bytes behind the prefix.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(text(Self::PREFIX, self.0, &mut [0; LONGEST]))
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.strip_prefix(Self::PREFIX)
                    .filter(|rest| rest.len() == 32 && !rest.bytes().any(|byte| byte.is_ascii_uppercase()))
                    .and_then(|rest| Uuid::try_parse(rest).ok())
                    .map(Self)
                    .ok_or_else(|| IdError { given: excerpt(text), prefix: Self::PREFIX })
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

id! {
    /// One execution.
    ExecutionId, "exe_"
}
id! {
    /// One live isolated environment, as an executor sees it.
    SandboxId, "sbx_"
}
id! {
    /// Whose code it is. What is recycled is recycled within one tenant only.
    TenantId, "ten_"
}
id! {
    /// One server process's place: whose rows are whose. Lives as long as its data directory.
    NodeId, "nod_"
}

id! {
    /// One function, through all of its versions.
    FunctionId, "fn_"
}
id! {
    /// One version of a function.
    VersionId, "ver_"
}

id!(
    /// An instance: a sandbox its user can address.
    InstanceId, "ins_"
);

impl TenantId {
    /// The one tenant of an embedded platform: whoever started the process.
    pub const LOCAL: Self = Self::from_bytes([0; 16]);
}

#[cfg(test)]
mod tests {
    use super::{ExecutionId, SandboxId, TenantId};

    #[test]
    fn an_id_survives_text_bytes_and_json() {
        let id = ExecutionId::generate();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(ExecutionId::from_bytes(*id.as_bytes()), id);
        let json = serde_json::to_string(&id).expect("an id is a JSON string");
        assert_eq!(json, format!("\"{id}\""));
        assert_eq!(serde_json::from_str::<ExecutionId>(&json).expect("parses"), id);
    }

    #[test]
    fn an_id_has_its_prefix_and_32_digits() {
        assert_eq!(TenantId::LOCAL.to_string(), "ten_00000000000000000000000000000000");
        assert!(SandboxId::generate().to_string().starts_with("sbx_"));
        assert_eq!(SandboxId::generate().to_string().len(), 36);
    }

    #[test]
    fn another_kind_and_every_other_spelling_is_refused() {
        let id = SandboxId::generate();
        let digits = id.to_string().split_off(4);
        let wrong = [
            String::new(),
            "exe_".to_owned(),
            digits.clone(),
            format!("sbx_{digits}"),
            format!("EXE_{digits}"),
            format!("exe_{}", &digits[1..]),
            format!("exe_{digits}0"),
            format!("exe_{digits} "),
            format!("exe_{}", "A".repeat(32)),
            format!("exe_{}", "é".repeat(16)),
            "exe_01234567-89ab-cdef-0123-456789abcdef".to_owned(),
        ];
        for text in wrong {
            let refusal = text.parse::<ExecutionId>().expect_err(&text);
            assert_eq!(refusal.prefix, "exe_");
            assert!(refusal.to_string().contains("exe_ followed by 32 lowercase hexadecimal digits"), "{refusal}");
        }
    }

    #[test]
    fn ids_of_one_process_are_in_order() {
        let ids: Vec<_> = (0..10_000).map(|_| ExecutionId::generate()).collect();
        assert!(ids.is_sorted_by(|earlier, later| earlier < later));
        let texts: Vec<_> = ids.iter().map(ToString::to_string).collect();
        assert!(texts.is_sorted_by(|earlier, later| earlier < later));
    }
}
