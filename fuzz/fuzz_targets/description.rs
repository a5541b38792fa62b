//! Fuzz target: `guestconv::fuzzing::description`.

#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| guestconv::fuzzing::description(input));
