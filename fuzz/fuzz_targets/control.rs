//! Fuzzes what init and the host say to each other.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| faas_fuzz::control(data));
