//! Fields that only a trusted proxy or the platform itself could set.
//!
//! There is no trusted proxy in local mode, so they are removed: nothing behind this can believe
//! them. The names listed in `Connection` are not followed at all; a caller cannot use them to make
//! a credential or one of our fields disappear.

use axum::http::{HeaderMap, HeaderName};

const PREFIXES: [&str; 2] = ["x-forwarded-", "x-faas-"];
const NAMES: [&str; 4] = ["forwarded", "x-real-ip", "x-original-url", "x-rewrite-url"];

/// Removes them.
pub(super) fn remove(headers: &mut HeaderMap) {
    let is_spoofed = |name: &HeaderName| {
        PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix)) || NAMES.contains(&name.as_str())
    };
    let spoofed: Vec<_> = headers.keys().filter(|name| is_spoofed(name)).cloned().collect();
    for name in spoofed {
        headers.remove(name);
    }
}
