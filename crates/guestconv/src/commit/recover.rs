//! What an earlier process left: a commit that had begun is finished, one that had not is forgotten, an overlay without a
//! journal is removed. Only files of this user, and only disks that the caller handed in, are touched.

use super::journal::{Journal, remove};
use super::{Part, finish, interrupted, overlay_path};
use crate::disks::{Disk, Image, overlay};
use crate::error::{Error, ErrorKind, Result};
use crate::observe::{Event, Observer, Stage, Timings};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Repairs what an interrupted conversion of these disks left. The disks are locked for reading.
pub(crate) fn recover(
    disks: &mut [Disk],
    overlay_dir: Option<&Path>,
    observer: &dyn Observer,
    timings: &mut Timings,
) -> Result<()> {
    let mut is_finished = false;
    for index in 0..disks.len() {
        let Some(disk) = disks.get(index) else { continue };
        let Some(journal) = Journal::beside(&disk.path)? else { continue };
        if journal.has_begun() {
            observer.event(&Event::Started(Stage::Recover));
            finish_interrupted(disks, &journal, observer, timings)?;
            observer.event(&Event::Log("an interrupted commit was finished"));
            is_finished = true;
        } else {
            journal.forget(&disk.path)?;
        }
    }
    for disk in disks.iter() {
        for dir in [None, overlay_dir] {
            // A disk on a medium that cannot be written has no overlay beside it either.
            let is_removed = overlay_path(&disk.path, dir)
                .is_ok_and(|path| is_stale_overlay(&path) && remove(&path).is_ok());
            if is_removed {
                observer.event(&Event::Log("the overlay of a conversion that was killed was removed"));
            }
        }
    }
    if is_finished {
        disks.iter_mut().try_for_each(Disk::reopen)?;
    }
    Ok(())
}

fn finish_interrupted(
    disks: &[Disk],
    journal: &Journal,
    observer: &dyn Observer,
    timings: &mut Timings,
) -> Result<()> {
    let mut found: Vec<(&Disk, Image, &Path, Image)> = Vec::new();
    for entry in &journal.disks {
        let disk = disks.iter().find(|disk| disk.path == entry.path).ok_or_else(|| {
            unfinished(&format!(
                "it also covers {}: open all disks of the guest together",
                entry.path.display()
            ))
        })?;
        if disk.format != entry.format || disk.base.size() != entry.size_bytes {
            return Err(unfinished(&format!("{} is not the disk that it was", entry.path.display())));
        }
        if !entry.overlay.exists() {
            continue; // it was folded: overlays go only after all disks are synced
        }
        if !is_stale_overlay(&entry.overlay) {
            return Err(unfinished(&format!("{} is no overlay of ours", entry.overlay.display())));
        }
        disk.lock_for_writing()?;
        found.push((disk, overlay::open(None, &entry.overlay)?, &entry.overlay, disk.open_for_writing()?));
    }
    let parts: Vec<Part<'_>> = found
        .iter()
        .map(|(disk, overlay, path, target)| Part {
            disk,
            overlay,
            overlay_path: path,
            target: target.clone(),
        })
        .collect();
    let result = finish(journal, &parts, observer, timings).map_err(interrupted);
    disks.iter().for_each(Disk::unlock_writing);
    result
}

/// Whether it is a qcow2 file of this user. The disk's lock says that nobody alive uses it.
fn is_stale_overlay(path: &Path) -> bool {
    let is_ours = fs::symlink_metadata(path)
        .is_ok_and(|there| there.is_file() && there.uid() == rustix::process::geteuid().as_raw());
    let mut magic = [0; 4];
    is_ours
        && File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok()
        && magic == *b"QFI\xfb"
}

fn unfinished(why: &str) -> Error {
    Error::new(
        ErrorKind::Commit,
        "commit-unfinished",
        format!("an interrupted commit of this guest is to be finished, and cannot: {why}"),
    )
}
