//! Fuzz target: `guestconv::fuzzing::request`.

#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| guestconv::fuzzing::request(input));
