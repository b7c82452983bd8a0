//! Addresses to listen on.
//!
//! Only literal addresses: a name could mean another address tomorrow, and resolving one is I/O.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// 127.0.0.1:8080.
pub(crate) fn default() -> Vec<SocketAddr> {
    vec![on_loopback(8080)]
}

/// Where clients of other platforms look.
pub(crate) fn compatible() -> [SocketAddr; 2] {
    [on_loopback(8000), on_loopback(9080)]
}

/// One address or several with commas. Port 0 lets the system choose, so only that may appear twice.
pub(crate) fn parse(text: &str) -> Option<Vec<SocketAddr>> {
    let addresses: Vec<SocketAddr> = text.split(',').map(|part| address(part.trim())).collect::<Option<_>>()?;
    let twice = |(index, address): (usize, &SocketAddr)| address.port() != 0 && addresses[..index].contains(address);
    (!addresses.iter().enumerate().any(twice)).then_some(addresses)
}

fn address(text: &str) -> Option<SocketAddr> {
    match text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':')) {
        Some(number) => port(number).map(on_loopback),
        None => port(text).map(on_loopback).or_else(|| text.parse().ok()),
    }
}

/// Digits only: the parser of integers alone would take a plus sign.
fn port(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

const fn on_loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn every_form_means_its_address() {
        for (text, addresses) in [
            (":8080", ["127.0.0.1:8080"].as_slice()),
            ("8080", &["127.0.0.1:8080"]),
            ("localhost:80", &["127.0.0.1:80"]),
            ("0.0.0.0:1, [::1]:2", &["0.0.0.0:1", "[::1]:2"]),
            (":0,:0", &["127.0.0.1:0", "127.0.0.1:0"]),
        ] {
            let expected: Vec<_> = addresses.iter().map(|address| address.parse().unwrap()).collect();
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_or_twice_the_same_is_none() {
        for text in ["", ":", "+80", ":+80", "65536", ":-1", "example.com:80", "127.0.0.1", "::1:80", "80,", "80,:80"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
