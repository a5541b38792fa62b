//! Fuzz target: `guestconv::fuzzing::image`.

#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| guestconv::fuzzing::image(input));
