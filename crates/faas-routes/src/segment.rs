//! One segment of a route's path.

use crate::RouteError;

/// The longest name of a parameter.
const LONGEST_NAME: usize = 32;

/// One segment of a route's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segment<'r> {
    /// Text that stands for itself; empty behind a trailing slash.
    Literal(&'r str),
    /// `{name}`: one segment, not empty.
    Parameter(&'r str),
    /// `*name`: all that is left, not empty. It is the last segment.
    Wildcard(&'r str),
}

impl<'r> Segment<'r> {
    /// Reads a segment that was checked.
    pub(crate) fn read(text: &'r str) -> Self {
        if let Some(name) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            Self::Parameter(name)
        } else if let Some(name) = text.strip_prefix('*') {
            Self::Wildcard(name)
        } else {
            Self::Literal(text)
        }
    }

    /// Reads and checks a segment.
    pub(crate) fn check(text: &'r str) -> Result<Self, RouteError> {
        let refuse = |accepted| Err(RouteError::Segment { segment: crate::route::excerpt(text), accepted });
        if text.starts_with(':') {
            return refuse("a parameter is written {name}");
        }
        if text.starts_with("{*") {
            return refuse("the rest of a path is written *name, as the last segment");
        }
        let segment = Self::read(text);
        match segment {
            Self::Parameter(name) | Self::Wildcard(name) if !is_name(name) => refuse(
                "{name} or *name, the name of 1 to 32 letters, digits and `_`, not a digit first, and nothing else in the segment",
            ),
            Self::Literal(literal) if !literal.bytes().all(is_plain) => refuse(
                "letters, digits and any of - _ . ~ ! $ & ' ( ) + , = @ : as themselves; what a path has to encode is matched by a parameter",
            ),
            Self::Literal(_) | Self::Parameter(_) | Self::Wildcard(_) => Ok(segment),
        }
    }

    /// The name, when it stands for what a request puts there.
    #[must_use]
    pub fn name(self) -> Option<&'r str> {
        match self {
            Self::Literal(_) => None,
            Self::Parameter(name) | Self::Wildcard(name) => Some(name),
        }
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~!$&'()+,=@:".contains(&byte)
}

fn is_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
