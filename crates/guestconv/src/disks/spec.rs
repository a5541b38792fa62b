//! Which disks the caller hands in.

use super::image::ImageFormat;
use crate::error::{Error, ErrorKind, Result};
use guestconv_core::layout::disk_letters;
use std::path::PathBuf;

/// A disk of the guest, as the caller names it.
///
/// ```
/// use guestconv::{DiskSpec, Format};
/// let disk = DiskSpec { format: Format::Qcow2, ..DiskSpec::new("guest.qcow2") };
/// assert!(!disk.allow_backing);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskSpec {
    /// The image file or block device on the host, or a disk on a server of NBD: `nbd://HOST[:PORT]/EXPORT`,
    /// `nbd+unix:///EXPORT?socket=PATH`.
    pub path: PathBuf,
    /// Its short name in the documents; `None`: `sda`, `sdb` … by order.
    pub name: Option<String>,
    /// The format of the image.
    pub format: Format,
    /// Whether the image may name other files, which are then opened: what it is based on, and the extents of a VMDK. Only
    /// for images from a trusted source.
    pub allow_backing: bool,
}

/// The format of an image, as the caller says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// The bytes of the disk, whatever they look like.
    Raw,
    /// QEMU's copy-on-write format; anything else is an error.
    Qcow2,
    /// VMware's format, in all its kinds: sparse, flat, split, stream-optimised.
    Vmdk,
    /// Virtual PC's format, which QEMU calls vpc: fixed and dynamic.
    Vhd,
    /// Hyper-V's format.
    Vhdx,
    /// VirtualBox's format.
    Vdi,
    /// What the bytes say. A guest that can write its own first sector can lie here: say the format of disks from
    /// an untrusted source.
    #[default]
    Auto,
}

/// The format of an opened disk. All but raw and most of qcow2 are only read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiskFormat {
    /// The bytes of the disk and nothing else.
    Raw,
    /// QEMU's copy-on-write format.
    Qcow2,
    /// VMware's format.
    Vmdk,
    /// Virtual PC's format.
    Vhd,
    /// Hyper-V's format.
    Vhdx,
    /// VirtualBox's format.
    Vdi,
}

impl DiskFormat {
    const ALL: [Self; 6] = [Self::Raw, Self::Qcow2, Self::Vmdk, Self::Vhd, Self::Vhdx, Self::Vdi];

    /// Returns the format's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::Vmdk => "vmdk",
            Self::Vhd => "vhd",
            Self::Vhdx => "vhdx",
            Self::Vdi => "vdi",
        }
    }

    /// Returns the format of that name, or of QEMU's name of it; `None` if it is none that is read.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        let name = match name {
            "vpc" => "vhd",
            "file" | "host_device" => "raw",
            other => other,
        };
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Returns the format as this process reads it; `None` if it does not.
    pub(super) fn in_process(self) -> Option<ImageFormat> {
        match self {
            Self::Raw => Some(ImageFormat::Raw),
            Self::Qcow2 => Some(ImageFormat::Qcow2),
            _ => None,
        }
    }
}

impl DiskSpec {
    /// Returns the disk at `path`, its format by its bytes, without backing files.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), name: None, format: Format::Auto, allow_backing: false }
    }
}

/// The most disks that a guest may have.
const DISKS_CAP: usize = 64;

/// Returns the name of every disk: the caller's, or by order.
pub(super) fn names(specs: &[DiskSpec]) -> Result<Vec<String>> {
    let invalid = |code: &'static str, message: String| Error::new(ErrorKind::InvalidArgument, code, message);
    if specs.is_empty() || specs.len() > DISKS_CAP {
        let message = format!("a guest has 1 to {DISKS_CAP} disks, not {}", specs.len());
        return Err(invalid("disk-count", message));
    }
    let mut names: Vec<String> = Vec::new();
    for (index, spec) in specs.iter().enumerate() {
        let name = spec.name.clone().unwrap_or_else(|| format!("sd{}", disk_letters(index)));
        let is_valid =
            !name.is_empty() && name.len() <= 32 && name.chars().all(|c| c.is_ascii_alphanumeric());
        if !is_valid {
            return Err(invalid("disk-name-invalid", format!("{name:?} is no name of a disk like sda")));
        }
        if names.contains(&name) {
            return Err(invalid("disk-name-twice", format!("two disks have the name {name}")));
        }
        names.push(name);
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_callers_or_by_order() {
        for (given, expected) in [
            (vec![None, None], Ok(vec!["sda", "sdb"])),
            (vec![Some("vda"), None], Ok(vec!["vda", "sdb"])),
            (vec![Some("sdb"), None], Err("disk-name-twice")),
            (vec![Some("../x")], Err("disk-name-invalid")),
            (vec![], Err("disk-count")),
            (vec![None; DISKS_CAP + 1], Err("disk-count")),
        ] {
            let spec = |name: &Option<&str>| DiskSpec { name: name.map(str::to_owned), ..DiskSpec::new("x") };
            let result = names(&given.iter().map(spec).collect::<Vec<_>>());
            let expected = expected.map(|n| n.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(result.map_err(|e| e.code().to_owned()), expected.map_err(str::to_owned), "{given:?}");
        }
        let many = names(&vec![DiskSpec::new("x"); DISKS_CAP]).unwrap();
        assert_eq!(many.iter().skip(25).take(3).collect::<Vec<_>>(), ["sdz", "sdaa", "sdab"]);
    }
}
