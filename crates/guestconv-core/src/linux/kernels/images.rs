//! Kernel images whose names do not say a version: `/boot/vmlinuz-linux`, `/boot/vmlinuz-lts`. Their content says it.

use crate::formats::bzimage;
use crate::linux::{Probe, bootloader};
use crate::path::{GuestPath, guest_path};
use crate::tree::ReadError;
use std::collections::BTreeMap;
use std::io::Read;

/// The most images that are opened for the version in them.
const CAP_IMAGES: usize = 64;
/// How names of kernel images begin.
const STARTS: [&str; 3] = ["vmlinuz", "bzImage", "kernel"];

/// Returns images by the version that is written in them: those of the boot menus first, then those in `/boot`. Images
/// that are named by a version of `versions` are not looked at, nor are those of rescue systems.
pub(super) fn by_content(
    probe: &Probe<'_>,
    bootloader: &bootloader::Facts,
    versions: &[String],
) -> Result<BTreeMap<String, GuestPath>, ReadError> {
    let entries = bootloader.entries.iter().filter(|entry| !entry.recovery);
    let mut images: Vec<GuestPath> = entries.filter_map(|entry| entry.kernel.clone()).collect();
    let boot = guest_path("/boot");
    let names = probe.tree.list(&boot)?;
    let kernels = names.iter().filter(|name| STARTS.iter().any(|start| name.starts_with(start)));
    images.extend(kernels.map(|name| boot.join(name)));
    let mut found = BTreeMap::new();
    let mut opened = 0;
    for image in images {
        let path = image.as_str();
        if path.contains("rescue") || versions.iter().any(|version| path.contains(version.as_str())) {
            continue;
        }
        if opened == CAP_IMAGES {
            break;
        }
        opened += 1;
        if let Some(version) = version(probe, &image)? {
            found.entry(version).or_insert(image);
        }
    }
    Ok(found)
}

/// Returns what follows the first `-` of an image's name, by which its initramfs is named too: `linux`, `lts`.
pub(super) fn flavour(image: &GuestPath) -> Option<&str> {
    image.file_name().split_once('-').map(|(_, flavour)| flavour)
}

fn version(probe: &Probe<'_>, image: &GuestPath) -> Result<Option<String>, ReadError> {
    let Some(file) = probe.tree.open(image)? else { return Ok(None) };
    let mut head = Vec::new();
    file.take(bzimage::HEAD_BYTES)
        .read_to_end(&mut head)
        .map_err(|error| ReadError { path: image.clone(), reason: error.to_string() })?;
    Ok(bzimage::version(&head).map(str::to_owned))
}
