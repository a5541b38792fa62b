//! Prints what is found on the disks of a guest: `cargo run --example look -- DISK…`. With `--manifest` it prints a line
//! for every file, with `--timings` where the time went.
#![allow(clippy::print_stdout, reason = "an example prints")]

use guestconv::{DiskSpec, Guest, Options};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (flags, disks): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|word| word.starts_with("--"));
    let has = |flag: &str| flags.iter().any(|given| given == flag);
    let mut guest = Guest::open(disks.iter().map(DiskSpec::new).collect(), Options::default())?;
    if has("--manifest") {
        println!("{}", guest.manifest()?.join("\n"));
    } else {
        println!("{}", serde_json::to_string_pretty(guest.inspect()?)?);
    }
    if has("--timings") {
        println!("{:#?}", guest.timings());
    }
    Ok(())
}
