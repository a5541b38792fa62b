//! The journal of a commit: `NAME.guestconv-commit` beside each disk that changes. It exists only while a commit is under way.

use super::Format;
use crate::error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind as IoKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const SUFFIX: &str = ".guestconv-commit";
/// A journal names a few dozen paths; what is larger is none of ours.
const CAP_BYTES: u64 = 1 << 20;

/// All disks of one commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Journal {
    /// Version of this document's shape: 1.
    schema: u32,
    /// The disk whose journal is written last and removed last: the commit has begun if it has one.
    head: PathBuf,
    /// The disks that change.
    pub(super) disks: Vec<JournalDisk>,
}

/// One disk of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JournalDisk {
    /// Where it is, absolute.
    pub(super) path: PathBuf,
    /// Its format.
    pub(super) format: Format,
    /// Its overlay.
    pub(super) overlay: PathBuf,
    /// Its size, to notice another disk of the same name.
    pub(super) size_bytes: u64,
}

impl Journal {
    pub(super) fn new(head: PathBuf, disks: Vec<JournalDisk>) -> Self {
        Self { schema: 1, head, disks }
    }

    /// Writes the journals; the commit has begun when this returns.
    ///
    /// # Errors
    /// `journal-failed`: the commit has not begun.
    pub(super) fn write(&self) -> Result<()> {
        let text = serde_json::to_vec_pretty(self).map_err(|error| {
            Error::new(ErrorKind::Bug, "journal-failed", "a path is not UTF-8").caused_by(error)
        })?;
        let members = self.disks.iter().map(|disk| &disk.path).filter(|path| **path != self.head);
        for disk in members.chain([&self.head]) {
            let place = place(disk);
            let failed = |error: io::Error| {
                let message = format!(
                    "cannot write {}: {error}; let this user write into the directory of the disk; nothing was committed",
                    place.display()
                );
                Error::new(ErrorKind::Io, "journal-failed", message).caused_by(error)
            };
            durable_write(&place, &text).map_err(failed)?;
        }
        Ok(())
    }

    /// Removes overlays and journals; the commit has ended when this returns.
    pub(super) fn remove(&self) -> Result<()> {
        for disk in &self.disks {
            remove(&disk.overlay)?;
        }
        for disk in self.disks.iter().filter(|disk| disk.path != self.head) {
            remove(&place(&disk.path))?;
            sync_directory(&place(&disk.path))?;
        }
        remove(&place(&self.head))?;
        sync_directory(&place(&self.head))
    }

    /// Removes what a commit that never began left of one disk.
    pub(super) fn forget(&self, disk: &Path) -> Result<()> {
        for own in self.disks.iter().filter(|own| own.path == disk) {
            remove(&own.overlay)?;
        }
        remove(&place(disk))
    }

    /// Returns whether the commit has begun and not ended.
    pub(super) fn has_begun(&self) -> bool {
        place(&self.head).exists()
    }

    /// Returns the journal beside a disk; `None` if there is none.
    ///
    /// # Errors
    /// `journal-foreign` if it is not ours: anybody who may write that directory could name any file in it.
    pub(super) fn beside(disk: &Path) -> Result<Option<Self>> {
        let place = place(disk);
        let foreign = |why: &str| {
            let message = format!("{} {why}; look at it and remove it", place.display());
            Error::new(ErrorKind::Disk, "journal-foreign", message)
        };
        let options =
            OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(&place);
        let file = match options {
            Ok(file) => file,
            Err(error) if error.kind() == IoKind::NotFound => return Ok(None),
            Err(error) => return Err(foreign("cannot be opened").caused_by(error)),
        };
        let metadata = file.metadata().map_err(|error| foreign("cannot be looked at").caused_by(error))?;
        if !metadata.is_file() || metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(foreign("is not a file of this user"));
        }
        let mut text = Vec::new();
        let read = file.take(CAP_BYTES).read_to_end(&mut text);
        read.map_err(|error| foreign("cannot be read").caused_by(error))?;
        let journal: Self = serde_json::from_slice(&text)
            .map_err(|error| foreign("is no journal of a commit").caused_by(error))?;
        let names_this = journal.disks.iter().any(|own| own.path == disk);
        let has_head = journal.disks.iter().any(|own| own.path == journal.head);
        if journal.schema == 1 && names_this && has_head {
            Ok(Some(journal))
        } else {
            Err(foreign("is the journal of another disk"))
        }
    }
}

fn place(disk: &Path) -> PathBuf {
    let name = [disk.file_name().unwrap_or_default(), SUFFIX.as_ref()].into_iter().collect::<OsString>();
    disk.with_file_name(name)
}

/// Writes a file so that it is there whole or not at all, also after a power cut.
fn durable_write(place: &Path, text: &[u8]) -> io::Result<()> {
    let draft = place.with_extension("guestconv-commit-draft");
    drop(fs::remove_file(&draft));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&draft, place)?;
    File::open(place.parent().unwrap_or(Path::new("/")))?.sync_all()
}

/// Makes the names in the directory of `path` durable.
pub(super) fn sync_directory(path: &Path) -> Result<()> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    let sync = File::open(dir).and_then(|dir| dir.sync_all());
    sync.map_err(|error| Error::io("journal-failed", format_args!("sync {}", dir.display()), error))
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != IoKind::NotFound => {
            Err(Error::io("journal-failed", format_args!("remove {}", path.display()), error))
        }
        _ => Ok(()),
    }
}
