//! What is a route, and what is refused.

use super::{LONGEST_PATH, MOST_PARAMETERS, MOST_SEGMENTS, Route, RouteError};
use crate::{Method, MethodPattern, Segment};
use proptest::prelude::*;

fn route(text: &str) -> Route {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn routes_as_they_are_printed() {
    for text in [
        "POST:/api/hello",
        "GET:/api/info",
        "POST:/resize",
        "GET:/ping",
        "POST:/api/convert",
        "ANY:/x",
        "ANY:/",
        "GET:/users/{id}",
        "GET:/users/{id}/posts/{post_id}",
        "GET:/files/*path",
        "ANY:/*rest",
        "DELETE:/a/",
        "PATCH:/v1.2/a-b_c~d/(x),+&=@:$!'",
        "HEAD:/x",
        "OPTIONS:/x",
        "PUT:/Case/Matters",
    ] {
        assert_eq!(route(text).to_string(), text);
    }
    let parsed = route("GET:/users/{id}/*rest");
    assert_eq!(parsed.method(), MethodPattern::One(Method::Get));
    let segments: Vec<Segment<'_>> = parsed.segments().collect();
    assert_eq!(segments, [Segment::Literal("users"), Segment::Parameter("id"), Segment::Wildcard("rest")]);
}

#[test]
fn a_text_without_method_or_path_is_told_the_form() {
    for text in [
        "", "/x", "GET", "GET:", "GET:x", "GET /x", "get:/x", "Any:/x", "*:/x", ":/x", "TRACE:/x", " GET:/x", "GET: /x",
    ] {
        let error = text.parse::<Route>().expect_err(text);
        assert!(matches!(error, RouteError::Form { .. }), "{text}: {error}");
        assert!(error.to_string().contains("POST:/api/hello"), "{error}");
    }
}

#[test]
fn a_path_no_request_can_have_is_refused() {
    for path in [
        "//x",
        "/a//b",
        "/a/../b",
        "/./a",
        "/..",
        "/a;b=c",
        "/a.",
        "/API/v1/x",
        "/Health",
        "/a%2fb",
        "/%2e%2e",
        "/a b",
        "/a\\b",
        "/a\u{0}b",
        "/a%00",
        "/%61",
        "/a%",
    ] {
        let error = format!("GET:{path}").parse::<Route>().expect_err(path);
        assert!(matches!(error, RouteError::NotCanonical { .. }), "{path}: {error}");
    }
}

#[test]
fn other_spellings_of_parameters_and_encodings_are_told_the_form() {
    for (path, hint) in [
        ("/users/:id", "{name}"),
        ("/files/{*path}", "*name"),
        ("/a/{}", "{name}"),
        ("/a/{b-c}", "{name}"),
        ("/a/{1b}", "{name}"),
        ("/a/*", "*name"),
        ("/a/b*", "as themselves"),
        ("/a/x{b}", "as themselves"),
        ("/a/{b}x", "as themselves"),
        ("/a/%C3%BC", "as themselves"),
        ("/ü", "as themselves"),
        ("/a?b", "as themselves"),
        ("/a#b", "as themselves"),
    ] {
        let error = format!("GET:{path}").parse::<Route>().expect_err(path);
        assert!(matches!(&error, RouteError::Segment { .. }), "{path}: {error}");
        assert!(error.to_string().contains(hint), "{error}");
    }
    assert!(matches!("GET:/a/{b}/{b}".parse::<Route>(), Err(RouteError::TwiceNamed { .. })));
    assert!(matches!("GET:/*a/b".parse::<Route>(), Err(RouteError::BehindWildcard { .. })));
    assert!(matches!("GET:/*a/".parse::<Route>(), Err(RouteError::BehindWildcard { .. })));
}

#[test]
fn length_and_parts_are_limited() {
    let long = |length: usize| format!("GET:/{}", "a".repeat(length - 1));
    assert!(long(LONGEST_PATH).parse::<Route>().is_ok());
    assert_eq!(long(LONGEST_PATH + 1).parse::<Route>(), Err(RouteError::TooLong { length: LONGEST_PATH + 1 }));
    assert!(format!("GET:{}", "/a".repeat(MOST_SEGMENTS)).parse::<Route>().is_ok());
    assert!(format!("GET:{}", "/a".repeat(MOST_SEGMENTS + 1)).parse::<Route>().is_err());
    let parameters = |count: usize| (0..count).map(|index| format!("/{{p{index}}}")).collect::<String>();
    assert!(format!("GET:{}", parameters(MOST_PARAMETERS)).parse::<Route>().is_ok());
    assert!(format!("GET:{}", parameters(MOST_PARAMETERS + 1)).parse::<Route>().is_err());
    let name = |length: usize| format!("GET:/{{{}}}", "a".repeat(length));
    assert!(name(32).parse::<Route>().is_ok() && name(33).parse::<Route>().is_err());
    let error = "x".repeat(1_000_000).parse::<Route>().expect_err("no route");
    assert!(error.to_string().len() < 400);
}

#[test]
fn routes_collide_when_only_names_tell_them_apart() {
    for (one, other, collide) in [
        ("GET:/a", "GET:/a", true),
        ("GET:/a", "ANY:/a", false),
        ("GET:/a", "POST:/a", false),
        ("GET:/a", "GET:/a/", false),
        ("GET:/a/{x}", "GET:/a/{y}", true),
        ("GET:/a/{x}", "ANY:/a/{y}", true),
        ("ANY:/a/{x}", "ANY:/a/{y}", true),
        ("GET:/a/{x}", "ANY:/a/{x}", false),
        ("GET:/a/{x}", "POST:/a/{y}", false),
        ("GET:/a/*x", "GET:/a/*y", true),
        ("GET:/a/*x", "GET:/a/{x}", false),
        ("GET:/a/{x}", "GET:/a/b", false),
    ] {
        let (one, other) = (route(one), route(other));
        assert_eq!(one.collides(&other), collide, "{one} {other}");
        assert_eq!(other.collides(&one), collide, "{other} {one}");
    }
}

proptest! {
    /// Whatever is accepted prints as it was written, and a request could have its path.
    #[test]
    fn what_is_accepted_has_one_form(text in "(GET|ANY|get)?:?/?[a-zA-Z{}*:/.%;2eF]{0,24}") {
        if let Ok(route) = text.parse::<Route>() {
            prop_assert_eq!(route.to_string(), text);
            prop_assert_eq!(crate::path_fault(route.path()), None);
            prop_assert!(route.collides(&route));
        }
    }
}
