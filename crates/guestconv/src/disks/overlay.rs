//! Overlays: every write of the appliance goes into a qcow2 image of ours above the caller's image, never into that.
//!
//! For reading the overlay is memory and is thrown away: a dirty journal is replayed there as the guest would. For a
//! conversion it is a file, `NAME.guestconv-overlay`, which the commit folds into the disk.
//!
//! An undo file is such an image, too, above nothing: it holds the originals of what the commit changed.

use super::image::{Image, ImageFormat};
use super::store::{Store, of_file};
use crate::error::{Error, ErrorKind, Result};
use imago::qcow2::Qcow2;
use imago::raw::Raw;
use imago::{DenyImplicitOpenGate, FormatAccess, FormatCreateBuilder, FormatDriverBuilder};
use rustix::fs::MemfdFlags;
use std::fs;
use std::io::{self, ErrorKind as IoKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

/// Small clusters: a journal's replay and an edited file touch few bytes, and what is not touched is not copied.
pub(crate) const CLUSTER_BYTES: usize = 16 << 10;

/// Returns an overlay above `base` that lives in memory and dies with the last user.
pub(crate) fn throw_away(base: &Image) -> Result<Image> {
    let failed = |error: io::Error| Error::io("overlay-failed", "make an overlay in memory", error);
    let file = rustix::fs::memfd_create("guestconv-overlay", MemfdFlags::CLOEXEC);
    create(base, fs::File::from(file.map_err(|error| failed(error.into()))?), None).map_err(failed)
}

/// Returns an overlay above `base` in the new file `path`; path and format of `below`
/// are written down in it, for people.
pub(crate) fn in_file(base: &Image, path: &Path, below: Option<(&Path, ImageFormat)>) -> Result<Image> {
    let failed = |error: io::Error| {
        let advice = match error.kind() {
            IoKind::AlreadyExists => "look at that file and remove it",
            _ => "say a directory for overlays that this user can write to",
        };
        let message = format!("cannot make the overlay {}: {error}; {advice}", path.display());
        Error::new(ErrorKind::Io, "overlay-failed", message).caused_by(error)
    };
    let mut options = fs::OpenOptions::new();
    let file = options.read(true).write(true).create_new(true).open(path).map_err(failed)?;
    create(base, file, below).map_err(failed)
}

/// Returns an image above nothing in the new file `path`, for a disk of that size.
pub(crate) fn above_nothing(path: &Path, size_bytes: u64) -> io::Result<Image> {
    let mut options = fs::OpenOptions::new();
    let file = options.read(true).write(true).create_new(true).mode(0o600).open(path)?;
    let builder = Qcow2::<Store, Image>::create_builder(of_file(file)?);
    let builder = builder.size(size_bytes).cluster_size(CLUSTER_BYTES).refcount_width(16);
    let open = |image| Ok(Qcow2::<Store, Image>::builder(image).backing(None).write(true));
    Ok(Arc::new(FormatAccess::new(builder.create_open(DenyImplicitOpenGate::default(), open)?)))
}

/// Returns a new image of that format in the file `path`, which is there and empty.
pub(crate) fn new_image(path: &Path, format: ImageFormat, size_bytes: u64) -> io::Result<Image> {
    let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
    if format == ImageFormat::Raw {
        file.set_len(size_bytes)?;
        let raw = Raw::open_image(of_file(file)?, true)?;
        return Ok(Arc::new(FormatAccess::new(raw)));
    }
    let builder = Qcow2::<Store, Image>::create_builder(of_file(file)?).size(size_bytes);
    let open = |image| Ok(Qcow2::<Store, Image>::builder(image).backing(None).write(true));
    Ok(Arc::new(FormatAccess::new(builder.create_open(DenyImplicitOpenGate::default(), open)?)))
}

/// Returns how much of a disk of that size overlays hold: whole sectors.
pub(crate) fn size_bytes(disk_bytes: u64) -> u64 {
    disk_bytes / 512 * 512
}

/// Opens the overlay in the file `path` as it is, above `base`.
pub(crate) fn open(base: Option<Image>, path: &Path) -> Result<Image> {
    let failed =
        |error| Error::io("overlay-failed", format_args!("open the overlay {}", path.display()), error);
    let file = fs::OpenOptions::new().read(true).write(true).open(path).map_err(failed)?;
    let builder = Qcow2::<Store, Image>::builder(of_file(file).map_err(failed)?);
    let overlay = builder.backing(base).open(DenyImplicitOpenGate::default()).map_err(failed)?;
    Ok(Arc::new(FormatAccess::new(overlay)))
}

fn create(base: &Image, file: fs::File, backing: Option<(&Path, ImageFormat)>) -> io::Result<Image> {
    let size = size_bytes(base.size());
    let mut builder = Qcow2::<Store, Image>::create_builder(of_file(file)?);
    builder = builder.size(size).cluster_size(CLUSTER_BYTES).refcount_width(16);
    if let Some((path, format)) = backing.and_then(|(path, format)| Some((path.to_str()?, format))) {
        builder = builder.backing(path.to_owned(), format.name().to_owned());
    }
    let above = |image| Ok(Qcow2::<Store, Image>::builder(image).backing(Some(Arc::clone(base))).write(true));
    let overlay = builder.create_open(DenyImplicitOpenGate::default(), above)?;
    Ok(Arc::new(FormatAccess::new(overlay)))
}
