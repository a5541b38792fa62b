//! Room by moving: the content goes to its place in parts as large as the room, so that a part's old place is not
//! written before the part itself has moved, and a part whose move was interrupted is moved again. Holes stay holes.

use super::super::fold;
use super::{Direction, Job, Progress};
use crate::disks::{Extent, Image, ImageFormat, file_extent};
use imago::Mapping;
use rustix::fs::{FallocateFlags, copy_file_range, fallocate};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;

/// How much is copied at once where the file system cannot do it itself.
const PIECE_BYTES: u64 = 1 << 20;

/// Moves all parts but the first `done`, which are moved.
pub(super) fn work(job: &Job<'_>, direction: Direction, done: u64) -> io::Result<()> {
    let room = job.room;
    let ground = Ground::open(job)?;
    if done == 0 {
        job.wrote(&Progress::Moved(0))?;
    }
    if direction == Direction::Make {
        ground.set_size(room.new_size_bytes)?;
    }
    let all_bytes = room.moved_bytes();
    let parts = all_bytes.div_ceil(room.head_bytes);
    for part in done..parts {
        (job.told)((part * room.head_bytes).min(all_bytes), all_bytes);
        // Upwards the last part goes first, downwards the first.
        let index = match direction {
            Direction::Make => parts - 1 - part,
            Direction::Unmake => part,
        };
        let low = index * room.head_bytes;
        let length = room.head_bytes.min(all_bytes - low);
        let (from, to) = match direction {
            Direction::Make => (low, low + room.head_bytes),
            Direction::Unmake => (low + room.head_bytes, low),
        };
        ground.copy(from, to, length)?;
        ground.sync()?;
        job.wrote(&Progress::Moved(part + 1))?;
    }
    match direction {
        Direction::Make => ground.write_zeroes(0, room.head_bytes)?,
        Direction::Unmake if job.disk.is_block_device() => {} // the undo file has what was behind the content
        Direction::Unmake => {
            let old_size_bytes = room.old_size_bytes;
            drop(ground);
            return shrink(job, old_size_bytes);
        }
    }
    ground.sync()
}

fn shrink(job: &Job<'_>, size_bytes: u64) -> io::Result<()> {
    if job.disk.format == ImageFormat::Raw {
        let file = OpenOptions::new().write(true).open(&job.disk.path)?;
        file.set_len(size_bytes)?;
        return file.sync_all();
    }
    let mut image = job.disk.open_to_resize()?;
    image.resize_shrink(size_bytes)?;
    image.flush()?;
    image.sync()
}

/// What is moved on.
enum Ground {
    /// A raw file or block device.
    File(File),
    /// An image with a map.
    Image(Image),
}

impl Ground {
    fn open(job: &Job<'_>) -> io::Result<Self> {
        match job.disk.format {
            ImageFormat::Raw => {
                Ok(Self::File(OpenOptions::new().read(true).write(true).open(&job.disk.path)?))
            }
            ImageFormat::Qcow2 => Ok(Self::Image(job.disk.open_to_resize()?.into())),
        }
    }

    /// Makes the disk that large, if it is smaller.
    fn set_size(&self, size_bytes: u64) -> io::Result<()> {
        match self {
            Self::File(file) => {
                let metadata = file.metadata()?;
                let grows = metadata.is_file() && metadata.len() < size_bytes;
                if grows { file.set_len(size_bytes) } else { Ok(()) }
            }
            Self::Image(image) => image.resize_grow(size_bytes, imago::format::PreallocateMode::None),
        }
    }

    fn sync(&self) -> io::Result<()> {
        match self {
            Self::File(file) => file.sync_all(),
            Self::Image(image) => image.flush().and_then(|()| image.sync()),
        }
    }

    fn copy(&self, from: u64, to: u64, length: u64) -> io::Result<()> {
        let mut done = 0;
        while done < length {
            done += match self.extent(from + done, length - done)? {
                Extent::Zeroes(count) => {
                    self.write_zeroes(to + done, count)?;
                    count
                }
                Extent::Data(count) => {
                    self.copy_data(from + done, to + done, count)?;
                    count
                }
            };
        }
        Ok(())
    }

    fn extent(&self, offset: u64, length: u64) -> io::Result<Extent> {
        match self {
            Self::File(file) => file_extent(file, offset, length),
            Self::Image(image) => {
                let (mapping, mapped) = image.get_mapping(offset, length)?;
                Ok(match mapping {
                    Mapping::Zero { .. } => Extent::Zeroes(mapped),
                    _ => Extent::Data(mapped),
                })
            }
        }
    }

    fn write_zeroes(&self, offset: u64, length: u64) -> io::Result<()> {
        let file = match self {
            Self::File(file) => file,
            Self::Image(image) => return fold::write_zeroes(image, offset, length).map(|_| ()),
        };
        let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match fallocate(file, punch, offset, length) {
            Ok(()) => return Ok(()),
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
        pieces(length, |at, count| file.write_all_at(&vec![0; size(count)?], offset + at))
    }

    fn copy_data(&self, from: u64, to: u64, length: u64) -> io::Result<()> {
        match self {
            Self::File(file) => copy_in_file(file, from, to, length),
            Self::Image(image) => pieces(length, |at, count| {
                let mut bytes = vec![0; size(count)?];
                image.read(&mut bytes, from + at)?;
                image.write(&bytes, to + at)
            }),
        }
    }
}

/// Copies within a file; file systems that share blocks share them.
fn copy_in_file(file: &File, from: u64, to: u64, length: u64) -> io::Result<()> {
    let mut done = 0;
    while done < length {
        let (mut source, mut place) = (from + done, to + done);
        match copy_file_range(file, Some(&mut source), file, Some(&mut place), size(length - done)?) {
            Ok(0) => break,
            Ok(count) => done += u64::try_from(count).map_err(io::Error::other)?,
            Err(Errno::INTR) => {}
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::XDEV) => break,
            Err(error) => return Err(error.into()),
        }
    }
    pieces(length - done, |at, count| {
        let mut bytes = vec![0; size(count)?];
        file.read_exact_at(&mut bytes, from + done + at)?;
        file.write_all_at(&bytes, to + done + at)
    })
}

fn pieces(length: u64, mut each: impl FnMut(u64, u64) -> io::Result<()>) -> io::Result<()> {
    let mut at = 0;
    while at < length {
        let count = PIECE_BYTES.min(length - at);
        each(at, count)?;
        at += count;
    }
    Ok(())
}

fn size(bytes: u64) -> io::Result<usize> {
    usize::try_from(bytes).map_err(io::Error::other)
}
