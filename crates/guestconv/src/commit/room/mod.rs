//! Room in front of a disk's content and behind it: what a new layout needs, made without copying where the storage can.
//!
//! - A raw file on ext4 or XFS: a range is inserted (`file`).
//! - A qcow2 image whose map covers the room by whole tables: the map is shifted (`map`).
//! - All else: the content is moved, the last part first (`mover`).
//!
//! Making it and taking it away are part of a commit: each step may be done twice, and how far it is stands in a document
//! of its own beside the journal, durable before the next step. Whoever is killed goes on from there.

mod counts;
mod file;
mod map;
mod mover;
mod space;

use super::own;
use crate::disks::{Disk, ImageFormat};
use crate::error::{Error, ErrorKind, Result};
use guestconv_core::lay_out::LayOut;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// How a disk's content moves when room is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Room {
    /// How much is put in front: the content begins here afterwards.
    pub(crate) head_bytes: u64,
    /// How much moves: the whole disk, or of a disk that cannot grow, what its file system has of it.
    pub(crate) content_bytes: u64,
    /// Size of the disk before.
    pub(crate) old_size_bytes: u64,
    /// Size of the disk afterwards.
    pub(crate) new_size_bytes: u64,
}

impl Room {
    /// Returns the room that a new layout of a disk needs.
    pub(super) fn of(disk: &Disk, lay_out: &LayOut) -> Self {
        Self {
            head_bytes: lay_out.head_bytes,
            content_bytes: lay_out.before.size_bytes,
            old_size_bytes: disk.base.size(),
            new_size_bytes: lay_out.size_bytes,
        }
    }

    /// Returns the sizes that the disk may have while room is made or taken away.
    pub(super) fn sizes(&self) -> [u64; 3] {
        [self.old_size_bytes, self.old_size_bytes.saturating_add(self.head_bytes), self.new_size_bytes]
    }

    /// Returns whether all of the disk moves, and it grows. A file may end within a sector, which no guest sees.
    fn is_whole(&self) -> bool {
        self.content_bytes == self.old_size_bytes / 512 * 512 && self.new_size_bytes > self.old_size_bytes
    }

    /// Returns how much is moved where something is moved.
    fn moved_bytes(&self) -> u64 {
        if self.is_whole() { self.old_size_bytes } else { self.content_bytes }
    }
}

/// How it is made on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// A range is inserted into the file.
    Insert,
    /// The image's map is shifted.
    Map,
    /// The content is moved.
    Move,
}

/// How far it is; no document: it has not begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Progress {
    /// So many parts of the content have moved.
    Moved(u64),
    /// The map has entries enough; these were in it.
    Mapped(Vec<u64>),
    /// Room is made, or taken away.
    Done,
}

/// What is done to a disk.
pub(super) struct Job<'a> {
    /// The disk.
    pub(super) disk: &'a Disk,
    /// The room.
    pub(super) room: &'a Room,
    /// Where it is written how far it is.
    pub(super) progress: &'a Path,
    /// Is told how many bytes of how many are done.
    pub(super) told: &'a dyn Fn(u64, u64),
    /// Is called between the durable states; tests stop there.
    pub(super) between: &'a dyn Fn() -> io::Result<()>,
}

/// Returns how room can be made on a disk. Nothing is changed.
///
/// # Errors
/// `disk-no-room`, `space-missing`, `backing-file-fixed`, `room-failed`.
pub(crate) fn check(disk: &Disk, room: &Room) -> Result<Method> {
    let failed = |error| failed(disk, error);
    if disk.is_block_device() {
        if room.new_size_bytes > disk.base.size() {
            let message = format!(
                "{} has {} bytes and needs {} for a partition table and a boot loader; make it larger, or copy it \
                 into an image file and convert that",
                disk.given_path().display(),
                disk.base.size(),
                room.new_size_bytes
            );
            return Err(Error::new(ErrorKind::Disk, "disk-no-room", message));
        }
        if disk.format == ImageFormat::Raw {
            return Ok(Method::Move);
        }
    }
    let method = match disk.format {
        ImageFormat::Raw if room.is_whole() && file::can_insert(disk, room).map_err(failed)? => {
            Method::Insert
        }
        ImageFormat::Qcow2 => {
            let map = map::Map::read(&disk.path).map_err(failed)?;
            if map.has_other_files() {
                let message = format!(
                    "{} has a backing file or keeps its data in another file, so that its content cannot be moved; flatten \
                     it with qemu-img convert, or write the result into a new image",
                    disk.given_path().display()
                );
                return Err(Error::new(ErrorKind::Disk, "backing-file-fixed", message));
            }
            if room.is_whole() && map.shift(room).is_some() { Method::Map } else { Method::Move }
        }
        ImageFormat::Raw => Method::Move,
    };
    space::require(disk, room, method)?;
    Ok(method)
}

/// Mends what a killed process may have left of an image: before anything more is written to it.
///
/// # Errors
/// The error of the host; of an image whose counts are missing.
pub(super) fn mend(disk: &Disk) -> io::Result<()> {
    match disk.format {
        ImageFormat::Qcow2 => counts::count_map(&disk.path),
        ImageFormat::Raw => Ok(()),
    }
}

/// Makes room. What was done before and interrupted is not done again.
pub(super) fn make(job: &Job<'_>) -> io::Result<()> {
    work(job, Direction::Make)
}

/// Takes room away: the content is where it was, and the disk as large as it was.
pub(super) fn unmake(job: &Job<'_>) -> io::Result<()> {
    work(job, Direction::Unmake)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Make,
    Unmake,
}

fn work(job: &Job<'_>, direction: Direction) -> io::Result<()> {
    let progress: Option<Progress> = own::read(job.progress)?;
    match progress {
        Some(Progress::Done) => return Ok(()),
        Some(Progress::Moved(parts)) => mover::work(job, direction, parts)?,
        Some(Progress::Mapped(entries)) => map::work(job, direction, Some(entries))?,
        None if job.disk.format == ImageFormat::Raw => {
            let is_done = job.room.is_whole() && !job.disk.is_block_device() && file::work(job, direction)?;
            if !is_done {
                mover::work(job, direction, 0)?;
            }
        }
        None => {
            let map = map::Map::read(&job.disk.path)?;
            match job.room.is_whole() && map.shift(job.room).is_some() {
                true => map::work(job, direction, None)?,
                false => mover::work(job, direction, 0)?,
            }
        }
    }
    job.wrote(&Progress::Done)
}

impl Job<'_> {
    /// Makes durable how far it is.
    fn wrote(&self, progress: &Progress) -> io::Result<()> {
        (self.between)()?;
        own::write(self.progress, progress)?;
        (self.between)()
    }
}

fn failed(disk: &Disk, error: io::Error) -> Error {
    Error::io(
        "room-failed",
        format_args!("look how room can be made on {}", disk.given_path().display()),
        error,
    )
}

/// For fuzzing: what is read of the map of the image at `path`, which is any bytes.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn fuzzed(path: &Path, room: &Room) {
    if let Ok(map) = map::Map::read(path) {
        let _ = (map.has_other_files(), map.shift(room));
    }
}

/// For fuzzing: how far a commit is, from any bytes.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn fuzzed_progress(path: &Path) {
    drop(own::read::<Progress>(path));
}

#[cfg(test)]
mod tests;
