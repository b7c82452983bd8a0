//! Methods of requests, and which of them a route takes.

use std::fmt;

/// A method that can be routed. `CONNECT` and `TRACE` have no meaning for a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`; a route for `GET` takes it where none for `HEAD` does.
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
    /// `OPTIONS`
    Options,
}

impl Method {
    /// Every method, in the order messages list them.
    pub const ALL: [Self; 7] = [Self::Get, Self::Head, Self::Post, Self::Put, Self::Patch, Self::Delete, Self::Options];

    /// The method of this name. Names are upper case; another case is another method, as HTTP says.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What stands before a route's colon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MethodPattern {
    /// One method.
    One(Method),
    /// `ANY`: what no route of the same path for one method takes.
    Any,
}

impl MethodPattern {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        if name == "ANY" { Some(Self::Any) } else { Method::from_name(name).map(Self::One) }
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::One(method) => method.as_str(),
            Self::Any => "ANY",
        }
    }

    /// Whether some method is named by both.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self == other || self == Self::Any || other == Self::Any
    }
}

/// Methods, as an `Allow` header lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MethodSet(u8);

impl MethodSet {
    /// What a route of this method answers: a `GET` answers `HEAD`, too.
    pub(crate) fn take(&mut self, pattern: MethodPattern) {
        self.0 |= match pattern {
            MethodPattern::One(Method::Get) => Method::Get.bit() | Method::Head.bit(),
            MethodPattern::One(method) => method.bit(),
            MethodPattern::Any => Method::ALL.into_iter().fold(0, |bits, method| bits | method.bit()),
        };
    }

    /// Those of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it holds none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its methods, in the order of [`Method::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Method> {
        Method::ALL.into_iter().filter(move |method| self.0 & method.bit() != 0)
    }
}

/// As the header's value: `GET, HEAD`.
impl fmt::Display for MethodSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, method) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{method}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Method, MethodPattern, MethodSet};

    #[test]
    fn names_are_exact() {
        for method in Method::ALL {
            assert_eq!(Method::from_name(method.as_str()), Some(method));
            assert_eq!(Method::from_name(&method.as_str().to_lowercase()), None);
        }
        for name in ["", "ANY", "TRACE", "CONNECT", "PROPFIND"] {
            assert_eq!(Method::from_name(name), None);
        }
    }

    #[test]
    fn a_set_reads_as_a_header() {
        let mut set = MethodSet::default();
        assert!(set.is_empty() && set.to_string().is_empty());
        set.take(MethodPattern::One(Method::Post));
        set.take(MethodPattern::One(Method::Get));
        assert_eq!(set.to_string(), "GET, HEAD, POST");
        let mut other = MethodSet::default();
        other.take(MethodPattern::One(Method::Put));
        assert_eq!(set.and(other).to_string(), "GET, HEAD, POST, PUT");
        set.take(MethodPattern::Any);
        assert_eq!(set.iter().count(), Method::ALL.len());
    }
}
