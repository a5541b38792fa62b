//! The commit: overlays are folded into the disks, all or none.
//!
//! Order, each step durable before the next: the overlays are synced; the originals of what will change are saved into a
//! draft of each undo file; a journal beside each changed disk names all disks and overlays, that of the first disk last:
//! with it the commit has begun; each overlay is folded, which may be done twice without harm; the undo files get their
//! names and their record; overlays and journals go, that of the first disk last. Killed before it began: the disks are
//! untouched and the next open forgets it. Killed after: the next open finishes it (`recover`). An undo is a commit, too,
//! whose overlays are the undo files.

mod fold;
mod head;
mod journal;
mod originals;
mod own;
mod places;
mod record;
mod recover;
mod undo;

pub(crate) use recover::{Recovered, recover};
pub use undo::UndoOptions;
pub(crate) use undo::{discard_undo, require_no_undo, undo, undo_files};

use crate::boot_image::Grub;
use crate::disks::{Disk, Image, ImageFormat, View, overlay};
use crate::error::{Error, ErrorKind, Result};
use crate::observe::{Event, Observer, Stage, Timings};
use guestconv_core::lay_out::LayOut;
use head::Head;
use journal::{Journal, JournalDisk, Work};
use record::{Record, RecordDisk, State};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Whether a conversion can be undone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UndoFile {
    /// The originals of what changes are kept in an undo file beside each disk that changes.
    #[default]
    Keep,
    /// They are not: there is no way back.
    Leave,
}

/// The overlays of a conversion, one per disk; their files go with this unless the commit has begun.
#[derive(Debug)]
pub(crate) struct Overlays {
    images: Vec<Image>,
    paths: Vec<PathBuf>,
    /// Head and tail of the disks that are laid out.
    heads: Vec<Option<Head>>,
    /// Drafts of undo files.
    drafts: Vec<PathBuf>,
    has_begun: bool,
}

impl Overlays {
    /// Makes an overlay in a file for each disk.
    pub(crate) fn new(disks: &[Disk], overlay_dir: Option<&Path>) -> Result<Self> {
        let mut overlays = Self {
            images: Vec::new(),
            paths: Vec::new(),
            heads: disks.iter().map(|_| None).collect(),
            drafts: Vec::new(),
            has_begun: false,
        };
        for disk in disks {
            let path = places::overlay(&disk.path, overlay_dir)?;
            let image = overlay::in_file(&disk.base, &path, &disk.path, disk.format)?;
            overlays.paths.push(path);
            overlays.images.push(image);
        }
        Ok(overlays)
    }

    /// Gives the disk of that number a head and a tail.
    ///
    /// # Errors
    /// As [`Head::new`].
    pub(crate) fn lay_out(&mut self, number: usize, lay_out: &LayOut, grub: &Grub) -> Result<()> {
        if let (Some(path), Some(head)) = (self.paths.get(number), self.heads.get_mut(number)) {
            *head = Some(Head::new(places::head(path), lay_out, grub)?);
        }
        Ok(())
    }

    /// Returns what the appliance is served for each disk, in the order of the disks.
    pub(crate) fn views(&self) -> Vec<View> {
        let view = |(image, head): (&Image, &Option<Head>)| match head {
            Some(head) => head.view(image),
            None => View::of(image),
        };
        self.images.iter().zip(&self.heads).map(view).collect()
    }
}

impl Drop for Overlays {
    fn drop(&mut self) {
        if !self.has_begun {
            // The next open removes what cannot be removed now.
            let heads = self.heads.iter().flatten().map(|head| &head.path);
            self.paths.iter().chain(heads).chain(&self.drafts).for_each(|path| drop(fs::remove_file(path)));
        }
    }
}

/// How a conversion is committed.
pub(crate) struct Commit<'a> {
    /// Where the files of block devices are.
    pub(crate) overlay_dir: Option<&'a Path>,
    /// What the guest was converted for.
    pub(crate) target: &'a str,
    /// Whether it can be undone.
    pub(crate) undo: UndoFile,
    /// Is told what happens.
    pub(crate) observer: &'a dyn Observer,
}

