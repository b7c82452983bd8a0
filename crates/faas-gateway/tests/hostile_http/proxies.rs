//! Row 77: fields that only a proxy or the platform could set.

use crate::support::{Host, status};
use faas_gateway::HttpLimits;

#[tokio::test]
async fn forwarded_and_platform_fields_never_reach_a_route() {
    let host = Host::start(HttpLimits::default()).await;
    let answer = host
        .exchange(
            "GET /headers HTTP/1.1\r\nhost: localhost\r\nX-Forwarded-For: 1.2.3.4\r\nx-forwarded-host: evil.example\r\n\
             Forwarded: for=1.2.3.4\r\nX-FaaS-Tenant: ten_other\r\nX-Real-IP: 1.2.3.4\r\nx-kept: yes\r\nconnection: close\r\n\r\n",
        )
        .await;
    assert_eq!(status(&answer), 200, "{answer}");
    for spoofed in ["1.2.3.4", "evil.example", "ten_other"] {
        assert!(!answer.contains(spoofed), "{answer}");
    }
    assert!(answer.contains("x-kept"), "{answer}");
}

#[tokio::test]
async fn a_forwarded_host_does_not_excuse_a_foreign_one() {
    let host = Host::start(HttpLimits::default()).await;
    let answer = host
        .exchange(
            "GET /health HTTP/1.1\r\nhost: evil.example\r\nx-forwarded-host: localhost\r\nconnection: close\r\n\r\n",
        )
        .await;
    assert_eq!(status(&answer), 403, "{answer}");
}

#[tokio::test]
async fn naming_a_field_in_connection_does_not_make_it_disappear() {
    let host = Host::start(HttpLimits::default()).await;
    let answer = host
        .exchange(
            "GET /health HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer eyJhbGciOiJub25lIn0.e30.\r\n\
             connection: authorization, x-request-id, close\r\nx-request-id: mine-1\r\n\r\n",
        )
        .await;
    assert_eq!(status(&answer), 401, "the credential was dropped: {answer}");
    assert!(answer.contains("x-request-id: mine-1\r\n"), "{answer}");
}
