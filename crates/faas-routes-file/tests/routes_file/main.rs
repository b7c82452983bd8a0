//! The routes file as its writers make it, kindly or not, and the modules that its rows name.

#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod harness;
mod hostile_rows;
mod live;
mod modules;
