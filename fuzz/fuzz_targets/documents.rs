//! Fuzz target: `guestconv::fuzzing::documents`.

#![no_main]
mod json;
libfuzzer_sys::fuzz_target!(|input: &[u8]| guestconv::fuzzing::documents(input));
libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    json::mutated(data, size, max_size, seed, 1)
});
