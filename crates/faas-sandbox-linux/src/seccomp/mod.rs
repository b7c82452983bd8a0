//! The two filters.
//!
//! [`base`] is installed once, in the launcher, and inherited by every sandbox for free: what
//! neither the launcher nor any sandbox ever needs. [`seal`] is installed in each sandbox as the
//! last step before init: what the launcher needs and user code must not have. Installing costs time
//! linear in the length (80 us for 30 instructions, 430 us for 150), so the seal is short. Zygotes have
//! [`seal_traced`] instead, which denies the same calls to whoever has no tracer.

mod base;
mod program;
mod seal;

pub use base::base;
pub use program::{Action, Condition, Program, Rule};
pub use seal::{seal, seal_traced};

#[cfg(test)]
mod tests;
