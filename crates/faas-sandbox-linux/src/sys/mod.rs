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
mod ptrace;
mod wait;

pub(crate) use clone::error_of;
pub use clone::{CloneFlags, Cloned, clone3};
pub use exec::{execute, execveat};
pub use misc::{
    close_between, close_range, detached_read_only, dup_onto, exit_now, install_filter, join_new_session_keyring,
    loopback_up, mount_read_only, unshare, with_descriptor,
};
pub(crate) use ptrace::{
    RestartableArea, extended_state, go_on, let_go, new_child, read_registers, read_word, restartable_area, seize,
    set_extended_state, set_signal_mask, signal_mask, step_on, trace_all, trace_me, write_registers, write_word,
};
pub(crate) use wait::{
    Change, bury, child_signals, look_at_child, raise_child_signal, usual_signals, wait_for_child_signal,
};
