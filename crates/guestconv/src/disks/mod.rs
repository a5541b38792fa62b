//! The guest's disks on the host: opened, locked, served to the appliance, always under an overlay.

mod chain;
mod extent;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod image;
mod lock;
mod memory;
pub(crate) mod overlay;
mod qcow2;
mod request;
mod ring;
mod server;
mod session;
mod spec;
mod view;
mod zeroes;

pub(crate) use extent::{Extent, of_file as file_extent};
pub use image::ImageFormat;
pub(crate) use image::open as open_image;
pub(crate) use image::{Access, Image};
pub(crate) use overlay::new_image;
pub(crate) use server::{Durability, Server};
pub use spec::{DiskSpec, Format};
pub(crate) use view::{Part, View};
pub(crate) use zeroes::write_zeroes;

use crate::error::{Error, ErrorKind, Result};
use crate::observe::Traffic;
use imago::FormatAccess;
use lock::Lock;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// An opened disk of the guest.
#[derive(Debug)]
pub(crate) struct Disk {
    /// Its short name in the documents.
    pub(crate) name: String,
    /// Where it is, made absolute with links resolved.
    pub(crate) path: PathBuf,
    /// Its format.
    pub(crate) format: ImageFormat,
    /// Its content, for reading.
    pub(crate) base: Image,
    /// What the appliance read and wrote.
    pub(crate) counters: Arc<Counters>,
    identity: Identity,
    spec: DiskSpec,
    lock: Lock,
}

/// What a file or block device is the same by, whatever its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identity {
    /// The device and the inode of a file.
    File(u64, u64),
    /// The number of a block device.
    BlockDevice(u64),
}

impl Identity {
    fn of(metadata: &fs::Metadata) -> Self {
        match metadata.file_type().is_block_device() {
            true => Self::BlockDevice(metadata.rdev()),
            false => Self::File(metadata.dev(), metadata.ino()),
        }
    }
}

/// Counts what goes to and from a disk.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) read_bytes: AtomicU64,
    pub(crate) written_bytes: AtomicU64,
    pub(crate) requests: AtomicU64,
    pub(crate) committed_bytes: AtomicU64,
}

impl Counters {
    /// Returns the counts so far.
    pub(crate) fn traffic(&self) -> Traffic {
        Traffic {
            read_bytes: self.read_bytes.load(Ordering::Relaxed),
            written_bytes: self.written_bytes.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
            committed_bytes: self.committed_bytes.load(Ordering::Relaxed),
        }
    }
}

/// Opens the disks for reading, in order, and locks them against writers.
pub(crate) fn open(specs: &[DiskSpec]) -> Result<Vec<Disk>> {
    let names = spec::names(specs)?;
    let disks =
        specs.iter().zip(names).map(|(spec, name)| Disk::open(spec, name)).collect::<Result<Vec<_>>>()?;
    require_distinct(&disks)?;
    Ok(disks)
}

/// Fails if two disks are one: two overlays above it would be folded into it one after the other.
fn require_distinct(disks: &[Disk]) -> Result<()> {
    for (index, disk) in disks.iter().enumerate() {
        if disks.iter().take(index).any(|earlier| earlier.identity == disk.identity) {
            let path = disk.given_path().display();
            let message = format!("{path} is given twice; give each disk of the guest once");
            return Err(Error::new(ErrorKind::InvalidArgument, "disk-twice", message));
        }
    }
    Ok(())
}

impl Disk {
    fn open(spec: &DiskSpec, name: String) -> Result<Self> {
        let format = image::format(spec)?;
        let failed = |error| image::opening(&spec.path, error);
        let path = fs::canonicalize(&spec.path).map_err(failed)?;
        let file = fs::File::open(&path).map_err(failed)?;
        let identity = Identity::of(&file.metadata().map_err(failed)?);
        let lock = Lock::for_reading(file, &spec.path)?;
        let base = image::open(spec, format, Access::Read)?;
        Ok(Self { name, path, format, base, counters: Arc::default(), identity, spec: spec.clone(), lock })
    }

    /// Locks the disk for a conversion: nobody else may read or write.
    pub(crate) fn lock_for_writing(&self) -> Result<()> {
        self.lock.upgrade(&self.spec.path)
    }

    /// Lets others read again.
    pub(crate) fn unlock_writing(&self) {
        self.lock.downgrade();
    }

    /// Opens the image a second time, for the commit to write.
    pub(crate) fn open_for_writing(&self) -> Result<Image> {
        image::open(&self.spec, self.format, Access::Write)
    }

    /// Opens the image a second time, alone, so that its size may change.
    pub(crate) fn open_to_resize(&self) -> io::Result<FormatAccess<imago::file::File>> {
        image::open_alone(&self.spec, self.format, Access::Write).map_err(io::Error::other)
    }

    /// Forgets what was read of the image: it was written by another access, and all of that is done.
    ///
    /// # Errors
    /// `disk-reopen-failed`, of kind [`ErrorKind::Commit`]: nobody shall take it for a disk that was not changed.
    pub(crate) fn reopen(&mut self) -> Result<()> {
        self.base = image::open(&self.spec, self.format, Access::Read).map_err(|error| {
            let path = self.given_path().display();
            let message = format!(
                "all changes of the disks are made and safe, but {path} cannot be opened again: {error}; see to the \
                 storage, then open the guest again"
            );
            Error::new(ErrorKind::Commit, "disk-reopen-failed", message).caused_by(error)
        })?;
        Ok(())
    }

    /// Fails unless a document can name it: what a commit does is written down before.
    ///
    /// # Errors
    /// `path-not-utf-8`.
    pub(crate) fn require_named(&self) -> Result<()> {
        match self.path.to_str() {
            Some(_) => Ok(()),
            None => {
                let path = self.path.display();
                let message = format!(
                    "the path {path} is not UTF-8, and the journal of a commit could not name it; rename the image, or \
                     convert it into another"
                );
                Err(Error::new(ErrorKind::InvalidArgument, "path-not-utf-8", message))
            }
        }
    }

    /// Returns whether it is a block device, which has one size.
    pub(crate) fn is_block_device(&self) -> bool {
        matches!(self.identity, Identity::BlockDevice(_))
    }

    /// Returns the path as the caller gave it.
    pub(crate) fn given_path(&self) -> &Path {
        &self.spec.path
    }
}

#[cfg(test)]
mod tests;
