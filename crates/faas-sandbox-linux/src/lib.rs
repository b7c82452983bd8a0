//! Layer 2: the Linux mechanisms a process sandbox is made of, and the home of `unsafe`.
//!
//! Namespaces, id maps, mounts, cgroups v1 and v2, seccomp, landlock, sealed memory, packets with
//! descriptors, the journal of what a host owns. Everything here is synchronous and single-threaded:
//! the launcher uses it all; the server only [`packet`] and [`sealed`].
//!
//! Invariant: `unsafe` lives in [`sys`] alone, behind functions that are safe to call.

pub mod assemble;
pub mod caps;
pub mod cgroup;
pub mod delegate;
pub mod landlock;
pub mod netns;
pub mod packet;
pub mod root;
pub mod sealed;
pub mod seccomp;
pub mod slot;
pub mod stem;
pub mod sys;
