//! The table against examples, and against a list of routes that is searched one by one.

use super::{Collision, Table};
use crate::{Lookup, Method, MethodPattern, Route, Segment};
use proptest::prelude::*;
use std::cmp::Reverse;
use std::collections::BTreeSet;

fn route(text: &str) -> Route {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn table(routes: &[&str]) -> Table<String> {
    let mut table = Table::default();
    for text in routes {
        table.insert(route(text), (*text).to_owned()).unwrap_or_else(|error| panic!("{error}"));
    }
    table
}

/// The route and its parameters, or the methods that are allowed, or nothing.
fn answer(table: &Table<String>, method: Method, path: &str) -> String {
    match table.lookup(method, path) {
        Lookup::Found(found) => {
            assert_eq!(found.route.to_string(), *found.value);
            let parameters: String = found.parameters.iter().map(|(name, value)| format!(" {name}={value}")).collect();
            format!("{}{parameters}", found.value)
        }
        Lookup::OtherMethods(methods) => format!("405 {methods}"),
        Lookup::Unknown => "404".to_owned(),
    }
}

#[test]
fn the_most_exact_route_that_takes_the_method_is_found() {
    let table = table(&[
        "GET:/a/b",
        "ANY:/a/{x}",
        "POST:/a/{x}",
        "GET:/a/*rest",
        "GET:/a/{x}/c",
        "GET:/{first}/b/c/d",
        "GET:/a/b/c/e",
        "HEAD:/h",
        "GET:/h",
        "ANY:/h",
        "DELETE:/slash/",
        "GET:/only/{id}",
        "PUT:/only/*rest",
    ]);
    for (method, path, expected) in [
        (Method::Get, "/a/b", "GET:/a/b"),
        (Method::Head, "/a/b", "GET:/a/b"),
        (Method::Put, "/a/b", "ANY:/a/{x} x=b"),
        (Method::Post, "/a/b", "POST:/a/{x} x=b"),
        (Method::Get, "/a/z", "ANY:/a/{x} x=z"),
        (Method::Get, "/a/z/c", "GET:/a/{x}/c x=z"),
        (Method::Get, "/a/z/y", "GET:/a/*rest rest=z/y"),
        (Method::Get, "/a/b/c/d", "GET:/a/*rest rest=b/c/d"),
        (Method::Get, "/a/b/c/e", "GET:/a/b/c/e"),
        (Method::Get, "/q/b/c/d", "GET:/{first}/b/c/d first=q"),
        (Method::Get, "/a/", "404"),
        (Method::Get, "/a", "404"),
        (Method::Get, "/", "404"),
        (Method::Get, "/a/z/", "GET:/a/*rest rest=z/"),
        (Method::Post, "/a/z/c", "405 GET, HEAD"),
        (Method::Head, "/h", "HEAD:/h"),
        (Method::Options, "/h", "ANY:/h"),
        (Method::Delete, "/slash/", "DELETE:/slash/"),
        (Method::Delete, "/slash", "404"),
        (Method::Get, "/slash/", "405 DELETE"),
        (Method::Post, "/only/x", "405 GET, HEAD, PUT"),
        (Method::Put, "/only/x", "PUT:/only/*rest rest=x"),
    ] {
        assert_eq!(answer(&table, method, path), expected, "{method} {path}");
    }
}

#[test]
fn two_spellings_of_a_request_reach_the_same_route() {
    let table = table(&["GET:/a+b/{x}", "GET:/{y}/{x}"]);
    assert_eq!(answer(&table, Method::Get, "/a+b/1"), "GET:/a+b/{x} x=1");
    assert_eq!(answer(&table, Method::Get, "/a%2Bb/1"), "GET:/a+b/{x} x=1");
    assert_eq!(answer(&table, Method::Get, "/a%2bb/%C3%BC%20x"), "GET:/a+b/{x} x=ü x");
    let Lookup::Found(found) = table.lookup(Method::Get, "/q/%21") else { panic!("no route") };
    assert_eq!(found.parameters.get("x").as_deref(), Some("!"));
    assert_eq!(found.parameters.get("z"), None);
}

#[test]
fn routes_that_collide_are_refused_with_both_names() {
    let mut table = table(&["GET:/a/{x}", "ANY:/b/*x", "GET:/c"]);
    for (refused, there) in
        [("GET:/a/{y}", "GET:/a/{x}"), ("ANY:/a/{y}", "GET:/a/{x}"), ("POST:/b/*y", "ANY:/b/*x"), ("GET:/c", "GET:/c")]
    {
        let error = table.insert(route(refused), String::new()).expect_err(refused);
        assert_eq!(error, Collision { route: route(refused), with: route(there) });
        assert!(error.to_string().contains(refused) && error.to_string().contains(there), "{error}");
    }
    assert_eq!(table.len(), 3);
    for accepted in ["POST:/a/{x}", "ANY:/a/{x}", "POST:/b/*x", "ANY:/c", "GET:/b/{x}", "PUT:/c"] {
        table.insert(route(accepted), String::new()).expect(accepted);
    }
}

#[test]
fn an_empty_table_keeps_no_nodes() {
    let mut table = Table::default();
    let texts: Vec<String> = (0..100)
        .flat_map(|n| [format!("GET:/r{n}/{{id}}/x"), format!("ANY:/r{n}/*rest"), format!("PUT:/deep/a/b/c/r{n}")])
        .collect();
    for text in &texts {
        table.insert(route(text), text.clone()).expect("no collision");
    }
    assert_eq!(table.len(), texts.len());
    for text in &texts {
        assert_eq!(table.get(&route(text)), Some(text));
        assert_eq!(table.remove(&route(text)).as_ref(), Some(text));
        assert_eq!(table.remove(&route(text)), None);
    }
    assert!(table.is_empty() && table.root_is_empty());
}

impl<T> Table<T> {
    fn root_is_empty(&self) -> bool {
        self.root.is_empty()
    }
}

/// How exact a route's segment is: text, parameter, wildcard.
fn rank(segment: Segment<'_>) -> u8 {
    match segment {
        Segment::Literal(_) => 0,
        Segment::Parameter(_) => 1,
        Segment::Wildcard(_) => 2,
    }
}

/// Whether a route's path matches, one segment after the other.
fn matches(route: &Route, path: &str) -> bool {
    let mut rest = path.split('/').skip(1).collect::<Vec<_>>().into_iter().peekable();
    for segment in route.segments() {
        let matched = match segment {
            Segment::Literal(text) => rest.next() == Some(text),
            Segment::Parameter(_) => rest.next().is_some_and(|text| !text.is_empty()),
            Segment::Wildcard(_) => return rest.peek().is_some_and(|first| !first.is_empty()),
        };
        if !matched {
            return false;
        }
    }
    rest.next().is_none()
}

/// What the table should answer, from a list.
fn expected(routes: &BTreeSet<Route>, method: Method, path: &str) -> String {
    let matching: Vec<&Route> = routes.iter().filter(|route| matches(route, path)).collect();
    let takes = |route: &&&Route| match route.method() {
        MethodPattern::Any => true,
        MethodPattern::One(one) => one == method || (method == Method::Head && one == Method::Get),
    };
    let best = matching.iter().filter(takes).min_by_key(|route| {
        let exactness: Vec<u8> = route.segments().map(rank).collect();
        let same = route.method() == MethodPattern::One(method);
        (exactness, Reverse((same, route.method() != MethodPattern::Any)))
    });
    match best {
        Some(route) => route.to_string(),
        None if matching.is_empty() => "404".to_owned(),
        None => "405".to_owned(),
    }
}

fn any_route() -> impl Strategy<Value = String> {
    let segment = prop_oneof![4 => "[a-c]", 2 => "\\{[xy]\\}", 1 => Just(String::new())];
    let path = (proptest::collection::vec(segment, 1..4), proptest::option::weighted(0.2, "\\*[wv]"));
    let method = prop_oneof![Just("GET"), Just("POST"), Just("HEAD"), Just("ANY")];
    (method, path).prop_map(|(method, (mut segments, wildcard))| {
        segments.extend(wildcard);
        format!("{method}:/{}", segments.join("/"))
    })
}

proptest! {
    /// Routes put in and taken out in any order answer as a list of them does.
    #[test]
    fn the_table_answers_as_a_list_would(
        steps in proptest::collection::vec((any_route(), any::<bool>()), 1..40),
        paths in proptest::collection::vec("(/[a-d]?){1,4}", 1..20),
    ) {
        let mut table = Table::default();
        let mut list = BTreeSet::new();
        for (text, removes) in steps {
            // Most that is written so is a route; an empty segment in the middle is none.
            let Ok(route) = text.parse::<Route>() else { continue };
            if removes {
                prop_assert_eq!(table.remove(&route).is_some(), list.remove(&route));
            } else {
                let free = !list.iter().any(|there: &Route| there.collides(&route));
                prop_assert_eq!(table.insert(route.clone(), route.to_string()).is_ok(), free);
                if free {
                    list.insert(route);
                }
            }
            prop_assert_eq!(table.len(), list.len());
        }
        for path in paths.iter().filter(|path| crate::path_fault(path).is_none()) {
            for method in [Method::Get, Method::Post, Method::Head, Method::Put] {
                let answered = answer(&table, method, path);
                let answered = answered.split(' ').next().unwrap_or_default();
                prop_assert_eq!(answered, expected(&list, method, path), "{} {}", method, path);
            }
        }
    }
}
