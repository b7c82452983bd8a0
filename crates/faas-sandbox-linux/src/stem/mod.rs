//! How a sandbox's program is started from a zygote: an interpreter that is warmed up and parked, and
//! whose memory is copied into a shell that was assembled ahead.
//!
//! ```text
//! Z, the zygote ──clone──▶ X ──setns──▶ the shell ──clone──▶ Y (pid 2) ──clone──▶ P (pid 3), the program
//!   parked for ever         killed                            killed              let go
//! ```
//!
//! A process without capabilities cannot put its own copy into other namespaces, so the launcher, which
//! traces the zygote ([`hatch`]), makes it: it places system calls in the stopped zygote ([`Parked::start`]).
//! X may join the shell because the zygote's user owns the shell's user namespace ([`clone_as_owner`]).
//! Y lives in the shell, so that P becomes a child of the shell's init when Y is gone.
//!
//! A program may itself become a zygote ([`Stem`]): then what is copied from Z stays outside of the shell, as T, and X is
//! made beside it. T shares P's memory and signal handlers, and stands still for as long as it lives.
//!
//! ```text
//! Z ──clone──▶ T ──clone──▶ X ──setns──▶ Y ──▶ P ──stops itself;  T ──clone (copies memory)──▶ a zygote as any other
//! ```
//!
//! Invariants:
//! - a zygote never runs again once it is parked, and nothing but this module's calls runs in its copies
//!   before P is let go;
//! - P has no capability, no descriptor but the four it was given, and is in the sandbox's cgroup before
//!   it runs its first instruction;
//! - tracing belongs to the thread: one thread hatches, starts and drops all zygotes of a process;
//! - whatever fails, X, Y, P and T are gone afterwards, and the launcher's death kills the zygote with them;
//! - a zygote's memory may be hostile: what walks in its copies is ours, in room that the kernel gave for it, and what
//!   is told of them is the kernel's word.
//!
//! What a zygote may not have: memory that is shared with others (`MAP_SHARED`), which a copy would
//! share too. It is looked for where a program becomes one; our own runners make none.
//!
//! The launcher calls this. Needs x86-64, as everything here does that counts system calls.

mod adopt;
mod hatch;
mod letter;
mod park;
mod pinned;
mod proc;
mod script;
mod shell;
mod single;
mod start;
mod step;
mod tracee;
mod waiter;
mod walk;
mod walker;

pub use adopt::{AdoptStep, Nest, Stem};
pub use hatch::{HatchError, HatchStep, Hatching, STEM, ZygotePlan, hatch};
pub use shell::{Fault, Shell, clone_as_owner};
pub use start::{Parked, Started};
pub use step::{StartError, StartStep};
pub use waiter::Waiter;
