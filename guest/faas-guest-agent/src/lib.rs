//! Init: the first process of every sandbox. It reaps, writes files, starts programs and passes
//! their pipes to the host; it never holds user code.
//!
//! The launcher executes it with descriptors 0, 1 and 2 on `/dev/null` and its end of the control
//! socket as descriptor 3. It speaks [`faas_protocol::control`] until the host goes away; as pid 1
//! its end is the end of everything in the sandbox.
//!
//! Invariants:
//! - One thread, no signal handler, no environment read, no path of the host's choosing followed
//!   through a symlink.
//! - Every descriptor it holds is close-on-exec; a program gets 0, 1, 2 and, as a runner, 3.
//! - Whatever the host says out of order or unreadably ends the sandbox.
//! - `unsafe` lives in [`sys`] alone.

mod agent;
mod areas;
mod files;
mod keep;
mod program;
mod recycle;
mod search;
mod sys;

pub use agent::run;
