//! Fuzzes quantities as a user writes them.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| faas_fuzz::quantities(data));
