//! What an earlier process left: a commit that had begun is finished, one that had not is forgotten, an overlay without a
//! journal is removed. Only files of this user, and only disks that the caller handed in, are touched.

use super::journal::{Journal, Work, remove};
use super::{Part, finish, interrupted, places, room};
use crate::disks::{Disk, overlay};
use crate::error::{Error, ErrorKind, Result};
use crate::observe::{Event, Observer, Stage, Timings};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What was repaired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recovered {
    /// Whether an undo was finished.
    pub(crate) undo: bool,
}

/// Repairs what an interrupted conversion of these disks left. The disks are locked for reading.
pub(crate) fn recover(
    disks: &mut [Disk],
    overlay_dir: Option<&Path>,
    observer: &dyn Observer,
    timings: &mut Timings,
) -> Result<Recovered> {
    let (mut is_finished, mut recovered) = (false, Recovered::default());
    for index in 0..disks.len() {
        let Some(disk) = disks.get(index) else { continue };
        let Some(journal) = Journal::of(&disk.path, overlay_dir)? else { continue };
        if journal.has_begun() {
            observer.event(&Event::Started(Stage::Recover));
            finish_interrupted(disks, &journal, observer, timings)?;
            observer.event(&Event::Log("an interrupted commit was finished"));
            is_finished = true;
            recovered.undo |= journal.work == Work::Undo;
        } else {
            journal.forget(&disk.path)?;
        }
    }
    for disk in disks.iter() {
        remove_head(&disk.path, overlay_dir);
        let overlays = [None, overlay_dir].map(|dir| places::overlay(&disk.path, dir));
        let draft = places::undo(&disk.path, overlay_dir).map(|undo| places::draft(&undo));
        for path in overlays.into_iter().chain([draft]) {
            // A disk on a medium that cannot be written has no overlay beside it either.
            let is_removed = path.is_ok_and(|path| is_image_of_ours(&path) && remove(&path).is_ok());
            if is_removed {
                observer.event(&Event::Log("the overlay of a conversion that was killed was removed"));
            }
        }
    }
    if is_finished {
        disks.iter_mut().try_for_each(Disk::reopen)?;
    }
    Ok(recovered)
}

/// Removes head and tail of a conversion that was killed. What cannot be removed is in the way of nothing but the next one.
fn remove_head(disk: &Path, overlay_dir: Option<&Path>) {
    let heads = [None, overlay_dir].map(|dir| places::overlay(disk, dir).map(|path| places::head(&path)));
    for head in heads.into_iter().flatten().filter(|head| is_file_of_ours(head)) {
        drop(remove(&head));
    }
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
        room::mend(disk).map_err(|error| {
            unfinished(&format!("{} cannot be mended: {error}", entry.path.display())).caused_by(error)
        })?;
        parts.push(Part { disk, overlay });
    }
    let result = finish(journal, &parts, Stage::Recover, observer, timings).map_err(interrupted);
    disks.iter().for_each(Disk::unlock_writing);
    result
}

/// Whether it is a qcow2 file of this user. The disk's lock says that nobody alive uses it.
pub(super) fn is_image_of_ours(path: &Path) -> bool {
    let mut magic = [0; 4];
    is_file_of_ours(path)
        && File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok()
        && magic == *b"QFI\xfb"
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
