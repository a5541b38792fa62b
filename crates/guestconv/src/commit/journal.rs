//! The journal of a commit: `NAME.guestconv-commit` beside each disk that changes. It exists only while a commit is under way.

use super::laid_out::LaidOut;
use super::record::exists;
use super::{Format, own, places};
use crate::error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// All disks of one commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Journal {
    /// Version of this document's shape: 2.
    schema: u32,
    /// The disk whose journal is written last and removed last: the commit has begun if it has one.
    head: PathBuf,
    /// What is committed.
    pub(super) work: Work,
    /// The disks that change.
    pub(super) disks: Vec<JournalDisk>,
}

/// What is committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Work {
    /// A conversion for that target.
    Conversion {
        /// Its id.
        target: String,
    },
    /// The undoing of one: the overlays are its undo files.
    Undo,
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
    /// Its size before the commit, to notice another disk of the same name.
    pub(super) size_bytes: u64,
    /// Where this is written.
    pub(super) journal: PathBuf,
    /// Where its undo file shall be, now a draft; `None`: none is kept.
    pub(super) undo: Option<PathBuf>,
    /// The new layout that it gets, or that is undone.
    pub(super) laid_out: Option<LaidOut>,
}

impl JournalDisk {
    /// Returns where it is written how far the room is.
    pub(super) fn progress(&self) -> PathBuf {
        places::progress(&self.journal)
    }

    /// Returns whether a disk of that size is this one, before the commit, in it, or after it.
    pub(super) fn may_have(&self, size_bytes: u64) -> bool {
        self.size_bytes == size_bytes
            || self.laid_out.as_ref().is_some_and(|laid_out| laid_out.room.sizes().contains(&size_bytes))
    }
}

impl Journal {
    pub(super) fn new(head: PathBuf, work: Work, disks: Vec<JournalDisk>) -> Self {
        Self { schema: 2, head, work, disks }
    }

    /// Writes the journals; the commit has begun when this returns.
    ///
    /// # Errors
    /// `journal-failed`: the commit has not begun. `commit-interrupted`: it has, or nobody knows.
    pub(super) fn write(&self) -> Result<()> {
        // What an earlier commit left when it had ended, and was killed.
        for disk in &self.disks {
            remove(&disk.progress())?;
            sync_directory(&disk.journal)?;
        }
        for disk in self.members().chain(self.heads()) {
            let Err(error) = own::write(&disk.journal, self) else { continue };
            let failed = |outcome: &str| {
                let message = format!(
                    "cannot write {}: {error}; {}{outcome}",
                    disk.journal.display(),
                    what_to_do(error.kind())
                );
                Error::new(ErrorKind::Io, "journal-failed", message)
            };
            // The first disk's may have its name, and is not known to be durable.
            return Err(match self.take_back() {
                Ok(()) => failed("; nothing was committed").caused_by(error),
                Err(_) => super::interrupted(failed("")),
            });
        }
        Ok(())
    }

    /// Removes the journals of a commit that cannot begin, that of the first disk first.
    fn take_back(&self) -> Result<()> {
        for disk in self.heads().chain(self.members()) {
            remove(&disk.journal)?;
            sync_directory(&disk.journal)?;
        }
        Ok(())
    }

    /// Removes overlays and journals; the commit has ended when this returns.
    pub(super) fn remove(&self) -> Result<()> {
        for disk in &self.disks {
            if self.work == Work::Undo {
                remove(&places::record(&disk.overlay))?;
            }
            remove(&disk.overlay)?;
            if let Some(head) = disk.laid_out.as_ref().and_then(|laid_out| laid_out.head.as_ref()) {
                remove(head)?;
            }
        }
        for disk in self.members().chain(self.heads()) {
            remove(&disk.journal)?;
            sync_directory(&disk.journal)?;
        }
        // Not before: it says that the room is there.
        self.disks.iter().try_for_each(|disk| remove(&disk.progress()))
    }

    /// Removes what a commit that never began left of one disk. An undo file is no such thing.
    pub(super) fn forget(&self, disk: &Path) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for own in self.disks.iter().filter(|own| own.path == disk) {
            files.extend((self.work != Work::Undo).then(|| own.overlay.clone()));
            files.extend(own.undo.as_ref().map(|undo| places::draft(undo)));
            files.extend(own.laid_out.as_ref().and_then(|laid_out| laid_out.head.clone()));
            files.push(own.journal.clone()); // it names the others
        }
        files.retain(|file| exists(file));
        files.iter().try_for_each(|file| remove(file))?;
        Ok(files)
    }

    /// Returns whether the commit has begun and not ended.
    pub(super) fn has_begun(&self) -> bool {
        self.heads().any(|head| head.journal.exists())
    }

    /// Returns the journal of a disk; `None` if there is none.
    ///
    /// # Errors
    /// `journal-foreign` if it is not ours: anybody who may write that directory could name any file in it.
    pub(super) fn of(disk: &Path, overlay_dir: Option<&Path>) -> Result<Option<Self>> {
        // Without a directory for its files, a block device is only looked at.
        let Ok(place) = places::journal(disk, overlay_dir) else { return Ok(None) };
        let foreign = |why: &str| {
            let message = format!("{} {why}; look at it and remove it", place.display());
            Error::new(ErrorKind::Disk, "journal-foreign", message)
        };
        let read = own::read(&place).map_err(|error| foreign(&error.to_string()).caused_by(error))?;
        let Some(journal): Option<Self> = read else { return Ok(None) };
        let names_this = journal.disks.iter().any(|own| own.path == disk && own.journal == place);
        if journal.schema == 2 && names_this && journal.heads().count() == 1 {
            Ok(Some(journal))
        } else {
            Err(foreign("is the journal of another disk"))
        }
    }

    fn heads(&self) -> impl Iterator<Item = &JournalDisk> {
        self.disks.iter().filter(|disk| disk.path == self.head)
    }

    fn members(&self) -> impl Iterator<Item = &JournalDisk> {
        self.disks.iter().filter(|disk| disk.path != self.head)
    }
}

/// Makes the names in the directory of `path` durable.
pub(super) fn sync_directory(path: &Path) -> Result<()> {
    own::sync_directory(path).map_err(|error| failed("sync the directory of", path, error))
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<()> {
    own::remove(path).map_err(|error| failed("remove", path, error))
}

fn failed(doing: &str, path: &Path, error: io::Error) -> Error {
    Error::io("journal-failed", format_args!("{doing} {}", path.display()), error)
}

/// Returns what lets a file be written that could not be.
fn what_to_do(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "make room there"
        }
        _ => "let this user write into that directory",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_directory_is_not_taken_for_a_forbidden_one() {
        for (errno, expected) in [
            (28, "make room there"),
            (122, "make room there"),
            (13, "let this user write into that directory"),
            (30, "let this user write into that directory"),
        ] {
            assert_eq!(what_to_do(io::Error::from_raw_os_error(errno).kind()), expected, "{errno}");
        }
    }
}
