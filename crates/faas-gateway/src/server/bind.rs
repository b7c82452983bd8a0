//! Where the server may listen.
//!
//! Invariant: without credentials, only programs of this machine can reach it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Why the server does not listen there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// Not an address.
    #[error(
        "{given:?} is not an address; accepted: PORT, :PORT, ADDRESS:PORT, [ADDRESS]:PORT; for example 127.0.0.1:8080"
    )]
    Malformed {
        /// The text as given.
        given: String,
    },
    /// Other machines can reach it, and nothing asks them who they are.
    #[error(
        "{address} can be reached from other machines, and no credentials are configured; use --listen 127.0.0.1:{} and forward that port",
        address.port()
    )]
    Exposed {
        /// The address.
        address: SocketAddr,
    },
}

/// The address a text stands for: `:PORT` and a bare port are on loopback.
///
/// # Errors
/// The text is not an address, or the address is not a loopback one.
pub fn bind_address(text: &str) -> Result<SocketAddr, BindError> {
    let malformed = || BindError::Malformed { given: text.chars().take(64).collect() };
    let port = text.strip_prefix(':').unwrap_or(text);
    let address = if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port.parse().map_err(|_| malformed())?)
    } else if let Some(port) = text.strip_prefix("localhost:") {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port.parse().map_err(|_| malformed())?)
    } else {
        text.parse().map_err(|_| malformed())?
    };
    if address.ip().to_canonical().is_loopback() { Ok(address) } else { Err(BindError::Exposed { address }) }
}

#[cfg(test)]
mod tests {
    use super::{BindError, bind_address};

    #[test]
    fn a_port_alone_is_on_loopback() {
        for (text, address) in [
            ("8080", "127.0.0.1:8080"),
            (":8080", "127.0.0.1:8080"),
            ("localhost:0", "127.0.0.1:0"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("127.9.9.9:80", "127.9.9.9:80"),
            ("[::1]:80", "[::1]:80"),
            ("[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.1]:80"),
        ] {
            assert_eq!(bind_address(text).expect(text).to_string(), address);
        }
    }

    #[test]
    fn an_address_that_others_can_reach_is_refused_with_the_way_out() {
        for text in ["0.0.0.0:8080", "[::]:8080", "192.168.1.2:8080", "[fe80::1]:8080", "[::ffff:10.0.0.1]:8080"] {
            let refusal = bind_address(text).expect_err(text);
            assert!(matches!(refusal, BindError::Exposed { .. }), "{refusal}");
            assert!(refusal.to_string().contains("--listen 127.0.0.1:8080"), "{refusal}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", ":", "65536", ":-1", "+80", "example.com:80", "127.0.0.1", "::1:80", "localhost:", " 80"] {
            assert!(matches!(bind_address(text), Err(BindError::Malformed { .. })), "{text:?}");
        }
    }
}
