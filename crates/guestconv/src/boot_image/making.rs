//! GRUB in the making: its images are made by a thread while the appliance works, and written when they are needed.

use super::frame::Frame;
use super::{Grub, Piece, failed, grub_pieces, put};
use crate::error::{Error, ErrorKind, Result};
use crate::observe::Cancel;
use guestconv_core::lay_out::LayOut;
use std::fmt;
use std::fs::File;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// GRUB's images for one disk, not yet in its file. When this goes, no file and no process of it is left.
pub(crate) struct Making {
    frame: Arc<Frame>,
    cancel: Cancel,
    thread: Option<JoinHandle<Result<Vec<Piece>>>>,
}

impl Making {
    /// Starts to make them.
    pub(super) fn start(frame: Frame, grub: Grub, lay_out: LayOut) -> Result<Self> {
        let (frame, cancel) = (Arc::new(frame), Cancel::default());
        let (its_frame, its_cancel) = (Arc::clone(&frame), cancel.clone());
        let making = move || grub_pieces(&its_frame, &grub, &lay_out, &its_cancel);
        let thread = thread::Builder::new().name("grub".to_owned()).spawn(making).map_err(failed)?;
        Ok(Self { frame, cancel, thread: Some(thread) })
    }

    /// Waits until they are made and writes them into the file that has the tables.
    ///
    /// # Errors
    /// `grub-failed` if GRUB's image cannot be made or does not fit, `grub-missing` if GRUB lacks a module that is needed,
    /// `boot-image-write-failed`.
    pub(crate) fn finish(mut self, file: &File) -> Result<()> {
        let made = self.thread.take().map_or_else(|| Ok(Ok(Vec::new())), JoinHandle::join);
        put(made.unwrap_or_else(|_| Err(panicked()))?, &self.frame, file)
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        self.cancel.cancel();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl fmt::Debug for Making {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Making").finish_non_exhaustive()
    }
}

fn panicked() -> Error {
    Error::new(
        ErrorKind::Bug,
        "grub-failed",
        "the thread that makes GRUB's images panicked; please report it",
    )
}
