//! Programs that stay, in real sandboxes: asked one call after the other, and several at once.

#![expect(clippy::expect_used, reason = "a test that cannot start has failed")]

mod alone;
mod shared;
mod staying;
