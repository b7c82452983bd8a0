//! Why a body is refused.

use faas_types::ErrorCode;

/// The most characters of a hostile text that an error repeats.
const EXCERPT: usize = 200;

/// Why a body is refused. Every message says what is accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is not one JSON document, or nests too deeply, or holds a number no one can represent.
    #[error("the body is not acceptable JSON: {reason}")]
    Json {
        /// What the parser says, with the place.
        reason: String,
    },
    /// It has a field nobody knows.
    #[error("unknown field {field:?}; accepted: {accepted}")]
    Unknown {
        /// The field's name as given.
        field: String,
        /// Every accepted name.
        accepted: String,
    },
    /// A field's value is malformed or out of range.
    #[error("{field} is refused: {reason}")]
    Field {
        /// The field's name.
        field: String,
        /// What is wrong and what is accepted.
        reason: String,
    },
    /// The language is unknown.
    #[error("{reason}")]
    Language {
        /// The field that names it, as its caller wrote it.
        field: &'static str,
        /// Names it and lists the known ones.
        reason: String,
    },
    /// The field is known, but nothing here can honour what it asks for.
    #[error("{field} is not supported here: {reason}")]
    Unsupported {
        /// The field's name.
        field: String,
        /// What to do instead.
        reason: String,
    },
}

impl BodyError {
    /// A refusal of a field's value.
    pub(crate) fn field(field: &str, reason: impl Into<String>) -> Self {
        Self::Field { field: excerpt(field), reason: excerpt(&reason.into()) }
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Json { .. } => ErrorCode::InvalidJson,
            Self::Unknown { .. } => ErrorCode::UnknownField,
            Self::Field { .. } => ErrorCode::InvalidField,
            Self::Language { .. } => ErrorCode::UnknownLanguage,
            Self::Unsupported { .. } => ErrorCode::FieldUnsupported,
        }
    }

    /// The field it is about, when it is about one.
    #[must_use]
    pub fn field_name(&self) -> Option<&str> {
        match self {
            Self::Json { .. } => None,
            Self::Language { field, .. } => Some(field),
            Self::Unknown { field, .. } | Self::Field { field, .. } | Self::Unsupported { field, .. } => Some(field),
        }
    }
}

/// The first characters of a text that may be as long as a body.
pub(crate) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
