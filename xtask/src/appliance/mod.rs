//! `appliance`: builds the kernel and the agent and puts both into one directory of the cache.
//!
//! ```text
//! kernel         the executable, with the agent in its room; a program of its own, GPL-2.0
//! agent          its /init, static, for another kernel
//! VERSION        the version of the protocol, which has a hash of the core's sources in it, then the kernel's
//! kernel.config  what the kernel was built from
//! SOURCE         where the kernel's source is, and how it was built
//! COPYING        the kernel's licence
//! ```
//!
//! The link `appliance/current` in the cache leads to the newest. For 64-bit ARM there is no kernel: there the agent runs under
//! QEMU, with a distribution's.

mod agent;
mod kernel;
mod options;

use crate::{cache, setup};
use anyhow::{Context, Result, bail};
use guestconv_core::protocol::{VERSION, room};
use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The files of the kernel's cache entry that go into the appliance, beside `kernel`.
const OF_THE_KERNEL: [&str; 3] = ["kernel.config", "SOURCE", "COPYING"];

/// The architecture that the kernel can be built for.
const KERNEL_ARCH: &str = "x86_64";

/// The task: builds the appliance, of this machine's architecture or the one that is named, and prints its directory.
pub(crate) fn task(arguments: &[String]) -> Result<()> {
    let directory = match arguments {
        [] => directory()?,
        [option, arch] if option == "--arch" => directory_for(arch)?,
        _ => bail!("usage: cargo xtask appliance [--arch aarch64]"),
    };
    println!("{}", directory.display());
    Ok(())
}

/// Returns the appliance's directory, built if need be.
pub(crate) fn directory() -> Result<PathBuf> {
    let entry = directory_for(env::consts::ARCH)?;
    point_current_at(&entry)?;
    Ok(entry)
}

fn directory_for(arch: &str) -> Result<PathBuf> {
    setup::ensure(&[setup::BUILD])?;
    let kernel = (arch == KERNEL_ARCH).then(kernel::entry).transpose()?;
    let agent = agent::build(arch)?;
    let agent_bytes = fs::read(&agent).with_context(|| format!("cannot read {}", agent.display()))?;
    // Of the sources that this program was built from, moments ago, as the agent is.
    let mut version = format!("{VERSION}\n");
    let mut kernel_name = Vec::new();
    if let Some(kernel) = &kernel {
        let release = kernel.join("RELEASE");
        let release =
            fs::read_to_string(&release).with_context(|| format!("cannot read {}", release.display()))?;
        version += &format!("linux {}\n", release.trim());
        kernel_name = kernel.as_os_str().as_encoded_bytes().to_vec();
    }
    cache::entry("appliance", &[&kernel_name, &agent_bytes, version.as_bytes()], |directory| {
        if let Some(kernel) = &kernel {
            with_agent(&kernel.join("kernel"), &agent_bytes, &directory.join("kernel"))?;
            for file in OF_THE_KERNEL {
                copied(&kernel.join(file), &directory.join(file))?;
            }
        }
        copied(&agent, &directory.join("agent"))?;
        fs::write(directory.join("VERSION"), &version).context("cannot write VERSION")
    })
}

/// Copies a kernel and puts the agent into its room.
fn with_agent(from: &Path, agent: &[u8], to: &Path) -> Result<()> {
    // The copy keeps that it may be run.
    copied(from, to)?;
    let mut kernel = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    room::put_agent(&mut kernel, agent)?;
    fs::write(to, kernel).with_context(|| format!("cannot write {}", to.display()))
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
