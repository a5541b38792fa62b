//! The commit: overlays are folded into the disks, all or none.
//!
//! Order, each step durable before the next: the overlays are synced; the originals of what will change are saved into a
//! draft of each undo file; a journal beside each changed disk names all disks and overlays, that of the first disk last:
//! with it the commit has begun; a disk that gets a new layout gets room for it (`room`); each overlay is folded, which may
//! be done twice without harm; the undo files get their names and their record; overlays and journals go, that of the first
//! disk last. Killed before it began: the disks are untouched and the next open forgets it. Killed after: the next open
//! finishes it (`recover`). An undo is a commit, too, whose overlays are the undo files.

mod fold;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod head;
mod journal;
mod laid_out;
mod originals;
mod output;
mod own;
mod places;
mod record;
mod recover;
mod room;
mod space;
mod undo;

pub(crate) use output::Output;
pub(crate) use recover::recover;
pub use recover::{Finished, Recovery};
pub(crate) use space::require_space;
pub use undo::UndoOptions;
pub(crate) use undo::{discard_undo, require_no_undo, undo, undo_files};

use crate::boot_image::Grub;
use crate::disks::{Disk, Image, ImageFormat, View, overlay};
use crate::error::{Error, ErrorKind, Result};
use crate::observe::{Event, Observer, Stage, Timings};
use guestconv_core::lay_out::LayOut;
use head::Head;
use journal::{Journal, JournalDisk, Work};
use laid_out::LaidOut;
use record::{Record, RecordDisk, State};
use room::Room;
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
    /// Drafts of undo files.
    drafts: Vec<PathBuf>,
    /// Head and tail of the disks that are laid out.
    heads: Vec<Option<Head>>,
    /// Whether the disks themselves will change.
    is_in_place: bool,
    has_begun: bool,
}

impl Overlays {
    /// Makes an overlay in a file for each disk.
    pub(crate) fn new(disks: &[Disk], overlay_dir: Option<&Path>) -> Result<Self> {
        let path = |disk: &Disk| places::overlay(&disk.path, overlay_dir);
        Self::in_files(disks, disks.iter().map(path).collect::<Result<_>>()?, true)
    }

    /// Makes an overlay in a file for each disk, beside the new image that its content goes to.
    pub(crate) fn for_output(disks: &[Disk], output: &Output) -> Result<Self> {
        Self::in_files(disks, output.overlay_paths()?, false)
    }

    fn in_files(disks: &[Disk], paths: Vec<PathBuf>, is_in_place: bool) -> Result<Self> {
        let mut overlays = Self {
            images: Vec::new(),
            paths: Vec::new(),
            drafts: Vec::new(),
            heads: disks.iter().map(|_| None).collect(),
            is_in_place,
            has_begun: false,
        };
        for (disk, path) in disks.iter().zip(paths) {
            // It is for people, and none of them shall open an image by a format that it has not.
            let below = (!disk.is_only_read()).then_some((disk.path.as_path(), disk.format));
            let image = overlay::in_file(&disk.base, &path, below)?;
            overlays.paths.push(path);
            overlays.images.push(image);
        }
        Ok(overlays)
    }

    /// Gives the disk of that number a head and a tail, whose GRUB is in the making until [`Self::complete`].
    ///
    /// # Errors
    /// As [`room::check`] and [`Head::new`].
    pub(crate) fn lay_out(
        &mut self,
        disks: &[Disk],
        number: usize,
        lay_out: &LayOut,
        grub: &Grub,
    ) -> Result<()> {
        let place = self.paths.get(number).zip(self.heads.get_mut(number));
        if let Some((disk, (path, head))) = disks.get(number).zip(place) {
            let room = Room::of(disk, lay_out);
            if self.is_in_place {
                room::check(disk, &room)?;
            }
            *head = Some(Head::new(places::head(path), lay_out, room, grub)?);
        }
        Ok(())
    }

    /// Puts into the heads what a look sees of GRUB.
    ///
    /// # Errors
    /// As [`Head::show`].
    pub(crate) fn show(&mut self) -> Result<()> {
        self.heads.iter_mut().flatten().try_for_each(Head::show)
    }

