//! `faults`: guestconv is killed, refused by the host and robbed of what was not synced, on real guests, and nothing is lost.
//!
//! `cargo xtask faults [kill|io|power] [--points N] [--guest NAME] [--seed N]`; without a word, all three. How it works is
//! told in `tests/src/faults`. A build for release is tried, and the appliance and the guests are made if they are missing.

use crate::{appliance, cache, checkout, guest, run, setup};
use anyhow::{Context, Result};
use std::env;
use std::process::Command;

/// What is tried, each in a process of its own.
const FAULTS: [&str; 3] = ["kill", "io", "power"];
/// The guests that it is tried on.
const GUESTS: [&str; 7] = [
    "debian-12-dep",
    "debian-13-efi",
    "rhel-6.4",
    "multi-boot-two-disks",
    "ec2-pv",
    "ec2-pv-xfs",
    "ec2-two-disk",
];

/// The task.
pub(crate) fn task(arguments: &[String]) -> Result<()> {
    let (wished, options) = match arguments.split_first() {
        Some((first, rest)) if FAULTS.contains(&first.as_str()) => (vec![first.as_str()], rest),
        _ => (FAULTS.to_vec(), arguments),
    };
    setup::task(&[])?;
    let appliance = appliance::directory()?;
    for name in GUESTS {
        guest::make(name).with_context(|| format!("guest {name}"))?;
    }
    let guests = cache::root()?.join("guests");
    for fault in wished {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(checkout()).env("GUESTCONV_APPLIANCE", &appliance).env("GUESTCONV_GUESTS", &guests);
        cargo.env("GUESTCONV_REQUIRE_GUESTS", "1");
        cargo.args([
            "run",
            "--quiet",
            "--locked",
            "--release",
            "-p",
            "guestconv-system-tests",
            "--bin",
            "faults",
        ]);
        run::visibly(cargo.args(["--", fault]).args(options))?;
    }
    Ok(())
}
