//! The init binary. Everything is in the library; this is only the entry.
//!
//! There is no Rust `main`: the standard start-up code changes signal dispositions and probes
//! descriptors, which costs time in every sandbox and would be inherited by user code.

#![no_main]

use core::ffi::{c_char, c_int};

/// Called by the C start-up code. Arguments are not read: init is configured by its socket alone.
// SAFETY: `main` is defined once in this program, with the signature the C start-up code calls.
#[unsafe(no_mangle)]
extern "C" fn main(_count: c_int, _arguments: *const *const c_char) -> c_int {
    faas_guest_agent::run()
}
