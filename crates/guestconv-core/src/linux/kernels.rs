//! Installed kernels: from `/lib/modules`, the boot loaders' menus and `/boot`. No package database is needed.
//!
//! A kernel is a directory of modules with an image. For every module that drives a device of ours the facts say whether
//! it is built in, a file (with what it needs), or not there. Nothing is changed here.

mod images;
mod modules;
mod paravirtual;

pub use paravirtual::require_native;

use crate::change::FileHash;
use crate::finding::Finding;
use crate::formats::modules::module_name;
use crate::formats::version;
use crate::linux::initramfs::Image;
use crate::linux::{Probe, bootloader};
use crate::path::{GuestPath, guest_path};
use crate::tree::ReadError;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// One installed kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Kernel {
    /// Its version as `uname -r` says it.
    pub version: String,
    /// Whether the menu starts it by itself.
    pub default: bool,
    /// Its image; `None` if none was found: it cannot be started.
    pub image: Option<GuestPath>,
    /// Whether only Xen can start it, as a paravirtual machine.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paravirtual: bool,
    /// The initramfs that is loaded with it; `None` if there is none.
    pub initramfs: Option<GuestPath>,
    /// The directory of its modules, links resolved.
    pub module_dir: GuestPath,
    /// The modules that drive devices of the targets, by name.
    pub drivers: BTreeMap<String, Driver>,
    /// The files of the modules that disks may need, by module name.
    pub files: BTreeMap<String, ModuleFile>,
}

/// How a kernel has a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Driver {
    /// It is part of the kernel.
    Builtin,
    /// It is a file.
    Module {
        /// The modules to be loaded, in order; itself last.
        load: Vec<String>,
    },
    /// The kernel does not have it.
    Absent,
}

/// The file of a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ModuleFile {
    /// Its path relative to the kernel's module directory.
    pub path: String,
    /// Its size and hash; `None` if it was not read: the initramfs has the module, or nobody looked into that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileHash>,
}

/// The most kernels of a root that are looked at, the newest: a guest has three, one that never removed any has thirty.
const CAP_KERNELS: usize = 64;

/// Reads the installed kernels, best first: the one that the menu starts, then the newest.
///
/// # Errors
/// [`ReadError`] if a file that is there cannot be read.
pub fn facts(
    probe: &Probe<'_>,
    bootloader: &bootloader::Facts,
    findings: &mut Vec<Finding>,
) -> Result<Vec<Kernel>, ReadError> {
    let Some(base) = probe.tree.canonical(&guest_path("/lib/modules"))? else { return Ok(Vec::new()) };
    let mut kernels = Vec::new();
    let mut versions = Vec::new();
    for version in probe.tree.list(&base)? {
        if probe.tree.exists(&base.join(&version).join("modules.dep"))? {
            versions.push(version);
        }
    }
    if versions.len() > CAP_KERNELS {
        let text = format!("more than {CAP_KERNELS} kernels: the older ones are left alone");
        findings.push(Finding::warning("kernels-too-many", text).about(base.as_str()));
        versions.sort_by(|one, other| version::compare(other, one));
        versions.truncate(CAP_KERNELS);
    }
    let by_content = images::by_content(probe, bootloader, &versions)?;
    for version in versions {
        let module_dir = base.join(&version);
        let unnamed = by_content.get(&version);
        let started = || bootloader.entries.iter().filter(|entry| !entry.recovery);
        let is_named = started().any(|entry| is_of(entry, &version));
        let entries = || {
            started().filter(|entry| match is_named {
                true => is_of(entry, &version),
                false => unnamed.is_some() && entry.kernel.as_ref() == unnamed,
            })
        };
        let entry = entries().find(|entry| entry.default).or_else(|| entries().next());
        let image = match entry.and_then(|entry| entry.kernel.clone()) {
            Some(image) => Some(image),
            None => {
                let named = first(probe, &version, &["vmlinuz-", "vmlinux-", "Image-", "kernel-"], "")?;
                named.or_else(|| unnamed.cloned())
            }
        };
        let named = entry.and_then(|entry| entry.initrds.last().cloned());
        let initramfs = match named {
            Some(named) => probe.tree.canonical(&named)?,
            None => match usual_initramfs(probe, &version)? {
                None => match image.as_ref().filter(|_| !is_named).and_then(images::flavour) {
                    Some(flavour) => usual_initramfs(probe, flavour)?,
                    None => None,
                },
                found => found,
            },
        };
        let paravirtual = match &image {
            Some(image) => paravirtual::is_paravirtual(probe, &version, image)?,
            None => false,
        };
        let found = modules::of(probe, &module_dir)?;
        kernels.push(Kernel {
            default: entries().any(|entry| entry.default),
            version,
            image,
            paravirtual,
            initramfs,
            module_dir,
            drivers: found.drivers,
            files: found.files,
        });
    }
    for kernel in kernels.iter().filter(|kernel| kernel.image.is_none()) {
        let text = format!("the kernel {} has modules but no image and is left alone", kernel.version);
        findings.push(Finding::info("kernel-without-image", text).about(kernel.module_dir.as_str()));
    }
    kernels.sort_by(|one, other| version::compare(&other.version, &one.version));
    kernels.sort_by_key(|kernel| Reverse((kernel.default, kernel.image.is_some())));
    Ok(kernels)
}

/// Reads the files of the modules that the images of their kernels lack: these may be appended. A module whose file is not
/// there, or is too large for one, is forgotten.
///
/// # Errors
/// [`ReadError`] if a file that is there cannot be read.
pub fn read_files(probe: &Probe<'_>, kernels: &mut [Kernel], images: &[Image]) -> Result<(), ReadError> {
    for image in images {
        let present: BTreeSet<Cow<'_, str>> = image.modules.iter().map(|path| module_name(path)).collect();
        for kernel in kernels.iter_mut().filter(|kernel| kernel.version == image.kernel) {
            modules::read(probe, &kernel.module_dir, &mut kernel.files, &present)?;
        }
    }
    Ok(())
}

/// Returns whether an entry starts the kernel of that version: its file's name or folder says so.
fn is_of(entry: &bootloader::Entry, version: &str) -> bool {
    let path = entry.kernel.as_ref().map_or(entry.kernel_text.as_str(), GuestPath::as_str);
    let mut parts = path.rsplit('/');
    let file = parts.next().unwrap_or_default();
    let suffix = file.strip_suffix(version).filter(|start| start.is_empty() || start.ends_with('-'));
    suffix.is_some() || parts.next() == Some(version)
}

fn first(
    probe: &Probe<'_>,
    version: &str,
    starts: &[&str],
    end: &str,
) -> Result<Option<GuestPath>, ReadError> {
    for start in starts {
        let path = guest_path("/boot").join(&format!("{start}{version}{end}"));
        if probe.tree.exists(&path)? {
            return probe.tree.canonical(&path);
        }
    }
    Ok(None)
}

fn usual_initramfs(probe: &Probe<'_>, version: &str) -> Result<Option<GuestPath>, ReadError> {
    let starts = ["initrd.img-", "initramfs-", "initrd-"];
    match first(probe, version, &starts, "")? {
        Some(found) => Ok(Some(found)),
        None => first(probe, version, &starts, ".img"),
    }
}

#[cfg(test)]
mod tests;
