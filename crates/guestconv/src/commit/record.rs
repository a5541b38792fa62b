//! The record of an undo file, `NAME.guestconv-undo.json` beside it: what it undoes, on which disks, and how these were
//! when the commit had ended. Every disk of a conversion has the same.

use super::room::Room;
use super::{Format, originals, own, places};
use crate::disks::{Disk, Image};
use crate::error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// What the undo files of one conversion undo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    /// Version of this document's shape: 1.
    schema: u32,
    /// Who wrote it.
    guestconv: String,
    /// What the guest was converted for.
    target: String,
    /// The disks that were changed.
    pub(super) disks: Vec<RecordDisk>,
}

/// A disk that was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordDisk {
    /// Where it is, absolute.
    pub(super) path: PathBuf,
    /// Its format.
    pub(super) format: Format,
    /// Its size as the guest saw it before the conversion.
    pub(super) size_bytes: u64,
    /// The room that was made on it for a new layout.
    pub(super) room: Option<Room>,
    /// Its undo file.
    pub(super) undo: PathBuf,
    /// How it was when the commit had ended.
    pub(super) after: State,
}

impl RecordDisk {
    /// Returns its size as the guest sees it after the conversion.
    pub(super) fn size_after_bytes(&self) -> u64 {
        self.room.map_or(self.size_bytes, |room| room.new_size_bytes)
    }
}

/// By what it is noticed that a disk was written since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum State {
    /// A file.
    File {
        /// Its inode.
        inode: u64,
        /// Its length.
        length_bytes: u64,
        /// When it was last written: seconds since 1970.
        modified_seconds: i64,
        /// And nanoseconds.
        modified_nanoseconds: i64,
    },
    /// A block device: its node does not know when it was written.
    BlockDevice {
        /// SHA-256 of what it has where the undo file holds something.
        sha256: String,
    },
}

impl State {
    /// Returns how the disk at `path` is; `image` is its content.
    pub(super) fn of(path: &Path, image: &Image, undo: &Image) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        if metadata.file_type().is_block_device() {
            return Ok(Self::BlockDevice { sha256: originals::digest(undo, image)? });
        }
        Ok(Self::File {
            inode: metadata.ino(),
            length_bytes: metadata.len(),
            modified_seconds: metadata.mtime(),
            modified_nanoseconds: metadata.mtime_nsec(),
        })
    }
}

impl Record {
    pub(super) fn new(target: String, disks: Vec<RecordDisk>) -> Self {
        Self { schema: 1, guestconv: env!("CARGO_PKG_VERSION").to_owned(), target, disks }
    }

    /// Writes the record beside every undo file.
    pub(super) fn write(&self) -> io::Result<()> {
        self.disks.iter().try_for_each(|disk| own::write(&places::record(&disk.undo), self))
    }

    /// Returns the record of the undo file of a disk; `None` if the disk has no undo file.
    ///
    /// # Errors
    /// `undo-damaged` if there is only one of the two, or it is not ours, or the disk's.
    pub(super) fn of(disk: &Disk, overlay_dir: Option<&Path>) -> Result<Option<Self>> {
        let Ok(undo) = places::undo(&disk.path, overlay_dir) else { return Ok(None) };
        let place = places::record(&undo);
        let damaged = |why: String| {
            let message = format!(
                "{} {why}; put back what belongs there, or remove both it and {}",
                place.display(),
                undo.display()
            );
            Error::new(ErrorKind::Changed, "undo-damaged", message)
        };
        let read = own::read(&place).map_err(|error| damaged(error.to_string()).caused_by(error))?;
        let record: Self = match read {
            Some(record) => record,
            None if exists(&undo) => return Err(damaged("is missing".to_owned())),
            None => return Ok(None),
        };
        if record.schema != 1 {
            return Err(damaged("was written by another version of guestconv".to_owned()));
        }
        if !record.disks.iter().any(|own| own.path == disk.path && own.undo == undo) {
            return Err(damaged("is of another disk, or its disk had another name".to_owned()));
        }
        Ok(Some(record))
    }
}

/// Returns whether something has that name.
pub(super) fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}
