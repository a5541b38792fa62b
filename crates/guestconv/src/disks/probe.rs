//! What format an image is in: as the caller says, or, if the caller asks for that, as its bytes say.

use super::bytes::up_to_end;
use super::foreign::vhd;
use super::image::opening;
use super::spec::{DiskFormat, DiskSpec, Format};
use crate::error::{Error, ErrorKind, Result};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// Magic numbers of formats at their place in the file, and QEMU's names.
const MAGICS: &[(usize, &[u8], &str)] = &[
    (0, b"QFI\xfb\0\0\0\x01", "qcow"),
    (0, b"QFI\xfb", "qcow2"),
    (0, b"KDMV", "vmdk"),
    (0, b"COWD", "vmdk"),
    (0, b"# Disk DescriptorFile", "vmdk"),
    (0, b"vhdxfile", "vhdx"),
    (0, b"conectix", "vhd"),
    (0x40, b"\x7f\x10\xda\xbe", "vdi"),
    (0, b"QED\0", "qed"),
    (0, b"WithoutFreeSpace", "parallels"),
    (0, b"WithouFreSpacExt", "parallels"),
    (0, b"Bochs Virtual HD Image", "bochs"),
    (0, b"#!/bin/sh\n#V2.0 Format\n", "cloop"),
];
/// The magic of the last sector of Apple's disk images.
const DMG: &[u8] = b"koly";
const SECTOR_BYTES: u64 = 512;

/// Returns the format of a disk as the caller said it, or as its bytes say it if the caller asked for that.
pub(super) fn format(spec: &DiskSpec) -> Result<DiskFormat> {
    let path = spec.path.display();
    let metadata = fs::metadata(&spec.path).map_err(|error| opening(&spec.path, error))?;
    let kind = metadata.file_type();
    if kind.is_dir() {
        let message = format!("{path} is a directory; give the image of a disk");
        return Err(Error::new(ErrorKind::Disk, "disk-is-directory", message));
    }
    if !kind.is_file() && !kind.is_block_device() {
        let message = format!(
            "{path} is neither a file nor a block device; give the image of a disk, or a block device"
        );
        return Err(Error::new(ErrorKind::Disk, "disk-not-a-disk", message));
    }
    if kind.is_file() && metadata.len() == 0 {
        let message = format!("{path} is empty and holds no disk; check that it was copied to its end");
        return Err(Error::new(ErrorKind::Disk, "disk-empty", message));
    }
    let found = name(&spec.path).map_err(|error| opening(&spec.path, error))?;
    let said = match spec.format {
        Format::Raw => return Ok(DiskFormat::Raw),
        Format::Auto => {
            return DiskFormat::of_name(found.unwrap_or("raw")).ok_or_else(|| {
                let found = found.unwrap_or_default();
                let message = format!(
                    "{path} is a {found} image, which cannot be read; convert it to raw or qcow2 first (qemu-img convert)"
                );
                Error::new(ErrorKind::Disk, "disk-format-unsupported", message)
            });
        }
        Format::Qcow2 => DiskFormat::Qcow2,
        Format::Vmdk => DiskFormat::Vmdk,
        Format::Vhd => DiskFormat::Vhd,
        Format::Vhdx => DiskFormat::Vhdx,
        Format::Vdi => DiskFormat::Vdi,
    };
    if found.and_then(DiskFormat::of_name) == Some(said) {
        return Ok(said);
    }
    Err(Error::new(
        ErrorKind::Disk,
        "disk-format-mismatch",
        format!(
            "{path} is no {} image, as was said; it looks like {}: say the format that it has",
            said.name(),
            found.unwrap_or("raw")
        ),
    ))
}

/// Returns the format that the bytes of an image say; `None` if it is one that cannot be read.
pub(super) fn found(path: &Path) -> io::Result<Option<DiskFormat>> {
    Ok(DiskFormat::of_name(name(path)?.unwrap_or("raw")))
}

fn name(path: &Path) -> io::Result<Option<&'static str>> {
    let file = File::open(path)?;
    let start = up_to_end(&file, 0, SECTOR_BYTES)?;
    let is_there =
        |(at, magic, _): &&(usize, &[u8], &str)| start.get(*at..).is_some_and(|s| s.starts_with(magic));
    if let Some((_, _, name)) = MAGICS.iter().find(is_there) {
        return Ok(Some(name));
    }
    // What a device ends with is its guest's.
    let metadata = file.metadata()?;
    let Some(last) = metadata.len().checked_sub(SECTOR_BYTES).filter(|_| metadata.is_file()) else {
        return Ok(None);
    };
    if up_to_end(&file, last, SECTOR_BYTES)?.starts_with(DMG) {
        return Ok(Some("dmg"));
    }
    Ok(vhd::at_end(&file, metadata.len())?.map(|_| "vhd"))
}
