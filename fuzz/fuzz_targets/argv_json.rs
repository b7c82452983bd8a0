//! Fuzzes the reading of a program's standard output under the argv-json contract.

#![no_main]

use faas_lib::contract::{argv_json, error_message};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for cut in [false, true] {
        if let Ok(result) = argv_json(data, cut) {
            // Whatever it is, asking for its error message must not fail.
            let _ = error_message(&result);
        }
    }
});
