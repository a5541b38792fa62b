//! Opening a caller's image: what it is, whether it may be opened, and imago's access to it.
//!
//! A format is never probed unless the caller asked (`auto`), and never follows a backing file or an external data file
//! unless the caller allowed it: a raw disk whose guest wrote a qcow2 header into it is read as raw when raw is said.

use super::chain::Chain;
use super::spec::{DiskSpec, Format};
use crate::error::{Error, ErrorKind, Result};
use imago::file::File;
use imago::qcow2::Qcow2;
use imago::raw::Raw;
use imago::{DenyImplicitOpenGate, FormatAccess, FormatDriverBuilder};
use imago::{Storage, StorageOpenOptions};
use std::fs;
use std::io::{self, ErrorKind as IoKind};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::Path;
use std::sync::Arc;

/// An opened image, shared by the overlays above it.
pub(crate) type Image = Arc<FormatAccess<File>>;

/// The format of an opened image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ImageFormat {
    /// The bytes of the disk and nothing else.
    Raw,
    /// QEMU's copy-on-write format.
    Qcow2,
}

impl ImageFormat {
    /// Returns QEMU's name of the format.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
        }
    }
}

/// What an image is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Never written.
    Read,
    /// The commit writes it.
    Write,
}

/// Magic numbers of formats at their place in the file, and QEMU's names. VHD's fixed kind has its only at the end.
const MAGICS: &[(usize, &[u8], &str)] = &[
    (0, b"QFI\xfb", "qcow2"),
    (0, b"KDMV", "vmdk"),
    (0, b"# Disk DescriptorFile", "vmdk"),
    (0, b"vhdxfile", "vhdx"),
    (0, b"conectix", "vpc"),
    (0x40, b"\x7f\x10\xda\xbe", "vdi"),
    (0, b"QED\0", "qed"),
];

/// Returns the format of a disk as the caller said it, or as its first bytes say it if the caller asked for that.
pub(crate) fn format(spec: &DiskSpec) -> Result<ImageFormat> {
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
    let file = fs::File::open(&spec.path).map_err(|error| opening(&spec.path, error))?;
    let found = magic(&file).map_err(|error| opening(&spec.path, error))?;
    match (spec.format, found) {
        (Format::Raw, _) => Ok(ImageFormat::Raw),
        (Format::Qcow2 | Format::Auto, Some("qcow2")) => Ok(ImageFormat::Qcow2),
        (Format::Auto, None) => Ok(ImageFormat::Raw),
        (Format::Auto, Some(other)) => Err(Error::new(
            ErrorKind::Disk,
            "disk-format-unsupported",
            format!("{path} is a {other} image, which cannot be read yet; convert it to raw or qcow2 first"),
        )),
        (Format::Qcow2, other) => Err(Error::new(
            ErrorKind::Disk,
            "disk-format-mismatch",
            format!(
                "{path} is no qcow2 image, as was said; it looks like {}: say the format that it has",
                other.unwrap_or("raw")
            ),
        )),
    }
}

fn magic(file: &fs::File) -> io::Result<Option<&'static str>> {
    let mut start = [0; 512];
    let mut filled = 0;
    while let Some(rest) = start.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, u64::try_from(filled).unwrap_or_default()) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == IoKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let is_there =
        |(at, magic, _): &&(usize, &[u8], &str)| start.get(*at..).is_some_and(|s| s.starts_with(magic));
    Ok(MAGICS.iter().find(is_there).map(|(_, _, name)| *name))
}

/// Opens an image of that format.
pub(crate) fn open(spec: &DiskSpec, format: ImageFormat, access: Access) -> Result<Image> {
    open_alone(spec, format, access).map(Arc::new)
}

/// Opens an image of that format that nothing shares: it may become smaller.
pub(super) fn open_alone(spec: &DiskSpec, format: ImageFormat, access: Access) -> Result<FormatAccess<File>> {
    let failed = |error| opening(&spec.path, error);
    let write = access == Access::Write;
    let options = StorageOpenOptions::new().filename(&spec.path).write(write);
    let file = File::open(options).map_err(failed)?;
    let image = match format {
        ImageFormat::Raw => {
            let raw =
                Raw::builder(file).write(write).open(DenyImplicitOpenGate::default()).map_err(failed)?;
            FormatAccess::new(raw)
        }
        ImageFormat::Qcow2 => FormatAccess::new(open_qcow2(spec, file, write)?),
    };
    if image.size() < 512 {
        let path = spec.path.display();
        let message =
            format!("{path} is smaller than a sector and holds no disk; check that it was copied to its end");
        return Err(Error::new(ErrorKind::Disk, "disk-empty", message));
    }
    Ok(image)
}

fn open_qcow2(spec: &DiskSpec, file: File, write: bool) -> Result<Qcow2<File>> {
    let path = spec.path.display();
    let mut qcow2 = Qcow2::<File>::open_image(file, write).map_err(|error| damaged(&spec.path, error))?;
    super::qcow2::require_whole(&spec.path)?;
    if spec.allow_backing {
        qcow2.open_implicit_dependencies_gated(Chain::default()).map_err(|error| {
            let message = format!(
                "cannot open what {path} is based on: {error}; put its backing file where the image says"
            );
            Error::new(ErrorKind::Disk, "backing-file-not-opened", message).caused_by(error)
        })?;
        return Ok(qcow2);
    }
    if let Some(backing) = qcow2.implicit_backing_file() {
        return Err(Error::new(
            ErrorKind::Disk,
            "backing-file-not-allowed",
            format!("{path} has the backing file {backing:?}; allow backing files if you trust the image"),
        ));
    }
    if qcow2.requires_external_data_file() {
        return Err(Error::new(
            ErrorKind::Disk,
            "data-file-not-allowed",
            format!("{path} keeps its data in another file; allow backing files if you trust the image"),
        ));
    }
    qcow2
        .open_implicit_dependencies_gated(DenyImplicitOpenGate::default())
        .map_err(|e| opening(&spec.path, e))?;
    Ok(qcow2)
}

/// Returns why a disk cannot be opened.
pub(super) fn opening(path: &Path, error: io::Error) -> Error {
    let path = path.display();
    let (kind, code, message) = match error.kind() {
        IoKind::NotFound => {
            (ErrorKind::Disk, "disk-not-found", format!("there is no disk {path}; check its path"))
        }
        IoKind::PermissionDenied => (
            ErrorKind::Disk,
            "disk-permission",
            format!("no permission to open {path}; let this user read and write it"),
        ),
        IoKind::ReadOnlyFilesystem => (
            ErrorKind::Disk,
            "disk-read-only",
            format!("{path} is on a read-only file system; copy it to where it can be written"),
        ),
        _ => (ErrorKind::Disk, "disk-open-failed", format!("cannot open {path}: {error}")),
    };
    Error::new(kind, code, message).caused_by(error)
}

/// imago says of a qcow2 header that it has a feature that it does not know, or that it is broken.
fn damaged(path: &Path, error: io::Error) -> Error {
    let text = error.to_string();
    let path = path.display();
    let (kind, code, message) = if error.kind() == IoKind::Unsupported || text.contains("feature") {
        let message = format!(
            "{path} uses a qcow2 feature that cannot be read yet: {text}; convert it with qemu-img first"
        );
        (ErrorKind::Disk, "qcow2-feature-unsupported", message)
    } else {
        let message = format!("{path} is a damaged qcow2 image: {text}; check it with qemu-img");
        (ErrorKind::Disk, "qcow2-damaged", message)
    };
    Error::new(kind, code, message).caused_by(error)
}
