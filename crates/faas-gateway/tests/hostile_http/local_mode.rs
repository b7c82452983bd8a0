//! Local mode: pages of other sites, other names for this host, credentials.

use crate::support::{Host, code, status};
use faas_gateway::HttpLimits;

async fn with(host: &Host, fields: &str) -> String {
    host.exchange(format!("GET /health HTTP/1.1\r\n{fields}connection: close\r\n\r\n")).await
}

#[tokio::test]
async fn another_sites_page_and_a_rebound_name_are_refused() {
    let host = Host::start(HttpLimits::default()).await;
    for fields in [
        "host: localhost\r\norigin: https://evil.example\r\n",
        "host: localhost\r\norigin: null\r\n",
        "host: localhost:8080\r\norigin: http://localhost:3000\r\n",
        "host: evil.example\r\n",
        "host: evil.example\r\norigin: http://evil.example\r\n",
        "host: localhost.evil.example\r\n",
    ] {
        let answer = with(&host, fields).await;
        assert_eq!((status(&answer), code(&answer).as_str()), (403, "origin_refused"), "{fields:?}: {answer}");
        assert!(!answer.to_ascii_lowercase().contains("access-control-"), "{answer}");
    }
    let answer = with(&host, "host: localhost:8080\r\norigin: http://localhost:8080\r\n").await;
    assert_eq!(status(&answer), 200, "{answer}");
    assert!(!answer.to_ascii_lowercase().contains("access-control-"), "{answer}");
}

#[tokio::test]
async fn another_sites_page_opens_no_websocket() {
    let host = Host::start(HttpLimits::default()).await;
    let upgrade = |origin: &str| {
        format!(
            "GET /socket HTTP/1.1\r\nhost: localhost\r\n{origin}connection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
    };
    let mut stream = host.connect().await;
    tokio::io::AsyncWriteExt::write_all(&mut stream, upgrade("origin: http://evil.example\r\n").as_bytes())
        .await
        .expect("sent");
    assert_eq!(status(&crate::support::answer(&mut stream).await), 403);
    for own in ["", "origin: http://localhost\r\n"] {
        assert_eq!(status(&host.exchange(upgrade(own)).await), 101);
    }
}

#[tokio::test]
async fn a_request_without_or_with_two_hosts_is_400() {
    let host = Host::start(HttpLimits::default()).await;
    for fields in ["", "host: localhost\r\nhost: localhost\r\n", "host: a@localhost\r\n"] {
        let answer = with(&host, fields).await;
        assert_eq!((status(&answer), code(&answer).as_str()), (400, "invalid_field"), "{fields:?}: {answer}");
    }
}

#[tokio::test]
async fn sample_keys_work_unknown_keys_warn_and_forged_tokens_are_401() {
    let host = Host::start(HttpLimits::default()).await;
    let key = async |value: &str| with(&host, &format!("host: localhost\r\nauthorization: Bearer {value}\r\n")).await;
    for sample in ["demo-key", "admin-key"] {
        let answer = key(sample).await;
        assert!(status(&answer) == 200 && !answer.contains("warning: "), "{answer}");
    }
    let answer = key("your-api-key").await;
    assert!(status(&answer) == 200 && answer.contains("warning: 299 - \""), "{answer}");
    for forged in ["eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJIUzI1NiJ9", "a.b.c"] {
        let answer = key(forged).await;
        assert_eq!((status(&answer), code(&answer).as_str()), (401, "unauthorized"), "{forged}: {answer}");
        assert!(answer.contains("www-authenticate: Bearer\r\n"), "{answer}");
    }
}
