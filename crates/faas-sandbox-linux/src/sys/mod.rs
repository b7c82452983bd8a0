//! System calls that no library offers safely. Each function here is safe to call; what makes the
//! call itself sound stands at its `unsafe` block.

#![expect(unsafe_code, reason = "the one home of unsafe in the main workspace")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "numbers cross the kernel's interface in its own widths"
)]

mod clone;
mod exec;
mod misc;

pub use clone::{CloneFlags, Cloned, clone3};
pub use exec::execveat;
pub use misc::{
    close_range, detached_read_only, dup_onto, exit_now, install_filter, join_new_session_keyring, loopback_up,
    mount_read_only, unshare, with_descriptor,
};
