//! The agent as a static program: nothing but itself is in the appliance's initramfs.

use crate::{checkout, run};
use anyhow::{Context, Result};
use std::env;
use std::path::PathBuf;
use std::process::Command;

/// The GNU C library links statically without a tool of its own, and its allocator suits our threads better than musl's.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Builds the agent and returns its file, which cargo builds anew when its sources change.
pub(crate) fn build() -> Result<PathBuf> {
    // A directory of its own: another RUSTFLAGS would throw away what other builds left.
    let target = checkout().join("target/appliance");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    run::run(
        Command::new(cargo)
            .current_dir(checkout())
            .env("RUSTFLAGS", "-C target-feature=+crt-static -C relocation-model=static")
            .args(["build", "--locked", "--release", "--package", "guestconv-agent", "--target", TARGET])
            .arg("--target-dir")
            .arg(&target),
    )?;
    let built = target.join(TARGET).join("release/guestconv-agent");
    let stripped = target.join("agent");
    run::run(Command::new("strip").arg("-o").arg(&stripped).arg(&built)).context("cannot strip the agent")?;
    Ok(stripped)
}
