//! Paths that belong to the system.
//!
//! A route of a user is refused when *some* request that it matches would be answered by the system:
//! whoever deploys it would wait for requests that never come. Methods do not count, because the system
//! answers a wrong method on its own paths, too; nor does case, because a look-alike of a system path
//! would only mislead.

use crate::{Route, Segment};
use std::collections::HashMap;

/// What the system has or has promised, whether or not it is built: a route of a user must not stop
/// working when it is. Patterns as routes have them.
const PROMISED: [&str; 33] = [
    "/",
    "/api/v1",
    "/api/v1/*rest",
    "/api/executions",
    "/api/executions/*rest",
    "/api/function-objects/*rest",
    "/api/functions",
    "/api/functions/*rest",
    "/api/secrets",
    "/api/secrets/*rest",
    "/api/users",
    "/api/users/*rest",
    "/auth/*rest",
    "/branches",
    "/branches/*rest",
    "/docs",
    "/docs/*rest",
    "/execute",
    "/execute/*rest",
    "/functions",
    "/functions/*rest",
    "/health",
    "/instances",
    "/instances/*rest",
    "/invoke/*rest",
    "/metrics",
    "/ready",
    "/snapshots",
    "/snapshots/*rest",
    "/stats",
    "/stats/*rest",
    "/usage",
    "/usage/*rest",
];

/// The paths of the system.
#[derive(Debug)]
pub struct Reserved {
    patterns: Vec<Pattern>,
    /// Indices of patterns by their first segment in lower case.
    by_first: HashMap<String, Vec<usize>>,
    /// Indices of patterns whose first segment is no text.
    open: Vec<usize>,
}

#[derive(Debug)]
struct Pattern {
    name: String,
    segments: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Literal(String),
    Parameter,
    Wildcard,
}

impl Part {
    /// Reads a segment of a route of ours or of the router: `{name}`, `*name`, `{*name}`.
    fn read(text: &str) -> Self {
        if text.starts_with("{*") {
            return Self::Wildcard;
        }
        match Segment::read(text) {
            Segment::Literal(text) => Self::Literal(text.to_owned()),
            Segment::Parameter(_) => Self::Parameter,
            Segment::Wildcard(_) => Self::Wildcard,
        }
    }
}

impl Reserved {
    /// The routes the router has, as method and path, and what the system has promised.
    pub fn new<'a>(routes: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut reserved = Self { patterns: Vec::new(), by_first: HashMap::new(), open: Vec::new() };
        // The router's own first: they name a method.
        for (method, path) in routes {
            reserved.add(format!("{method}:{path}"), path);
        }
        for path in PROMISED {
            reserved.add(format!("ANY:{path}"), path);
        }
        reserved
    }

    fn add(&mut self, name: String, path: &str) {
        let segments: Vec<Part> = path.split('/').skip(1).map(Part::read).collect();
        let index = self.patterns.len();
        match segments.first() {
            Some(Part::Literal(text)) => self.by_first.entry(text.to_ascii_lowercase()).or_default().push(index),
            Some(Part::Parameter | Part::Wildcard) => self.open.push(index),
            None => return,
        }
        self.patterns.push(Pattern { name, segments });
    }

    /// The route of the system that answers some request this route matches; `None` when there is none.
    #[must_use]
    pub fn shadowing(&self, route: &Route) -> Option<&str> {
        let segments: Vec<Segment<'_>> = route.segments().collect();
        let overlap = |index: &usize| {
            let pattern = self.patterns.get(*index)?;
            overlaps(&pattern.segments, &segments).then_some(pattern.name.as_str())
        };
        match segments.first() {
            Some(Segment::Literal(text)) => {
                let same = self.by_first.get(&text.to_ascii_lowercase());
                same.into_iter().flatten().chain(&self.open).find_map(overlap)
            }
            _ => (0..self.patterns.len()).find_map(|index| overlap(&index)),
        }
    }
}

/// Whether some path matches both. A parameter matches no empty segment, nor does the wildcard of a user's
/// route; what the system has below a path is its own with everything that begins so.
fn overlaps(system: &[Part], route: &[Segment<'_>]) -> bool {
    let is_rest_of_system = |parts: &[Part]| match parts.first() {
        None => false,
        Some(Part::Literal(text)) => !text.is_empty(),
        Some(Part::Parameter | Part::Wildcard) => true,
    };
    match (system, route) {
        ([], []) => true,
        ([Part::Wildcard, ..], rest) => !rest.is_empty(),
        (rest, [Segment::Wildcard(_), ..]) => is_rest_of_system(rest),
        ([], _) | (_, []) => false,
        ([one, system @ ..], [other, route @ ..]) => {
            let same = match (one, other) {
                (Part::Literal(one), Segment::Literal(other)) => one.eq_ignore_ascii_case(other),
                (Part::Literal(text), _) => !text.is_empty(),
                (_, Segment::Literal(text)) => !text.is_empty(),
                _ => true,
            };
            same && overlaps(system, route)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Reserved;
    use crate::Route;

    const ROUTER: [(&str, &str); 5] = [
        ("POST", "/api/v1/execute"),
        ("GET", "/health"),
        ("GET", "/api/v1/executions/{id}"),
        ("POST", "/functions/{id}/invoke"),
        ("GET", "/assets/{*path}"),
    ];

    fn shadowing(route: &str) -> Option<String> {
        let route: Route = route.parse().unwrap_or_else(|error| panic!("{route}: {error}"));
        Reserved::new(ROUTER).shadowing(&route).map(str::to_owned)
    }

    #[test]
    fn hostile_row_78_is_refused_naming_the_system_route() {
        for (route, named) in [
            ("POST:/api/v1/execute", "POST:/api/v1/execute"),
            ("GET:/health", "GET:/health"),
            ("POST:/auth/login", "ANY:/auth/*rest"),
            ("ANY:/", "ANY:/"),
        ] {
            assert_eq!(shadowing(route).as_deref(), Some(named), "{route}");
        }
    }

    #[test]
    fn any_overlap_with_the_system_is_refused() {
        for route in [
            "PUT:/health",
            "GET:/api/v1/mine",
            "GET:/api/v1",
            "GET:/api/v1/",
            "GET:/api/V1/execute",
            "GET:/api/{version}/execute",
            "GET:/api/*rest",
            "GET:/{page}",
            "ANY:/*rest",
            "GET:/{a}/{b}",
            "GET:/functions/mine",
            "GET:/functions/{id}/invoke",
            "GET:/{x}/{y}/invoke",
            "GET:/assets/",
            "GET:/assets/a/b",
            "GET:/{a}/style",
            "GET:/stats",
            "GET:/usage/{x}",
        ] {
            assert!(shadowing(route).is_some(), "{route} is not refused");
        }
    }

    #[test]
    fn what_the_seeds_deploy_and_paths_of_ones_own_are_free() {
        for route in [
            "POST:/api/hello",
            "GET:/api/info",
            "POST:/api/convert",
            "POST:/resize",
            "GET:/ping",
            "GET:/users/{id}",
            "ANY:/files/*path",
            "GET:/healthy",
            "GET:/health/deep",
            "GET:/assets",
            "GET:/api/v2/execute",
            "GET:/api",
            "GET:/invoke",
        ] {
            assert_eq!(shadowing(route), None, "{route}");
        }
    }
}
