//! Undo: what a conversion changed is put back from its undo files. It is a commit of its own, whose overlays they are.

use super::journal::{Journal, Work, remove};
use super::laid_out::LaidOut;
use super::record::{Record, RecordDisk, State, exists};
use super::{Part, entry, finish, interrupted, places};
use crate::disks::{Disk, overlay};
use crate::error::{Error, ErrorKind, Result};
use crate::observe::{Observer, Stage, Timings};
use std::path::{Path, PathBuf};

/// How a conversion is undone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UndoOptions {
    /// Put the originals back even if a disk was written since the conversion. What is then on the disks is a mixture
    /// that no guest wrote: only for disks that were touched and not changed.
    pub force: bool,
}

/// Fails if a disk has an undo file: a second conversion would make the first one's worthless, and may be the only way
/// back to the original.
///
/// # Errors
/// `undo-exists`.
pub(crate) fn require_no_undo(disks: &[Disk], overlay_dir: Option<&Path>) -> Result<()> {
    match undo_files(disks, overlay_dir).first() {
        None => Ok(()),
        Some(undo) => {
            let message = format!(
                "{} still keeps the originals of an earlier conversion; undo that first (guestconv undo), or give the \
                 originals up (guestconv discard-undo)",
                undo.display()
            );
            Err(Error::new(ErrorKind::Disk, "undo-exists", message))
        }
    }
}

/// Returns the undo files of the disks, in order.
pub(crate) fn undo_files(disks: &[Disk], overlay_dir: Option<&Path>) -> Vec<PathBuf> {
    let in_place = disks.iter().filter(|disk| !disk.is_only_read());
    let places = in_place.filter_map(|disk| places::undo(&disk.path, overlay_dir).ok());
    places.filter(|undo| exists(undo) || exists(&places::record(undo))).collect()
}

/// Removes the undo files of the disks.
///
/// # Errors
/// `undo-missing` if there are none.
pub(crate) fn discard_undo(disks: &[Disk], overlay_dir: Option<&Path>) -> Result<()> {
    let files = undo_files(disks, overlay_dir);
    if files.is_empty() {
        return Err(missing());
    }
    // The record first: nothing is put back without it.
    files.iter().try_for_each(|undo| remove(&places::record(undo)))?;
    files.iter().try_for_each(|undo| remove(undo))
}

/// Puts back what the undo files of the disks hold. The disks are locked for writing.
///
/// # Errors
/// `undo-missing`, `undo-damaged`, `undo-incomplete`, `undo-disk-changed`: nothing was changed. Of kind
/// [`ErrorKind::Commit`] if it had begun: the next open finishes it.
pub(crate) fn undo(
    disks: &[Disk],
    overlay_dir: Option<&Path>,
    options: &UndoOptions,
    observer: &dyn Observer,
    timings: &mut Timings,
) -> Result<()> {
    let record = the_record(disks, overlay_dir)?;
    let (mut parts, mut entries) = (Vec::new(), Vec::new());
    for own in &record.disks {
        let disk = disks.iter().find(|disk| disk.path == own.path).ok_or_else(|| {
            let path = own.path.display();
            let message = format!("the conversion changed {path}, too; give all disks of the guest together");
            Error::new(ErrorKind::InvalidArgument, "undo-incomplete", message)
        })?;
        let part = part(disk, own, options)?;
        let laid_out = own.room.map(|room| LaidOut { head: None, room });
        entries.push(entry(disk, &own.undo, None, laid_out, overlay_dir)?);
        parts.push(part);
    }
    let Some(head) = record.disks.first() else { return Err(missing()) };
    let journal = Journal::new(head.path.clone(), Work::Undo, entries);
    journal.write()?;
    finish(&journal, &parts, Stage::Undo, observer, timings).map_err(interrupted)
}

/// Returns the one record that the disks have.
fn the_record(disks: &[Disk], overlay_dir: Option<&Path>) -> Result<Record> {
    let mut found: Option<Record> = None;
    for disk in disks {
        let Some(record) = Record::of(disk, overlay_dir)? else { continue };
        if found.as_ref().is_some_and(|found| *found != record) {
            let message = format!(
                "{} was converted with other disks than those before it; undo each guest by itself",
                disk.given_path().display()
            );
            return Err(Error::new(ErrorKind::InvalidArgument, "undo-incomplete", message));
        }
        found = Some(record);
    }
    found.ok_or_else(missing)
}

/// Returns a disk with its undo file, if they still belong together.
fn part<'a>(disk: &'a Disk, own: &RecordDisk, options: &UndoOptions) -> Result<Part<'a>> {
    let path = disk.given_path().display();
    let damaged = |why: &str| {
        Error::new(ErrorKind::Changed, "undo-damaged", format!("the undo file {} {why}", own.undo.display()))
    };
    if !super::recover::is_image_of_ours(&own.undo) {
        return Err(damaged("is missing, or is no image of this user; put it back"));
    }
    let image = overlay::open(None, &own.undo)?;
    if image.size() != overlay::size_bytes(own.size_bytes) {
        return Err(damaged("is of a disk of another size"));
    }
    let size_bytes = disk.base.size();
    let fits = disk.format == own.format
        && match own.room {
            // What moves back must be where it was moved to.
            Some(room) => size_bytes == room.new_size_bytes,
            None => size_bytes >= own.size_bytes,
        };
    let state = State::of(&disk.path, &disk.base, &image)
        .map_err(|error| Error::io("undo-failed", format_args!("look at {path}"), error))?;
    let is_as_it_was = size_bytes == own.size_after_bytes() && state == own.after;
    if !fits || !(is_as_it_was || options.force) {
        let advice = match fits {
            true => "take a copy, or force the undo if you know that only its time or place has changed",
            false => "it is another disk; take a copy",
        };
        let message = format!(
            "{path} was written since the conversion: putting the originals back would mix both; {advice}"
        );
        return Err(Error::new(ErrorKind::Changed, "undo-disk-changed", message));
    }
    disk.open_for_writing()?;
    Ok(Part { disk, overlay: Some(image) })
}

fn missing() -> Error {
    let message =
        "no disk has an undo file; it was converted without one, undone, or its undo file was discarded";
    Error::new(ErrorKind::Disk, "undo-missing", message)
}
