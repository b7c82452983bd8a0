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
//! Invariants:
//! - a zygote never runs again once it is parked, and nothing but this module's calls runs in its copies
//!   before P is let go;
//! - P has no capability, no descriptor but the four it was given, and is in the sandbox's cgroup before
//!   it runs its first instruction;
//! - tracing belongs to the thread: one thread hatches, starts and drops all zygotes of a process;
//! - whatever fails, X, Y and P are gone afterwards, and the launcher's death kills the zygote with them.
//!
//! What a zygote may not have: memory that is shared with others (`MAP_SHARED`), which a copy would
//! share too. It cannot be looked for here, as that would take a capability the launcher has not got;
//! our own runners make none.
//!
//! The launcher calls this. Needs x86-64, as everything here does that counts system calls.

mod hatch;
mod letter;
mod park;
mod script;
mod shell;
mod start;
mod step;
mod tracee;
mod waiter;
mod walker;

pub use hatch::{HatchError, HatchStep, Hatching, STEM, ZygotePlan, hatch};
pub use shell::{Fault, Shell, clone_as_owner};
pub use start::Parked;
pub use step::{StartError, StartStep};
pub use waiter::Waiter;
