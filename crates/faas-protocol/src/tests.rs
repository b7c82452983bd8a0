//! Tests that concern all conversations alike.

mod golden;
mod roundtrip;
pub(crate) mod strategies;
