//! The guest's disks: opened, locked, served to the appliance, always under an overlay.

mod bytes;
mod chain;
mod extent;
mod foreign;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod image;
mod lock;
mod memory;
mod nbd;
pub(crate) mod overlay;
mod probe;
mod qcow2;
mod request;
mod ring;
mod server;
mod session;
mod spec;
mod store;
mod view;
mod zeroes;

pub(crate) use extent::{Extent, of_file as file_extent};
pub use image::ImageFormat;
pub(crate) use image::open as open_image;
pub(crate) use image::{Access, Image};
pub(crate) use overlay::new_image;
pub(crate) use server::{Bell, Durability, Server};
pub use spec::{DiskFormat, DiskSpec, Format};
pub(crate) use store::Store;
pub(crate) use view::{Part, View};
pub(crate) use zeroes::write_zeroes;

use crate::confine::Confinement;
use crate::error::{Error, ErrorKind, Result};
use crate::observe::Traffic;
use imago::FormatAccess;
use lock::Lock;
use nbd::{Address, Nbd};
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
    /// Where it is, made absolute with links resolved; on a server, its address.
    pub(crate) path: PathBuf,
    /// What its image is.
    pub(crate) kind: DiskFormat,
    /// The format by which its content is read here.
    pub(crate) format: ImageFormat,
    /// Its content, for reading.
    pub(crate) base: Image,
    /// What the appliance read and wrote.
    pub(crate) counters: Arc<Counters>,
    identity: Identity,
    spec: DiskSpec,
    reach: Reach,
}

