//! The way back of a guest: its conversion is undone, or what that needs is given up.

use super::Guest;
use crate::commit::{self, Finished, UndoOptions};
use crate::disks::Disk;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::observe::Stage;
use std::path::PathBuf;

impl Guest {
    /// Puts back what the last conversion of these disks changed: they are bit for bit what they were before it. The undo
    /// files go. All disks of that conversion are undone together.
    ///
    /// # Errors
    /// `undo-missing` if there is no undo file, `undo-incomplete` if a disk of the conversion is not among these,
    /// `undo-disk-changed` if a disk was written since, unless that is forced: nothing was changed. [`ErrorKind::Commit`]
    /// if it was interrupted: then the next open finishes it.
    pub fn undo(&mut self, options: &UndoOptions) -> Result<()> {
        if self.recovery.finished == Some(Finished::Undo) && self.undo_files().is_empty() {
            self.recovery.finished = None;
            return Ok(()); // opening finished an undo that was interrupted
        }
        let begun = self.started(Stage::Undo);
        self.disks.iter().try_for_each(Disk::lock_for_writing)?;
        let overlay_dir = self.options.overlay_dir.as_deref();
        let observer = &*self.options.observer;
        let result = commit::undo(&self.disks, overlay_dir, options, observer, &mut self.timings);
        self.disks.iter().for_each(Disk::unlock_writing);
        result?;
        self.disks.iter_mut().try_for_each(Disk::reopen)?;
        self.facts = None;
        self.finished(Stage::Undo, begun);
        Ok(())
    }

    /// Removes the undo files of these disks: there is no way back then.
    ///
    /// # Errors
    /// `undo-missing` if there are none.
    pub fn discard_undo(&mut self) -> Result<()> {
        commit::discard_undo(&self.disks, self.options.overlay_dir.as_deref())
    }

    /// Returns the undo files of these disks, in order.
    pub fn undo_files(&self) -> Vec<PathBuf> {
        commit::undo_files(&self.disks, self.options.overlay_dir.as_deref())
    }
}
