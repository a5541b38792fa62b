//! Fuzz target: `guestconv::fuzzing::proof`.

#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| guestconv::fuzzing::proof(input));
