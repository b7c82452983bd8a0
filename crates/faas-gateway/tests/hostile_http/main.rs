//! Hostile HTTP against a small router behind the real server and every check: raw sockets, hand-made
//! frames, short limits. The number beside a module is its row in the list of hostile inputs.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod bodies; // 80, and the body's part of 72
mod framing; // 73
mod http2; // 75
mod life; // draining, places, panics, connections in process
mod local_mode; // Origin, Host, credentials
mod paths; // 76
mod proxies; // 77
mod size; // 74
mod slow; // 72
mod support;
