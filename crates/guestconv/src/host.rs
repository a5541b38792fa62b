//! What this host has for the hardware of a plan: the guest's own images and the host's UEFI firmware, so that the machine can
//! be written down and started.

use crate::disks::DiskFormat;
use crate::error::{Error, ErrorKind, Result};
use crate::guest::{Guest, OpenedDisk};
use crate::prove::host_firmware;
use guestconv_core::hardware::host::{Host, HostDisk, HostDiskKind, HostFormat};
use guestconv_core::hardware::{Hardware, HardwareFirmware};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// Memory of a machine that nobody said a size for, in MiB.
const MEMORY_MIB: u32 = 2048;
/// Its processors.
const CPUS: u32 = 2;

impl Guest {
    /// Returns what this host has for the hardware of a plan of this guest: its images in the hardware's order, a name after
    /// the first of them, 2 GiB of memory and two processors; all may be changed. The firmware is `None` if the machine needs
    /// none, or none is installed.
    ///
    /// # Errors
    /// `output-needed` if a disk is only read, so that the machine would not have it; `path-not-utf-8` if the path of a disk is not UTF-8.
    pub fn host(&self, hardware: &Hardware) -> Result<Host> {
        self.require_in_place()?;
        let opened = self.disks();
        let given = hardware.disks.iter().filter_map(|disk| opened.iter().find(|one| one.name == disk.id));
        let is_uefi = hardware.firmware == HardwareFirmware::Uefi;
        Ok(Host {
            name: opened.first().map_or_else(|| "guest".to_owned(), |disk| name_after(&disk.path)),
            memory_mib: MEMORY_MIB,
            cpus: CPUS,
            disks: given.map(image).collect::<Result<_>>()?,
            firmware: if is_uefi { host_firmware(&hardware.arch) } else { None },
        })
    }
}

fn image(disk: &OpenedDisk) -> Result<HostDisk> {
    let path = disk.path.to_str().ok_or_else(|| {
        let message = format!("the path {} is not UTF-8; rename the image", disk.path.display());
        Error::new(ErrorKind::InvalidArgument, "path-not-utf-8", message)
    })?;
    let is_block_device =
        std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_block_device());
    Ok(HostDisk {
        path: path.to_owned(),
        format: match disk.format {
            DiskFormat::Qcow2 => HostFormat::Qcow2,
            _ => HostFormat::Raw,
        },
        kind: match is_block_device {
            true => HostDiskKind::Block,
            false => HostDiskKind::File,
        },
    })
}

/// Returns a name for a machine whose first image is at `path`: what every manager takes as a name.
fn name_after(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let is_plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    stem.chars().map(|c| if is_plain(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests;