/// How a disk is reached.
#[derive(Debug)]
enum Reach {
    /// As a file, by this process.
    Own(Lock),
    /// Through a server, and it is only read; if that is one of ours, the file is locked.
    Served(Arc<Nbd>, #[expect(dead_code, reason = "it is held, and goes with this")] Option<Lock>),
}

/// What a disk is the same by, whatever its path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Identity {
    /// The device and the inode of a file.
    File(u64, u64),
    /// The number of a block device.
    BlockDevice(u64),
    /// The address on a server.
    Server(Address),
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

/// Opens the disks for reading, in order, and locks them against writers. `confinement` is for the programs that read them.
pub(crate) fn open_confined(specs: &[DiskSpec], confinement: Confinement) -> Result<Vec<Disk>> {
    let names = spec::names(specs)?;
    let open = |(spec, name)| Disk::open(spec, name, confinement);
    let disks = specs.iter().zip(names).map(open).collect::<Result<Vec<_>>>()?;
    require_distinct(&disks)?;
    Ok(disks)
}

/// Opens the disks as everybody does who says nothing of confinement.
#[cfg(test)]
pub(crate) fn open(specs: &[DiskSpec]) -> Result<Vec<Disk>> {
    open_confined(specs, Confinement::default())
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
    fn open(spec: &DiskSpec, name: String, confinement: Confinement) -> Result<Self> {
        if let Some(address) = Address::of(&spec.path)? {
            return Self::served(spec, name, address);
        }
        let kind = probe::format(spec)?;
        let failed = |error| image::opening(&spec.path, error);
        let path = fs::canonicalize(&spec.path).map_err(failed)?;
        let file = fs::File::open(&path).map_err(failed)?;
        let identity = Identity::of(&file.metadata().map_err(failed)?);
        let lock = Lock::for_reading(file, &spec.path)?;
        let own = kind.in_process().filter(|format| *format == ImageFormat::Raw);
        let own = match own {
            None if kind == DiskFormat::Qcow2 && !foreign::is_needed(spec)? => Some(ImageFormat::Qcow2),
            own => own,
        };
        let (format, base, reach) = match own {
            Some(format) => (format, image::open(spec, format, Access::Read)?, Reach::Own(lock)),
            None => {
                let nbd = Arc::new(foreign::open(spec, kind, confinement)?);
                let base = image::served(Arc::clone(&nbd), spec)?;
                (ImageFormat::Raw, base, Reach::Served(nbd, Some(lock)))
            }
        };
        let counters = Arc::default();
        Ok(Self { name, path, kind, format, base, counters, identity, spec: spec.clone(), reach })
    }

    /// Opens a disk that a server of the caller has.
    fn served(spec: &DiskSpec, name: String, address: Address) -> Result<Self> {
        let path = spec.path.display().to_string();
        if !matches!(spec.format, Format::Raw | Format::Auto) {
            let message = format!(
                "{path} is read as the bytes of the disk; let its server read the image, and say raw"
            );
            return Err(Error::new(ErrorKind::Disk, "disk-format-mismatch", message));
        }
        let nbd = Arc::new(Nbd::connect(&address, &path)?);
        let base = image::served(Arc::clone(&nbd), spec)?;
        Ok(Self {
            name,
            path: spec.path.clone(),
            kind: DiskFormat::Raw,
            format: ImageFormat::Raw,
            base,
            counters: Arc::default(),
            identity: Identity::Server(address),
            spec: spec.clone(),
            reach: Reach::Served(nbd, None),
        })
    }

    /// Returns whether the disk can only be read here, whoever asks for more.
    pub(crate) fn is_only_read(&self) -> bool {
        matches!(self.reach, Reach::Served(..))
    }

    /// Returns whether it is on a server of the caller, and nothing can be beside it.
    pub(crate) fn is_on_server(&self) -> bool {
        matches!(self.identity, Identity::Server(_))
    }

    /// Fails if the disk can only be read here.
    ///
    /// # Errors
    /// `output-needed`.
    pub(crate) fn require_in_place(&self) -> Result<()> {
        if !self.is_only_read() {
            return Ok(());
        }
        let path = self.given_path().display();
        let why = match (&self.identity, self.kind) {
            (Identity::Server(_), _) => "is on a server of NBD".to_owned(),
            (_, DiskFormat::Qcow2) => "is a qcow2 image with features that only QEMU has".to_owned(),
            (_, kind) => format!("is a {} image", kind.name()),
        };
        let message = format!(
            "{path} {why}, which is only read: convert it into a new image (--output), and leave it as it is"
        );
        Err(Error::new(ErrorKind::InvalidArgument, "output-needed", message))
    }

    /// Returns the format of a new image of this disk, if nobody says one.
    pub(crate) fn output_format(&self) -> ImageFormat {
        // An image that had a map gets one.
        self.kind.in_process().unwrap_or(ImageFormat::Qcow2)
    }

    /// Locks the disk for a conversion: nobody else may read or write.
    pub(crate) fn lock_for_writing(&self) -> Result<()> {
        match &self.reach {
            Reach::Own(lock) => lock.upgrade(&self.spec.path),
            Reach::Served(..) => self.require_in_place(),
        }
    }

    /// Lets others read again.
    pub(crate) fn unlock_writing(&self) {
        if let Reach::Own(lock) = &self.reach {
            lock.downgrade();
        }
    }

    /// Opens the image a second time, for the commit to write.
    pub(crate) fn open_for_writing(&self) -> Result<Image> {
        self.require_in_place()?;
        image::open(&self.spec, self.format, Access::Write)
    }

    /// Opens the image a second time, alone, so that its size may change.
    pub(crate) fn open_to_resize(&self) -> io::Result<FormatAccess<Store>> {
        self.require_in_place().map_err(io::Error::other)?;
        image::open_alone(&self.spec, self.format, Access::Write).map_err(io::Error::other)
    }

    /// Forgets what was read of the image: it was written by another access, and all of that is done.
    ///
    /// # Errors
    /// `disk-reopen-failed`, of kind [`ErrorKind::Commit`]: nobody shall take it for a disk that was not changed.
    pub(crate) fn reopen(&mut self) -> Result<()> {
        if self.is_only_read() {
            return Ok(());
        }
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
