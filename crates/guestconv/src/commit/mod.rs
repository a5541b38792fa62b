//! The commit: overlays are folded into the disks, all or none.
//!
//! Order, each step durable before the next: the overlays are synced; a journal beside each changed disk names all disks
//! and overlays, that of the first disk last: with it the commit has begun; each overlay is folded, which may be done
//! twice without harm; overlays and journals go, that of the first disk last. Killed before it began: the disks are
//! untouched and the next open forgets it. Killed after: the next open finishes it (`recover`).

mod fold;
mod journal;
mod recover;

pub(crate) use recover::recover;

use crate::disks::{Disk, Image, ImageFormat, View};
use crate::error::{Error, ErrorKind, Result};
use crate::observe::{Event, Observer, Stage, Timings};
use journal::{Journal, JournalDisk};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

/// The end of the name of an overlay's file.
const OVERLAY_SUFFIX: &str = ".guestconv-overlay";

/// Returns where the overlay of the disk `path` is: beside it, or in the directory of the caller.
///
/// # Errors
/// `overlay-dir-needed` for a block device without such a directory: nothing is beside it.
pub(crate) fn overlay_path(path: &Path, overlay_dir: Option<&Path>) -> Result<PathBuf> {
    let name = path.file_name().unwrap_or_default();
    match overlay_dir {
        // Disks of the same name from several directories meet here.
        Some(dir) => {
            let parts = path.iter().filter_map(|part| part.to_str()).filter(|part| *part != "/");
            let mut name = OsString::from(parts.collect::<Vec<_>>().join("+"));
            name.push(OVERLAY_SUFFIX);
            Ok(dir.join(name))
        }
        None if is_block_device(path) => Err(Error::new(
            ErrorKind::InvalidArgument,
            "overlay-dir-needed",
            format!("{} is a block device; say in which directory its overlay may be", path.display()),
        )),
        None => Ok(path.with_file_name([name, OVERLAY_SUFFIX.as_ref()].into_iter().collect::<OsString>())),
    }
}

fn is_block_device(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_block_device())
}

/// The overlays of a conversion, one per disk; their files go with this unless the commit has begun.
#[derive(Debug)]
pub(crate) struct Overlays {
    images: Vec<Image>,
    paths: Vec<PathBuf>,
    has_begun: bool,
}

impl Overlays {
    /// Makes an overlay in a file for each disk.
    pub(crate) fn new(disks: &[Disk], overlay_dir: Option<&Path>) -> Result<Self> {
        let mut overlays = Self { images: Vec::new(), paths: Vec::new(), has_begun: false };
        for disk in disks {
            let path = overlay_path(&disk.path, overlay_dir)?;
            let image = crate::disks::overlay::in_file(&disk.base, &path, &disk.path, disk.format)?;
            overlays.paths.push(path);
            overlays.images.push(image);
        }
        Ok(overlays)
    }

    /// Returns what the appliance is served for each disk, in the order of the disks.
    pub(crate) fn views(&self) -> Vec<View> {
        self.images.iter().map(View::of).collect()
    }
}

impl Drop for Overlays {
    fn drop(&mut self) {
        if !self.has_begun {
            // The next open removes what cannot be removed now.
            self.paths.iter().for_each(|path| drop(fs::remove_file(path)));
        }
    }
}

/// Folds the overlays into the disks.
///
/// # Errors
/// Of kind [`ErrorKind::Commit`] if it had begun: the next open finishes it. Else nothing was changed.
pub(crate) fn commit(
    disks: &[Disk],
    mut overlays: Overlays,
    observer: &dyn Observer,
    timings: &mut Timings,
) -> Result<()> {
    let begun = Instant::now();
    let mut parts = Vec::new();
    for (disk, (overlay, path)) in disks.iter().zip(overlays.images.iter().zip(&overlays.paths)) {
        if fold::is_changed(overlay).map_err(|error| reading(path, error))? {
            let target = disk.open_for_writing()?;
            parts.push(Part { disk, overlay, overlay_path: path, target });
        }
    }
    let Some(head) = parts.first() else { return Ok(()) };
    let head = head.disk.path.clone();
    for part in &parts {
        let sync = part.overlay.flush().and_then(|()| part.overlay.sync());
        sync.map_err(|error| reading(part.overlay_path, error))?;
        journal::sync_directory(part.overlay_path)?;
    }
    let journal = Journal::new(head, parts.iter().map(Part::entry).collect());
    journal.write()?;
    overlays.has_begun = true;
    timings.add(Stage::Commit, "journal", begun.elapsed());
    finish(&journal, &parts, observer, timings).map_err(interrupted)?;
    overlays.has_begun = false; // what was not changed has an overlay to remove, too
    Ok(())
}

/// A disk and the overlay that is folded into it.
struct Part<'a> {
    disk: &'a Disk,
    overlay: &'a Image,
    overlay_path: &'a Path,
    target: Image,
}

impl Part<'_> {
    fn entry(&self) -> JournalDisk {
        JournalDisk {
            path: self.disk.path.clone(),
            format: self.disk.format,
            overlay: self.overlay_path.to_owned(),
            size_bytes: self.disk.base.size(),
        }
    }
}

/// Does all of a commit that has begun.
fn finish(
    journal: &Journal,
    parts: &[Part<'_>],
    observer: &dyn Observer,
    timings: &mut Timings,
) -> Result<()> {
    let fold_begun = Instant::now();
    let total = u64::try_from(parts.len()).unwrap_or(u64::MAX);
    for (done, part) in (0..).zip(parts) {
        observer.event(&Event::Progress { stage: Stage::Commit, done, total });
        let failed = |error| {
            Error::io(
                "commit-write-failed",
                format_args!("write {}", part.disk.given_path().display()),
                error,
            )
        };
        let written_bytes = fold::fold(part.overlay, &part.target).map_err(failed)?;
        part.disk.counters.committed_bytes.fetch_add(written_bytes, Ordering::Relaxed);
    }
    timings.add(Stage::Commit, "fold", fold_begun.elapsed());
    let sync_begun = Instant::now();
    for part in parts {
        let sync = part.target.flush().and_then(|()| part.target.sync());
        sync.map_err(|error| Error::io("commit-write-failed", "sync the disk", error))?;
    }
    journal.remove()?;
    timings.add(Stage::Commit, "sync", sync_begun.elapsed());
    Ok(())
}

fn reading(path: &Path, error: io::Error) -> Error {
    Error::io("overlay-failed", format_args!("read or sync the overlay {}", path.display()), error)
}

fn interrupted(cause: Error) -> Error {
    let message = format!(
        "the commit was interrupted: {cause}; mend that and open the same disks again, which finishes it; until then do \
         not start the guest"
    );
    Error::new(ErrorKind::Commit, "commit-interrupted", message).caused_by(cause)
}

/// The format of a disk as a journal says it.
type Format = ImageFormat;

#[cfg(test)]
mod tests;
