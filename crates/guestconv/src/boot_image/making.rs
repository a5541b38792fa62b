//! GRUB in the making: its images are made by threads while the appliance works, and written when they are needed.

use super::frame::Frame;
use super::{Grub, Piece, core_pieces, failed, put, seen_pieces};
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
    seen: Part,
    core: Part,
}

impl Making {
    /// Starts to make them.
    pub(super) fn start(frame: Frame, grub: Grub, lay_out: LayOut) -> Result<Self> {
        let (frame, cancel) = (Arc::new(frame), Cancel::default());
        let part = |make: Maker| {
            let (frame, grub, lay_out) = (Arc::clone(&frame), grub.clone(), lay_out.clone());
            let its_cancel = cancel.clone();
            Part::start(move || make(&frame, &grub, &lay_out, &its_cancel))
        };
        let (seen, core) = (part(seen_pieces)?, part(core_pieces)?);
        Ok(Self { frame, cancel, seen, core })
    }

    /// Waits until all is made that a look sees, and writes it into the file that has the tables.
    ///
    /// # Errors
    /// `grub-failed` if GRUB's image cannot be made or does not fit, `grub-missing` if GRUB lacks a module that is needed,
    /// `boot-image-write-failed`.
    pub(crate) fn show(&mut self, file: &File) -> Result<()> {
        put(self.seen.wait()?, &self.frame, file)
    }

    /// Waits until all is made, and writes it into that file.
    ///
    /// # Errors
    /// As [`Self::show`].
    pub(crate) fn finish(mut self, file: &File) -> Result<()> {
        self.show(file)?;
        put(self.core.wait()?, &self.frame, file)
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        self.cancel.cancel();
        for part in [&mut self.seen, &mut self.core] {
            drop(part.wait());
        }
    }
}

impl fmt::Debug for Making {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Making").finish_non_exhaustive()
    }
}

/// What makes pieces.
type Maker = fn(&Frame, &Grub, &LayOut, &Cancel) -> Result<Vec<Piece>>;

/// What a thread makes; none once it was waited for.
struct Part(Option<JoinHandle<Result<Vec<Piece>>>>);

impl Part {
    fn start(make: impl FnOnce() -> Result<Vec<Piece>> + Send + 'static) -> Result<Self> {
        let thread = thread::Builder::new().name("grub".to_owned()).spawn(make).map_err(failed)?;
        Ok(Self(Some(thread)))
    }

    /// Waits until it is made and returns it, the first time.
    fn wait(&mut self) -> Result<Vec<Piece>> {
        let made = self.0.take().map_or_else(|| Ok(Ok(Vec::new())), JoinHandle::join);
        made.unwrap_or_else(|_| Err(panicked()))
    }
}

fn panicked() -> Error {
    Error::new(
        ErrorKind::Bug,
        "grub-failed",
        "the thread that makes GRUB's images panicked; please report it",
    )
}
