//! What programs are told.

use super::*;

fn request(path: &str, query: &str, headers: &[(&str, &[u8])]) -> Request {
    Request {
        method: "POST".to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect(),
        body_bytes: 5,
    }
}

fn of(request: &Request) -> Result<Variables, NulByte> {
    let script = Script { directory: "/workspace".to_owned(), path: "/workspace/main.php".to_owned() };
    Variables::of(request, &script)
}

fn value<'a>(variables: &'a Variables, name: &str) -> Option<&'a str> {
    variables.iter().find(|(held, _)| *held == name).map(|(_, value)| str::from_utf8(value).unwrap())
}

#[test]
fn a_request_becomes_variables() {
    let headers: &[(&str, &[u8])] =
        &[("host", b"example.com:8080"), ("Content-Type", b"text/plain"), ("content-length", b"77"), ("x-a", b"b")];
    let all = of(&request("/a%20b/%C3%A4%zz%", "c=%20d", headers)).unwrap();
    for (name, expected) in [
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("REQUEST_METHOD", "POST"),
        ("PATH_INFO", "/a b/ä%zz%"),
        ("QUERY_STRING", "c=%20d"),
        ("REQUEST_URI", "/a%20b/%C3%A4%zz%?c=%20d"),
        ("SCRIPT_NAME", ""),
        ("SCRIPT_FILENAME", "/workspace/main.php"),
        ("SERVER_NAME", "example.com"),
        ("SERVER_PORT", "8080"),
        ("HTTP_HOST", "example.com:8080"),
        ("HTTP_X_A", "b"),
        ("CONTENT_TYPE", "text/plain"),
        // What came, not what was said to come.
        ("CONTENT_LENGTH", "5"),
    ] {
        assert_eq!(value(&all, name), Some(expected), "{name}");
    }
    for absent in ["HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"] {
        assert_eq!(value(&all, absent), None, "{absent}");
    }
    assert_eq!(value(&of(&Request { body_bytes: 0, ..request("/", "", &[]) }).unwrap(), "CONTENT_LENGTH"), None);
}

#[test]
fn the_proxy_header_never_becomes_a_proxy() {
    for name in ["Proxy", "proxy", "PROXY"] {
        let all = of(&request("/", "", &[(name, b"http://evil.example")])).unwrap();
        assert_eq!(value(&all, "HTTP_PROXY"), None, "{name}");
    }
}

#[test]
fn two_headers_never_become_one_variable() {
    let all = of(&request("/", "", &[("x-user", b"real"), ("x_user", b"forged"), ("x.user", b"forged")])).unwrap();
    assert_eq!(value(&all, "HTTP_X_USER"), Some("real"));
    let all = of(&request("/", "", &[("x_user", b"forged")])).unwrap();
    assert_eq!(value(&all, "HTTP_X_USER"), None);
}

#[test]
fn headers_of_one_name_are_one_list() {
    let headers: &[(&str, &[u8])] = &[("Accept", b"a"), ("accept", b"b"), ("cookie", b"a=1"), ("Cookie", b"b=2")];
    let all = of(&request("/", "", headers)).unwrap();
    assert_eq!(value(&all, "HTTP_ACCEPT"), Some("a, b"));
    assert_eq!(value(&all, "HTTP_COOKIE"), Some("a=1; b=2"));
}

#[test]
fn no_header_replaces_a_variable_of_ours() {
    let headers: &[(&str, &[u8])] = &[("request-method", b"GET"), ("script-filename", b"/etc/passwd")];
    let all = of(&request("/", "", headers)).unwrap();
    assert_eq!(value(&all, "REQUEST_METHOD"), Some("POST"));
    assert_eq!(value(&all, "SCRIPT_FILENAME"), Some("/workspace/main.php"));
    assert_eq!(value(&all, "HTTP_REQUEST_METHOD"), Some("GET"));
}

#[test]
fn a_nul_is_refused_wherever_it_is() {
    for request in
        [request("/%00", "", &[]), request("/\0", "", &[]), request("/", "\0", &[]), request("/", "", &[("a", b"\0")])]
    {
        assert_eq!(of(&request), Err(NulByte), "{request:?}");
    }
    assert!(of(&request("/", "%00", &[])).is_ok(), "a query is not decoded");
}

#[test]
fn a_host_that_cannot_be_one_is_not_repeated() {
    for host in [&b""[..], b"a b", b"\xff", b"<script>"] {
        let all = of(&request("/", "", &[("host", host)])).unwrap();
        assert_eq!(value(&all, "SERVER_NAME"), Some("localhost"), "{host:?}");
    }
    let all = of(&request("/", "", &[("host", b"[::1]:80")])).unwrap();
    assert_eq!((value(&all, "SERVER_NAME"), value(&all, "SERVER_PORT")), (Some("[::1]"), Some("80")));
}
