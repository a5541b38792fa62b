//! Head and tail of a disk that is laid out: a sparse file beside its overlay, until the commit has folded them in.

use super::laid_out::LaidOut;
use super::room::Room;
use crate::boot_image::{self, Grub, Making};
use crate::disks::{self, Access, DiskSpec, Image, ImageFormat, Part, View};
use crate::error::{Error, ErrorKind, Result};
use guestconv_core::lay_out::LayOut;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Head and tail of one disk; the file goes with this unless the commit has begun.
#[derive(Debug)]
pub(crate) struct Head {
    /// The file, and where it goes.
    pub(super) laid_out: LaidOut,
    image: Image,
    /// What the file still lacks.
    making: Option<(File, Making)>,
}

impl Head {
    /// Makes the new file `path`: the head, and right behind it the tail. GRUB comes into it with [`Self::complete`].
    ///
    /// # Errors
    /// As [`boot_image::begin`]; `overlay-failed` if the file cannot be made.
    pub(super) fn new(path: PathBuf, lay_out: &LayOut, room: Room, grub: &Grub) -> Result<Self> {
        let file = File::create_new(&path).map_err(|error| failed(&path, error))?;
        let written = boot_image::begin(lay_out, grub, &file)
            .and_then(|making| Ok(Self { making: Some((file, making)), ..Self::open(path.clone(), room)? }));
        if written.is_err() {
            drop(fs::remove_file(&path));
        }
        written
    }

    /// Opens the file `path`, which has head and tail.
    pub(super) fn open(path: PathBuf, room: Room) -> Result<Self> {
        let image = disks::open_image(&DiskSpec::new(&path), ImageFormat::Raw, Access::Write)?;
        Ok(Self { laid_out: LaidOut { head: Some(path), room }, image, making: None })
    }

    /// Waits for what a look sees of GRUB and writes it into the head.
    ///
    /// # Errors
    /// As [`Making::show`].
    pub(super) fn show(&mut self) -> Result<()> {
        self.making.as_mut().map_or(Ok(()), |(file, making)| making.show(file))
    }

    /// Waits for all of GRUB and writes it into the head.
    ///
    /// # Errors
    /// As [`Making::finish`].
    pub(super) fn complete(&mut self) -> Result<()> {
        self.making.take().map_or(Ok(()), |(file, making)| making.finish(&file))
    }

    /// Makes durable what is in the file.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.image.flush()?;
        self.image.sync()
    }

    /// Returns the disk as it will be: the head, what the disk holds under its overlay, the tail.
    pub(super) fn view(&self, overlay: &Image) -> View {
        let Room { head_bytes, content_bytes, .. } = self.laid_out.room;
        let part = |image: &Image, from, length| Part { image: Image::clone(image), from, length };
        let tail_bytes = self.image.size().saturating_sub(head_bytes);
        View::joined(vec![
            part(&self.image, 0, head_bytes),
            part(overlay, 0, content_bytes),
            part(&self.image, head_bytes, tail_bytes),
        ])
    }
}

fn failed(path: &Path, error: io::Error) -> Error {
    let message = format!(
        "cannot make {}, where a new partition table and boot loader wait for the commit: {error}; say a directory for \
         overlays that this user can write to",
        path.display()
    );
    Error::new(ErrorKind::Io, "overlay-failed", message).caused_by(error)
}
