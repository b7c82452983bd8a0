//! Where a server is: `http://HOST:PORT`.

use hyper::http::uri::{Authority, Scheme, Uri};
use std::fmt;
use std::str::FromStr;

/// The port of a server whose address names none.
const DEFAULT_PORT: u16 = 8080;
/// How much of a refused address its error repeats.
const GIVEN_CHARACTERS: usize = 120;

/// The address of a server, known to have a host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    authority: Authority,
}

/// Why a text is not the address of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not the address of a server: {reason}; accepted: http://HOST:PORT or HOST:PORT")]
pub struct AddressError {
    /// The text as given, cut when long.
    pub given: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Address {
    /// Host and port, as they stand in the `Host` header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.authority.as_str()
    }

    /// The same without a port, to find the server by; brackets of IPv6 addresses are off.
    pub(crate) fn host(&self) -> &str {
        self.authority.host().trim_start_matches('[').trim_end_matches(']')
    }

    pub(crate) fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(DEFAULT_PORT)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = |reason| AddressError { given: text.chars().take(GIVEN_CHARACTERS).collect(), reason };
        let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let uri: Uri = whole.parse().map_err(|_| refused("it is not a URL"))?;
        match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => {}
            Some(scheme) if *scheme == Scheme::HTTPS => {
                return Err(refused("https is not offered; put a proxy that ends it on this machine"));
            }
            _ => return Err(refused("its scheme is not http")),
        }
        if uri.path_and_query().is_some_and(|rest| rest.as_str() != "/") || whole.contains('#') {
            return Err(refused("something follows the port"));
        }
        let authority = uri.into_parts().authority.ok_or_else(|| refused("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(refused("it holds credentials, which do not belong into addresses"));
        }
        if authority.host().is_empty() {
            return Err(refused("it names no host"));
        }
        // `HOST:` has a colon and no port; a port above 65535 is none.
        let named = authority.as_str().len() > authority.host().len();
        if named && authority.port_u16().is_none() {
            return Err(refused("its port is not a number from 1 to 65535"));
        }
        if authority.port_u16() == Some(0) {
            return Err(refused("its port is 0"));
        }
        if named {
            return Ok(Self { authority });
        }
        let authority = format!("{authority}:{DEFAULT_PORT}").parse().map_err(|_| refused("it is not a URL"))?;
        Ok(Self { authority })
    }
}

#[cfg(test)]
mod tests {
    use super::Address;
    use proptest::prelude::*;

    #[test]
    fn a_host_and_a_port_are_found() {
        for (text, shown, host, port) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "127.0.0.1", 8080),
            ("127.0.0.1:9000/", "http://127.0.0.1:9000", "127.0.0.1", 9000),
            ("localhost", "http://localhost:8080", "localhost", 8080),
            ("http://[::1]:81", "http://[::1]:81", "::1", 81),
            ("[::1]", "http://[::1]:8080", "::1", 8080),
        ] {
            let address: Address = text.parse().expect(text);
            assert_eq!((address.to_string().as_str(), address.host(), address.port()), (shown, host, port));
        }
    }

    #[test]
    fn everything_else_is_refused_with_what_is_accepted() {
        for (text, reason) in [
            ("", "URL"),
            ("https://example.org", "https"),
            ("ftp://example.org", "scheme"),
            ("http://example.org/path", "follows"),
            ("http://example.org?x", "follows"),
            ("http://name:secret@example.org", "credentials"),
            ("example.org:", "port"),
            ("example.org:0", "port"),
            ("example.org:65536", "port"),
            ("exam ple", "URL"),
        ] {
            let error = text.parse::<Address>().expect_err(text).to_string();
            assert!(error.contains(reason) && error.contains("accepted: http://HOST:PORT"), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_what_passes_reads_back(text in ".{0,40}") {
            if let Ok(address) = text.parse::<Address>() {
                prop_assert_eq!(address.to_string().parse(), Ok(address));
            }
        }
    }
}
