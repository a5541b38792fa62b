//! Fuzz target: `guestconv::fuzzing::map`.

#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| guestconv::fuzzing::map(input));
