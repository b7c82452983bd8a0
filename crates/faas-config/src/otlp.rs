//! Where spans are sent.

/// `http://HOST[:PORT][/PATH]`, without the slash at its end.
///
/// Refused is what could not be honoured: encryption, credentials, a query.
pub(crate) fn endpoint(text: &str) -> Option<String> {
    let rest = text.strip_prefix("http://")?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let plain = |extra: &'static [u8]| move |byte: u8| byte.is_ascii_alphanumeric() || extra.contains(&byte);
    let fits = !authority.is_empty() && authority.bytes().all(plain(b".-:[]")) && path.bytes().all(plain(b"/._~-"));
    fits.then(|| text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::endpoint;

    #[test]
    fn an_address_is_taken_and_what_cannot_be_honoured_is_not() {
        for (text, taken) in [
            ("http://localhost:4318", "http://localhost:4318"),
            ("http://[::1]:4318/", "http://[::1]:4318"),
            ("http://collector/otlp", "http://collector/otlp"),
        ] {
            assert_eq!(endpoint(text).as_deref(), Some(taken));
        }
        for text in [
            "",
            "localhost:4318",
            "https://c:4318",
            "http://",
            "http:///a",
            "http://u:p@c",
            "http://c/?a=b",
            "http://c d",
        ] {
            assert_eq!(endpoint(text), None, "{text}");
        }
    }
}
