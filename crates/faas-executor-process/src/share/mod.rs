//! A program that stays and is asked several calls at once.
//!
//! ```text
//! sandbox.share() ─▶ Hub ◀── ask ── callers
//!                     │  one task a call (asked.rs): its events, deadline, limits, usage
//!                     ├─ one task listens (listen.rs): frames ─▶ mailboxes; init, pipes, the sandbox's end
//!                     └─ one task writes, frame by frame
//! sandbox.recycle() ─▶ the tasks end, and the program is as it was before
//! ```
//! Invariants: every frame is checked before anything follows from it; what waits for one slow reader is never more
//! than three windows and holds nobody else up; a call that is over hears nothing more, and nothing of it is heard.

mod asked;
mod hub;
mod listen;
mod mailbox;
mod portions;

pub(crate) use hub::{Caller, Hub};
