//! Gives the library its soname, whoever builds it: `libguestconv.so.` and the number of its ABI, which changes when a
//! program that was linked before would no longer run.
#![allow(clippy::print_stdout, reason = "a build script talks to cargo by its standard output")]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libguestconv.so.0");
}
