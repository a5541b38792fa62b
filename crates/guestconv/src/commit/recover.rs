//! What an earlier process left: a commit that had begun is finished, one that had not is forgotten, an overlay without a
//! journal is removed. Only files of this user, and only disks that the caller handed in, are touched.

use super::journal::{Journal, Work, remove};
use super::{Part, finish, interrupted, places, room};
use crate::disks::{Disk, overlay};
use crate::error::{Error, ErrorKind, Result};
use crate::observe::{Event, Observer, Stage, Timings};
use rustix::fs::{Advice, fadvise};
use serde::Serialize;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What opening a guest repaired.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Recovery {
    /// The commit that had been interrupted and was finished; `None` if there was none.
    pub finished: Option<Finished>,
    /// Files that a conversion left which was killed before its commit began: they were removed, and the disks had not
    /// been changed.
    pub removed: Vec<PathBuf>,
}

/// A commit that was finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Finished {
    /// The disks are converted.
    Conversion,
    /// The disks are what they were before the conversion.
    Undo,
}

/// Repairs what an interrupted conversion of these disks left. The disks are locked for reading.
pub(crate) fn recover(
    disks: &mut [Disk],
    overlay_dir: Option<&Path>,
    observer: &dyn Observer,
    timings: &mut Timings,
) -> Result<Recovery> {
    let mut recovery = Recovery::default();
    for index in 0..disks.len() {
        let Some(disk) = disks.get(index).filter(|disk| !disk.is_on_server()) else { continue };
        let Some(journal) = Journal::of(&disk.path, overlay_dir)? else { continue };
        if disk.is_only_read() {
            let path = disk.given_path().display();
            return Err(unfinished(&format!("{path} was in another format then; say that")));
        }
        if journal.has_begun() {
            observer.event(&Event::Started(Stage::Recover));
            finish_interrupted(disks, &journal, observer, timings)?;
            observer.event(&Event::Log("an interrupted commit was finished"));
            let is_undo = journal.work == Work::Undo;
            recovery.finished = Some(if is_undo { Finished::Undo } else { Finished::Conversion });
        } else {
            recovery.removed.extend(journal.forget(&disk.path)?);
        }
    }
    for disk in disks.iter().filter(|disk| !disk.is_only_read()) {
        // A disk on a medium that cannot be written has no such file beside it either.
        let left = places::leftovers(&disk.path, overlay_dir).into_iter();
        let removed: Vec<PathBuf> = left.filter(|path| is_leftover(path) && remove(path).is_ok()).collect();
        if !removed.is_empty() {
            observer.event(&Event::Log("what a conversion that was killed had left was removed"));
            recovery.removed.extend(removed);
        }
    }
    if recovery.finished.is_some() {
        disks.iter_mut().try_for_each(Disk::reopen)?;
    }
    Ok(recovery)
}

fn finish_interrupted(
    disks: &[Disk],
    journal: &Journal,
    observer: &dyn Observer,
    timings: &mut Timings,
) -> Result<()> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    for entry in &journal.disks {
        let disk = disks.iter().find(|disk| disk.path == entry.path).ok_or_else(|| {
            unfinished(&format!(
                "it also covers {}: open all disks of the guest together",
                entry.path.display()
            ))
        })?;
        if disk.format != entry.format || !entry.may_have(disk.base.size()) {
            return Err(unfinished(&format!("{} is not the disk that it was", entry.path.display())));
        }
        // Overlays go only after all disks are synced: without it, it was folded.
        let overlay = match entry.overlay.exists() {
            false => None,
            true if is_image_of_ours(&entry.overlay) => Some(overlay::open(None, &entry.overlay)?),
            true => return Err(unfinished(&format!("{} is no overlay of ours", entry.overlay.display()))),
        };
        disk.lock_for_writing()?;
        forget_what_was_not_written(disk);
        room::mend(disk).map_err(|error| {
            unfinished(&format!("{} cannot be mended: {error}", entry.path.display())).caused_by(error)
        })?;
        parts.push(Part { disk, overlay });
    }
    let result = finish(journal, &parts, Stage::Recover, observer, timings).map_err(interrupted);
    disks.iter().for_each(Disk::unlock_writing);
    result
}

/// Drops what the host has cached of a disk. What it could not write it may show as written until then (fsync(2), EIO): a
/// fold, which writes what differs, would leave it out, and the next sync would find nothing wrong.
fn forget_what_was_not_written(disk: &Disk) {
    // Advice: a host that does not take it has nothing better.
    drop(File::open(&disk.path).map(|file| fadvise(file, 0, None, Advice::DontNeed)));
}

/// Whether it is a qcow2 file of this user. The disk's lock says that nobody alive uses it.
pub(super) fn is_image_of_ours(path: &Path) -> bool {
    let mut magic = [0; 4];
    is_file_of_ours(path)
        && File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok()
        && magic == *b"QFI\xfb"
}

/// Whether it is a file of this user that was written by a conversion, or was about to be: an image whose header was not
/// written yet begins with zeroes, or is empty.
fn is_leftover(path: &Path) -> bool {
    let is_image =
        path.extension().is_some_and(|end| end == "guestconv-overlay" || end == "guestconv-undo-draft");
    let begins_as_ours = || {
        let mut begin = Vec::new();
        let read = File::open(path).and_then(|file| file.take(4).read_to_end(&mut begin));
        read.is_ok() && (begin == b"QFI\xfb" || begin.iter().all(|byte| *byte == 0))
    };
    is_file_of_ours(path) && (!is_image || begins_as_ours())
}

fn is_file_of_ours(path: &Path) -> bool {
    fs::symlink_metadata(path)
        .is_ok_and(|there| there.is_file() && there.uid() == rustix::process::geteuid().as_raw())
}

fn unfinished(why: &str) -> Error {
    Error::new(
        ErrorKind::Commit,
        "commit-unfinished",
        format!("an interrupted commit of this guest is to be finished, and cannot: {why}"),
    )
}