impl Commit<'_> {
    /// Folds the overlays into the disks.
    ///
    /// # Errors
    /// Of kind [`ErrorKind::Commit`] if it had begun: the next open finishes it. Else nothing was changed.
    pub(crate) fn commit(&self, disks: &[Disk], mut overlays: Overlays, timings: &mut Timings) -> Result<()> {
        let begun = Instant::now();
        if let Some(head) = overlays.heads.iter().flatten().next() {
            let message =
                format!("the disk {} cannot be laid out yet; nothing was changed", head.lay_out.disk);
            return Err(Error::new(ErrorKind::Disk, "lay-out-unsupported", message));
        }
        let (mut parts, mut entries) = (Vec::new(), Vec::new());
        for (disk, (image, path)) in disks.iter().zip(overlays.images.iter().zip(&overlays.paths)) {
            if fold::is_changed(image).map_err(|error| reading(path, error))? {
                image.flush().and_then(|()| image.sync()).map_err(|error| reading(path, error))?;
                journal::sync_directory(path)?;
                let undo = match self.undo {
                    UndoFile::Keep => Some(places::undo(&disk.path, self.overlay_dir)?),
                    UndoFile::Leave => None,
                };
                entries.push(entry(disk, path, undo, self.overlay_dir)?);
                let target = disk.open_for_writing()?;
                parts.push(Part { disk, overlay: Some(Image::clone(image)), target });
            }
        }
        let Some(head) = parts.first() else { return Ok(()) };
        let head = head.disk.path.clone();
        timings.add(Stage::Commit, "overlays", begun.elapsed());
        let begun = Instant::now();
        for (part, entry) in parts.iter().zip(&entries) {
            if let (Some(undo), Some(overlay)) = (&entry.undo, &part.overlay) {
                overlays.drafts.push(places::draft(undo));
                save_originals(part.disk, overlay, &places::draft(undo))?;
            }
        }
        timings.add(Stage::Commit, "originals", begun.elapsed());
        let begun = Instant::now();
        let journal = Journal::new(head, Work::Conversion { target: self.target.to_owned() }, entries);
        journal.write()?;
        overlays.has_begun = true;
        timings.add(Stage::Commit, "journal", begun.elapsed());
        finish(&journal, &parts, Stage::Commit, self.observer, timings).map_err(interrupted)?;
        overlays.has_begun = false; // what was not changed has an overlay to remove, too
        Ok(())
    }
}

fn entry(
    disk: &Disk,
    overlay: &Path,
    undo: Option<PathBuf>,
    overlay_dir: Option<&Path>,
) -> Result<JournalDisk> {
    Ok(JournalDisk {
        path: disk.path.clone(),
        format: disk.format,
        overlay: overlay.to_owned(),
        size_bytes: disk.base.size(),
        journal: places::journal(&disk.path, overlay_dir)?,
        undo,
    })
}

fn save_originals(disk: &Disk, overlay: &Image, draft: &Path) -> Result<()> {
    let saved = overlay::above_nothing(draft, overlay.size())
        .and_then(|undo| originals::save(disk, overlay, &undo))
        .and_then(|()| own::sync_directory(draft));
    saved.map_err(|error| {
        let message = format!(
            "cannot write the undo file {}: {error}; make room there, or convert without one; nothing was committed",
            draft.display()
        );
        Error::new(ErrorKind::Io, "undo-failed", message).caused_by(error)
    })
}

/// A disk and the overlay that is folded into it; `None` if an interrupted commit had done it.
struct Part<'a> {
    disk: &'a Disk,
    overlay: Option<Image>,
    target: Image,
}

/// Does all of a commit that has begun; the parts are those of the journal, in its order.
fn finish(
    journal: &Journal,
    parts: &[Part<'_>],
    stage: Stage,
    observer: &dyn Observer,
    timings: &mut Timings,
) -> Result<()> {
    let fold_begun = Instant::now();
    let total = u64::try_from(parts.len()).unwrap_or(u64::MAX);
    for (done, part) in (0..).zip(parts) {
        observer.event(&Event::Progress { stage, done, total });
        let Some(overlay) = &part.overlay else { continue };
        let failed = |error| {
            Error::io(
                "commit-write-failed",
                format_args!("write {}", part.disk.given_path().display()),
                error,
            )
        };
        let written_bytes = fold::fold(overlay, &part.target).map_err(failed)?;
        part.disk.counters.committed_bytes.fetch_add(written_bytes, Ordering::Relaxed);
    }
    timings.add(stage, "fold", fold_begun.elapsed());
    let sync_begun = Instant::now();
    for part in parts {
        let sync = part.target.flush().and_then(|()| part.target.sync());
        sync.map_err(|error| Error::io("commit-write-failed", "sync the disk", error))?;
    }
    keep_undo_files(journal, parts)?;
    journal.remove()?;
    timings.add(stage, "sync", sync_begun.elapsed());
    Ok(())
}

/// Gives the undo files their names and their record, which says how the disks are now.
fn keep_undo_files(journal: &Journal, parts: &[Part<'_>]) -> Result<()> {
    let Work::Conversion { target } = &journal.work else { return Ok(()) };
    let mut disks = Vec::new();
    for (entry, part) in journal.disks.iter().zip(parts) {
        let Some(undo) = &entry.undo else { continue };
        let failed =
            |error| Error::io("undo-failed", format_args!("keep the undo file {}", undo.display()), error);
        let draft = places::draft(undo);
        let now = [&draft, undo].into_iter().find(|path| record::exists(path));
        // Who took it away in between does not want it.
        let Some(now) = now else { return Ok(()) };
        let image = overlay::open(None, now)?;
        let after = State::of(&entry.path, &part.target, &image).map_err(failed)?;
        if *now == draft {
            fs::rename(&draft, undo).map_err(failed)?;
        }
        disks.push(RecordDisk {
            path: entry.path.clone(),
            format: entry.format,
            size_bytes: entry.size_bytes,
            undo: undo.clone(),
            after,
        });
    }
    let failed = |error| Error::io("undo-failed", "write the record of the undo files", error);
    // It makes their names durable, too.
    Record::new(target.clone(), disks).write().map_err(failed)
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
