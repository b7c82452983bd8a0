//! Fuzzes a runner's byte stream.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| faas_fuzz::call(data));
