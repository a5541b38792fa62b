//! `appliance`: builds the kernel and the agent and puts both into one directory of the cache.
//!
//! ```text
//! kernel         the executable; a program of its own, GPL-2.0
//! agent          its /init, static
//! VERSION        the version of the protocol, which has a hash of the core's sources in it, then the kernel's
//! kernel.config  what the kernel was built from
//! SOURCE         where the kernel's source is, and how it was built
//! COPYING        the kernel's licence
//! ```
//!
//! The link `appliance/current` in the cache leads to the newest.

mod agent;
mod kernel;
mod options;

use crate::{cache, setup};
use anyhow::{Context, Result};
use guestconv_core::protocol::VERSION;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The files of the kernel's cache entry that go into the appliance.
const OF_THE_KERNEL: [&str; 4] = ["kernel", "kernel.config", "SOURCE", "COPYING"];

/// The task: builds the appliance and prints its directory.
pub(crate) fn task(_: &[String]) -> Result<()> {
    println!("{}", directory()?.display());
    Ok(())
}

/// Returns the appliance's directory, built if need be.
pub(crate) fn directory() -> Result<PathBuf> {
    setup::ensure(&[setup::BUILD])?;
    let kernel = kernel::entry()?;
    let agent = agent::build()?;
    let agent_bytes = fs::read(&agent).with_context(|| format!("cannot read {}", agent.display()))?;
    let release = kernel.join("RELEASE");
    let release =
        fs::read_to_string(&release).with_context(|| format!("cannot read {}", release.display()))?;
    // Of the sources that this program was built from, moments ago, as the agent is.
    let version = format!("{VERSION}\nlinux {}\n", release.trim());
    let kernel_name = kernel.as_os_str().as_encoded_bytes();
    let entry = cache::entry("appliance", &[kernel_name, &agent_bytes, version.as_bytes()], |directory| {
        for file in OF_THE_KERNEL {
            copied(&kernel.join(file), &directory.join(file))?;
        }
        copied(&agent, &directory.join("agent"))?;
        fs::write(directory.join("VERSION"), &version).context("cannot write VERSION")
    })?;
    point_current_at(&entry)?;
    Ok(entry)
}

fn copied(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

/// Makes the link `current` beside the entry, by a rename: there is no moment without it.
fn point_current_at(entry: &Path) -> Result<()> {
    let name = entry.file_name().context("an entry of the cache has a name")?;
    let new = entry.with_file_name(format!("current.{}", std::process::id()));
    let current = entry.with_file_name("current");
    symlink(name, &new).with_context(|| format!("cannot make the link {}", new.display()))?;
    fs::rename(&new, &current).with_context(|| format!("cannot make the link {}", current.display()))
}
