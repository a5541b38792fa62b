//! Opening a caller's image: what it is, whether it may be opened, and imago's access to it.
//!
//! A format is never probed unless the caller asked (`auto`), and an image never leads to a backing file or an external
//! data file unless the caller allowed it: a raw disk whose guest wrote a qcow2 header into it is read as raw when raw is said.

use super::chain::Chain;
use super::nbd::Nbd;
use super::spec::DiskSpec;
use super::store::Store;
use crate::error::{Error, ErrorKind, Result};
use imago::qcow2::Qcow2;
use imago::raw::Raw;
use imago::{DenyImplicitOpenGate, FormatAccess, FormatDriverBuilder};
use imago::{Storage, StorageOpenOptions};
use std::io::{self, ErrorKind as IoKind};
use std::path::Path;
use std::sync::Arc;

/// An opened image, shared by the overlays above it.
pub(crate) type Image = Arc<FormatAccess<Store>>;

/// The format of an image that we write.
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

/// Opens an image of that format.
pub(crate) fn open(spec: &DiskSpec, format: ImageFormat, access: Access) -> Result<Image> {
    open_alone(spec, format, access).map(Arc::new)
}

/// Opens an image of that format that nothing shares: it may become smaller.
pub(super) fn open_alone(
    spec: &DiskSpec,
    format: ImageFormat,
    access: Access,
) -> Result<FormatAccess<Store>> {
    let failed = |error| opening(&spec.path, error);
    let write = access == Access::Write;
    let options = StorageOpenOptions::new().filename(&spec.path).write(write);
    let file = Store::open(options).map_err(failed)?;
    let image = match format {
        ImageFormat::Raw => {
            let raw =
                Raw::builder(file).write(write).open(DenyImplicitOpenGate::default()).map_err(failed)?;
            FormatAccess::new(raw)
        }
        ImageFormat::Qcow2 => FormatAccess::new(open_qcow2(spec, file, write)?),
    };
    require_sector(&image, spec)?;
    Ok(image)
}

/// Returns what a server has, as an image; it is only read.
pub(super) fn served(nbd: Arc<Nbd>, spec: &DiskSpec) -> Result<Image> {
    let raw = Raw::open_image(nbd as Store, false).map_err(|error| opening(&spec.path, error))?;
    let image = FormatAccess::new(raw);
    require_sector(&image, spec)?;
    Ok(Arc::new(image))
}

fn require_sector(image: &FormatAccess<Store>, spec: &DiskSpec) -> Result<()> {
    if image.size() >= 512 {
        return Ok(());
    }
    let path = spec.path.display();
    let message =
        format!("{path} is smaller than a sector and holds no disk; check that it was copied to its end");
    Err(Error::new(ErrorKind::Disk, "disk-empty", message))
}

fn open_qcow2(spec: &DiskSpec, file: Store, write: bool) -> Result<Qcow2<Store>> {
    let path = spec.path.display();
    let mut qcow2 = Qcow2::<Store>::open_image(file, write).map_err(|error| damaged(&spec.path, error))?;
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
