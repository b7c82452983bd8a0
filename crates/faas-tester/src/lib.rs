//! Layer 6: what the tests of the whole product share.

pub mod host;
pub mod server;
