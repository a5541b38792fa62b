//! The agent as a static program: nothing but itself is in the appliance's initramfs.

use crate::{checkout, run};
use anyhow::{Context, Result};
use std::env;
use std::path::PathBuf;
use std::process::Command;

/// Builds the agent for an architecture and returns its file, which cargo builds anew when its sources change.
///
/// The GNU C library links statically without a tool of its own, and its allocator suits our threads better than musl's.
pub(crate) fn build(arch: &str) -> Result<PathBuf> {
    let triple = format!("{arch}-unknown-linux-gnu");
    let tools = if arch == env::consts::ARCH { String::new() } else { format!("{arch}-linux-gnu-") };
    // A directory of its own: another RUSTFLAGS would throw away what other builds left.
    let target = checkout().join("target/appliance");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    run::run(
        Command::new(cargo)
            .current_dir(checkout())
            .env("RUSTFLAGS", "-C target-feature=+crt-static -C relocation-model=static")
            .envs(cross(&triple, &tools))
            .args(["build", "--locked", "--release", "--package", "guestconv-agent", "--target", &triple])
            .arg("--target-dir")
            .arg(&target),
    )?;
    let built = target.join(&triple).join("release/guestconv-agent");
    let stripped = target.join(format!("agent-{arch}"));
    run::run(Command::new(format!("{tools}strip")).arg("-o").arg(&stripped).arg(&built))
        .context("cannot strip the agent")?;
    Ok(stripped)
}

/// Returns what tells cargo of the tools for another architecture; nothing if they are the machine's own.
pub(crate) fn cross(triple: &str, tools: &str) -> Vec<(String, String)> {
    if tools.is_empty() {
        return Vec::new();
    }
    let (upper, lower) = (triple.to_uppercase().replace('-', "_"), triple.replace('-', "_"));
    let gcc = format!("{tools}gcc");
    vec![(format!("CARGO_TARGET_{upper}_LINKER"), gcc.clone()), (format!("CC_{lower}"), gcc)]
}
