//! One path, one spelling.
//!
//! A path that a router, a proxy or a policy could read in two ways is refused, so that what is
//! decided about it is decided about what is served: empty and dot segments, encoded separators,
//! dots and plain characters, path parameters, backslashes, a trailing dot, and a reserved name in
//! another case. The gateway asks it of every request, [`Route`](crate::Route) of every route.

use crate::decode::hexadecimal;

/// First segments that belong to the platform in every spelling.
const RESERVED: [&str; 22] = [
    "api",
    "auth",
    "branches",
    "capabilities",
    "docs",
    "events",
    "execute",
    "executions",
    "functions",
    "health",
    "instances",
    "invoke",
    "limits",
    "metrics",
    "objects",
    "openapi.json",
    "ready",
    "secrets",
    "snapshots",
    "stats",
    "usage",
    "users",
];

/// Why a path is not in its one spelling; `None` when it is. It reads behind "the path".
#[must_use]
pub fn fault(path: &str) -> Option<&'static str> {
    let Some(relative) = path.strip_prefix('/') else { return Some("does not begin with a slash") };
    let mut segments = relative.split('/').peekable();
    let mut first = true;
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        if segment.is_empty() && !last {
            return Some("has an empty segment; write one slash");
        }
        if segment == "." || segment == ".." {
            return Some("has a dot segment; write the path it leads to");
        }
        if segment.ends_with('.') {
            return Some("has a segment that ends with a dot");
        }
        if first
            && segment.bytes().any(|byte| byte.is_ascii_uppercase())
            && RESERVED.iter().any(|name| segment.eq_ignore_ascii_case(name))
        {
            return Some("has a reserved name in upper case; write it in lower case");
        }
        first = false;
        if let Some(fault) = characters(segment.as_bytes()) {
            return Some(fault);
        }
    }
    None
}

fn characters(segment: &[u8]) -> Option<&'static str> {
    // As most are.
    if segment.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte)) {
        return None;
    }
    let mut rest = segment;
    let mut decoded = Vec::new();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b';' => return Some("has a semicolon; parameters of segments are not known here"),
            b'\\' => return Some("has a backslash; write a slash"),
            b'%' => {
                let [high, low, after @ ..] = after else { return Some("has an unfinished percent encoding") };
                let (Some(high), Some(low)) = (hexadecimal(*high), hexadecimal(*low)) else {
                    return Some("has a percent sign that encodes nothing");
                };
                match high << 4 | low {
                    b'/' | b'\\' => return Some("has an encoded separator"),
                    b'.' | b'-' | b'_' | b'~' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                        return Some("encodes a character that is written as itself");
                    }
                    b';' => return Some("has an encoded semicolon"),
                    0..=0x1f | 0x7f => return Some("has a control character"),
                    byte => decoded.push(byte),
                }
                rest = after;
            }
            0..=b' ' | 0x7f => return Some("has a control character"),
            byte => decoded.push(byte),
        }
    }
    str::from_utf8(&decoded).is_err().then_some("encodes bytes that are not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::fault;
    use proptest::prelude::*;

    #[test]
    fn ordinary_paths_pass() {
        for path in [
            "/",
            "/health",
            "/api/v1/executions",
            "/api/v1/executions/exe_01/logs",
            "/invoke/Resize",
            "/hello/",
            "/files/a.tar.gz",
            "/files/%C3%BC%20b",
            "/files/%c3%bc",
            "/Apis",
            "/a:b/@c",
            "/.well-known/x",
            "/...x",
        ] {
            assert_eq!(fault(path), None, "{path}");
        }
    }

    #[test]
    fn every_second_spelling_is_refused() {
        for path in [
            "",
            "*",
            "api/v1",
            "//api/v1/x",
            "/api//v1",
            "/api/../v1",
            "/api/./v1",
            "/..",
            "/.",
            "/api/v1/..",
            "/%2e%2e/x",
            "/%2E",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/api;a=b/v1",
            "/api/v1;x",
            "/a%3Bb",
            "/API/v1",
            "/Health",
            "/health.",
            "/api./v1",
            "/a...",
            "/%61pi",
            "/a%00",
            "/a%0d%0a",
            "/a%",
            "/a%4",
            "/a%zz",
            "/a%ff",
            "/a%c3/%bc",
            "/a%c3",
            "/a b",
            "/a\u{7f}",
            "//",
        ] {
            assert!(fault(path).is_some(), "{path:?} passed");
        }
    }

    proptest! {
        /// Decoding what passed gives no new separator and no dot segment: nothing can be hidden.
        #[test]
        fn what_passes_means_the_same_after_decoding(path in "/([a-zA-Z0-9./;%]|%2[eEfF]|%[0-9a-f]{2}){0,24}") {
            if fault(&path).is_none() {
                let mut decoded = Vec::new();
                let mut bytes = path.bytes();
                while let Some(byte) = bytes.next() {
                    if byte == b'%' {
                        let pair = [bytes.next(), bytes.next()].map(|digit| char::from(digit.expect("a digit")));
                        decoded.push(u8::from_str_radix(&pair.iter().collect::<String>(), 16).expect("two digits"));
                    } else {
                        decoded.push(byte);
                    }
                }
                let separators = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte == b'/').count();
                prop_assert_eq!(separators(&decoded), separators(path.as_bytes()));
                for segment in decoded.split(|&byte| byte == b'/') {
                    prop_assert!(segment != b"." && segment != b"..");
                }
            }
        }
    }
}
