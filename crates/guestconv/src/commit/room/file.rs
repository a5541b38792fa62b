//! Room in a raw file, by telling the file system: a range is inserted in front, and the end moves. ext4 and XFS can
//! (fallocate(2), `FALLOC_FL_INSERT_RANGE` and `FALLOC_FL_COLLAPSE_RANGE`); nothing is copied.
//!
//! How far it is shows in the length of the file. The call itself is not interrupted by a signal.

use super::super::{own, places};
use super::{Direction, Job, Room};
use crate::disks::Disk;
use rustix::fs::{FallocateFlags, fallocate, fstatvfs};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io;

/// Returns whether a range can be inserted into files where the disk is, tried with a file of our own.
pub(super) fn can_insert(disk: &Disk, room: &Room) -> io::Result<bool> {
    let trial = places::trial(&disk.path);
    own::remove(&trial)?;
    let file = match OpenOptions::new().write(true).create_new(true).open(&trial) {
        Ok(file) => file,
        // Then the journal cannot be written either, which says it better.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(false),
        Err(error) => return Err(error),
    };
    let tried = try_insert(&file, room.head_bytes);
    own::remove(&trial)?;
    tried
}

fn try_insert(file: &File, head_bytes: u64) -> io::Result<bool> {
    let block_bytes = fstatvfs(file)?.f_frsize.max(512);
    if !head_bytes.is_multiple_of(block_bytes) {
        return Ok(false);
    }
    file.set_len(2 * block_bytes)?;
    inserted(fallocate(file, FallocateFlags::INSERT_RANGE, 0, head_bytes))
}

/// Returns whether the file system did what it was told.
fn inserted(result: rustix::io::Result<()>) -> io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Makes room or takes it away; `false` if this file cannot, and nothing was changed.
pub(super) fn work(job: &Job<'_>, direction: Direction) -> io::Result<bool> {
    let file = OpenOptions::new().read(true).write(true).open(&job.disk.path)?;
    let room = job.room;
    let whole_bytes = room.old_size_bytes + room.head_bytes;
    let length = || Ok::<u64, io::Error>(file.metadata()?.len());
    match direction {
        Direction::Make => {
            if length()? == room.old_size_bytes {
                if !inserted(fallocate(&file, FallocateFlags::INSERT_RANGE, 0, room.head_bytes))? {
                    return Ok(false);
                }
                file.sync_all()?;
                (job.between)()?;
            }
            file.set_len(room.new_size_bytes)?;
        }
        Direction::Unmake => {
            if length()? == room.new_size_bytes {
                // What the mover can take over: the end of the file is no content.
                file.set_len(whole_bytes)?;
                file.sync_all()?;
                (job.between)()?;
            }
            if length()? == whole_bytes
                && !inserted(fallocate(&file, FallocateFlags::COLLAPSE_RANGE, 0, room.head_bytes))?
            {
                return Ok(false);
            }
        }
    }
    file.sync_all()?;
    Ok(true)
}