    /// Completes the heads: GRUB is in them from then on.
    ///
    /// # Errors
    /// As [`Head::complete`].
    pub(crate) fn complete(&mut self) -> Result<()> {
        self.heads.iter_mut().flatten().try_for_each(Head::complete)
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
            let heads = self.heads.iter().flatten().filter_map(|head| head.laid_out.head.as_ref());
            self.paths.iter().chain(&self.drafts).chain(heads).for_each(|path| drop(fs::remove_file(path)));
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
        let (mut parts, mut entries) = (Vec::new(), Vec::new());
        let pieces = overlays.images.iter().zip(&overlays.paths).zip(&overlays.heads);
        for (disk, ((image, path), head)) in disks.iter().zip(pieces) {
            if head.is_some() || fold::is_changed(image).map_err(|error| reading(path, error))? {
                image.flush().and_then(|()| image.sync()).map_err(|error| reading(path, error))?;
                head.iter().try_for_each(Head::sync).map_err(|error| reading(path, error))?;
                journal::sync_directory(path)?;
                let laid_out = head.as_ref().map(|head| head.laid_out.clone());
                let undo = match self.undo {
                    UndoFile::Keep => Some(places::undo(&disk.path, self.overlay_dir)?),
                    UndoFile::Leave => None,
                };
                entries.push(entry(disk, path, undo, laid_out, self.overlay_dir)?);
                disk.open_for_writing()?; // while nothing is changed
                parts.push(Part { disk, overlay: Some(Image::clone(image)) });
            }
        }
        let Some(head) = parts.first() else { return Ok(()) };
        let head = head.disk.path.clone();
        timings.add(Stage::Commit, "overlays", begun.elapsed());
        let begun = Instant::now();
        for (part, entry) in parts.iter().zip(&entries) {
            if let (Some(undo), Some(overlay)) = (&entry.undo, &part.overlay) {
                overlays.drafts.push(places::draft(undo));
                save_originals(part.disk, overlay, entry.laid_out.as_ref(), &places::draft(undo))?;
            }
        }
        timings.add(Stage::Commit, "originals", begun.elapsed());
        let begun = Instant::now();
        let journal = Journal::new(head, Work::Conversion { target: self.target.to_owned() }, entries);
        let written = journal.write();
        overlays.has_begun = written.as_ref().err().is_none_or(|error| error.kind() == ErrorKind::Commit);
        written?;
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
    laid_out: Option<LaidOut>,
    overlay_dir: Option<&Path>,
) -> Result<JournalDisk> {
    Ok(JournalDisk {
        path: disk.path.clone(),
        format: disk.format,
        overlay: overlay.to_owned(),
        size_bytes: disk.base.size(),
        journal: places::journal(&disk.path, overlay_dir)?,
        undo,
        laid_out,
    })
}

fn save_originals(disk: &Disk, overlay: &Image, laid_out: Option<&LaidOut>, draft: &Path) -> Result<()> {
    let saved = overlay::above_nothing(draft, overlay.size())
        .and_then(|undo| originals::save(disk, overlay, laid_out, &undo))
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
    let mut targets = Vec::new();
    for (done, (entry, part)) in (0..).zip(journal.disks.iter().zip(parts)) {
        observer.event(&Event::Progress { stage, done, total });
        let failed = |error| {
            Error::io(
                "commit-write-failed",
                format_args!("write {}", part.disk.given_path().display()),
                error,
            )
        };
        change_room(journal, entry, part, stage, observer).map_err(failed)?;
        let target = part.disk.open_for_writing()?;
        let written_bytes = fold_pieces(entry, part, &target).map_err(failed)?;
        part.disk.counters.committed_bytes.fetch_add(written_bytes, Ordering::Relaxed);
        targets.push(target);
    }
    timings.add(stage, "fold", fold_begun.elapsed());
    let sync_begun = Instant::now();
    for target in &targets {
        let sync = target.flush().and_then(|()| target.sync());
        sync.map_err(|error| Error::io("commit-write-failed", "sync the disk", error))?;
    }
    keep_undo_files(journal, &targets)?;
    journal.remove()?;
    timings.add(stage, "sync", sync_begun.elapsed());
    Ok(())
}

/// Makes room for a new layout, or takes it away again.
fn change_room(
    journal: &Journal,
    entry: &JournalDisk,
    part: &Part<'_>,
    stage: Stage,
    observer: &dyn Observer,
) -> io::Result<()> {
    let Some(laid_out) = &entry.laid_out else { return Ok(()) };
    let told = |done, total| observer.event(&Event::Progress { stage, done, total });
    let job = room::Job {
        disk: part.disk,
        room: &laid_out.room,
        progress: &entry.progress(),
        told: &told,
        between: &|| Ok(()),
    };
    match journal.work {
        Work::Conversion { .. } => room::make(&job),
        Work::Undo => room::unmake(&job),
    }
}

/// Writes what belongs on a disk that has room for it.
fn fold_pieces(entry: &JournalDisk, part: &Part<'_>, target: &Image) -> io::Result<u64> {
    // An overlay that is gone was folded, and so was the head then.
    let Some(overlay) = &part.overlay else { return Ok(0) };
    match entry.laid_out.as_ref().filter(|laid_out| laid_out.head.is_some()) {
        None => fold::fold(overlay, target),
        Some(laid_out) => {
            let content_bytes = fold::fold_at(overlay, target, laid_out.room.head_bytes)?;
            Ok(content_bytes + laid_out.fold(target)?)
        }
    }
}

/// Gives the undo files their names and their record, which says how the disks are now.
fn keep_undo_files(journal: &Journal, targets: &[Image]) -> Result<()> {
    let Work::Conversion { target } = &journal.work else { return Ok(()) };
    let mut disks = Vec::new();
    for (entry, target) in journal.disks.iter().zip(targets) {
        let Some(undo) = &entry.undo else { continue };
        let failed =
            |error| Error::io("undo-failed", format_args!("keep the undo file {}", undo.display()), error);
        let draft = places::draft(undo);
        let now = [&draft, undo].into_iter().find(|path| record::exists(path));
        // Who took it away in between does not want it.
        let Some(now) = now else { return Ok(()) };
        let image = overlay::open(None, now)?;
        let after = State::of(&entry.path, target, &image).map_err(failed)?;
        if *now == draft {
            fs::rename(&draft, undo).map_err(failed)?;
        }
        disks.push(RecordDisk {
            path: entry.path.clone(),
            format: entry.format,
            size_bytes: entry.size_bytes,
            room: entry.laid_out.as_ref().map(|laid_out| laid_out.room),
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
