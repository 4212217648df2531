#![no_main]

libfuzzer_sys::fuzz_target!(|input: &str| headroom_fuzz::scope(input));
