//! Layer 1: the frames between the host and what runs inside a sandbox.
//!
//! Three conversations, one header ([`frame`]):
//! - [`control`]: host and init (pid 1), one `SOCK_SEQPACKET` message per frame, descriptors attached.
//! - [`call`]: host and runner (the language shim), a byte stream.
//! - [`launcher`]: server and launcher, one `SOCK_SEQPACKET` message per frame; both ends are ours.
//!
//! Every byte that comes from inside is hostile: a decoder never panics, never allocates for
//! bytes that are only announced, and answers anything unexpected with an error that ends the conversation.

pub mod call;
pub mod control;
pub mod flow;
pub mod frame;
pub mod launcher;
pub mod leftover;
pub mod wire;

/// The version of all three conversations. Both ends are built together; another version is refused.
pub const VERSION: u16 = 8;

#[cfg(test)]
mod tests;
