//! A route in its one written form: `METHOD:/path`.

#[cfg(test)]
mod tests;

use crate::path;
use crate::{MethodPattern, Segment};
use std::fmt;
use std::str::FromStr;

/// The longest path of a route, in bytes.
const LONGEST_PATH: usize = 1024;
/// The most segments of a path. A lookup is as deep as this at most.
const MOST_SEGMENTS: usize = 32;
/// The most parameters of a path, the wildcard included.
pub(crate) const MOST_PARAMETERS: usize = 8;

/// Why a text is no route.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// There is no method, or no path behind it.
    #[error(
        "{given:?} is not a route; accepted: METHOD:/path such as POST:/api/hello, METHOD one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS and ANY, in upper case"
    )]
    Form {
        /// The text as given, cut when long.
        given: String,
    },
    /// The path is longer than one may be.
    #[error("the route's path has {length} bytes; accepted: at most 1024")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// The path has more parts than one may have.
    #[error("the route {given:?} has more than {most} {what}; shorten its path")]
    TooMany {
        /// The text as given, cut when long.
        given: String,
        /// Of what.
        what: &'static str,
        /// How many there may be.
        most: usize,
    },
    /// No request has a path like that.
    #[error("the route {given:?} can match no request: its path {fault}")]
    NotCanonical {
        /// The text as given, cut when long.
        given: String,
        /// What is wrong with the path.
        fault: &'static str,
    },
    /// A segment is neither text nor a parameter.
    #[error("the segment {segment:?} of the route is not accepted; accepted: {accepted}")]
    Segment {
        /// The segment, cut when long.
        segment: String,
        /// What it may be.
        accepted: &'static str,
    },
    /// Something follows the wildcard.
    #[error("the route {given:?} goes on behind its wildcard; accepted: *name as the last segment only")]
    BehindWildcard {
        /// The text as given, cut when long.
        given: String,
    },
    /// Two parameters have one name.
    #[error("the route has two parameters named {name:?}; give each its own name")]
    TwiceNamed {
        /// The name.
        name: String,
    },
}

/// A route. Its text is what was parsed: there is no second spelling of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route {
    path: Box<str>,
    method: MethodPattern,
}

impl Route {
    /// Which methods it takes.
    #[must_use]
    pub const fn method(&self) -> MethodPattern {
        self.method
    }

    /// Its path, parameters as they are written.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The segments of its path. A trailing slash ends it with an empty one.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        self.path.split('/').skip(1).map(Segment::read)
    }

    /// Whether some request could be meant for both with equal right: the same method or `ANY` on one
    /// side, and paths that differ in nothing but names of parameters. `GET:/a` and `ANY:/a` do not
    /// collide: the first goes before the second.
    #[must_use]
    pub fn collides(&self, other: &Self) -> bool {
        if self.path == other.path {
            return self.method == other.method;
        }
        self.method.overlaps(other.method) && self.shape() == other.shape()
    }

    /// Its path without the names of its parameters: routes of different shapes never collide.
    #[must_use]
    pub fn shape(&self) -> String {
        let mut shape = String::with_capacity(self.path.len());
        for segment in self.segments() {
            shape.push('/');
            shape.push_str(match segment {
                Segment::Literal(text) => text,
                Segment::Parameter(_) => "{}",
                Segment::Wildcard(_) => "*",
            });
        }
        shape
    }
}

impl FromStr for Route {
    type Err = RouteError;

    fn from_str(text: &str) -> Result<Self, RouteError> {
        let given = || excerpt(text);
        let parts = text.split_once(':').filter(|(_, path)| path.starts_with('/'));
        let parts = parts.and_then(|(name, path)| Some((MethodPattern::from_name(name)?, path)));
        let Some((method, path)) = parts else { return Err(RouteError::Form { given: given() }) };
        if path.len() > LONGEST_PATH {
            return Err(RouteError::TooLong { length: path.len() });
        }
        if path.split('/').skip(1).count() > MOST_SEGMENTS {
            return Err(RouteError::TooMany { given: given(), what: "segments", most: MOST_SEGMENTS });
        }
        if let Some(fault) = path::fault(path) {
            return Err(RouteError::NotCanonical { given: given(), fault });
        }
        let mut names: Vec<&str> = Vec::new();
        let mut ended = false;
        for segment in path.split('/').skip(1) {
            if ended {
                return Err(RouteError::BehindWildcard { given: given() });
            }
            let segment = Segment::check(segment)?;
            ended = matches!(segment, Segment::Wildcard(_));
            if let Some(name) = segment.name() {
                if names.contains(&name) {
                    return Err(RouteError::TwiceNamed { name: name.to_owned() });
                }
                names.push(name);
            }
        }
        if names.len() > MOST_PARAMETERS {
            return Err(RouteError::TooMany { given: given(), what: "parameters", most: MOST_PARAMETERS });
        }
        Ok(Self { path: path.into(), method })
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.method.as_str(), self.path)
    }
}

/// The beginning of a hostile text, marked when something was cut.
pub(crate) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(64) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
