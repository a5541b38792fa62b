//! Whether the file system has space enough to make room, told before anything is written.

use super::{Method, Room};
use crate::disks::Disk;
use crate::error::{Error, ErrorKind, Result};
use rustix::fs::statvfs;

/// What a shifted map, a boot loader and tables take at the most.
const METADATA_BYTES: u64 = 64 << 20;

/// Fails if the space is missing.
///
/// # Errors
/// `space-missing`.
pub(super) fn require(disk: &Disk, room: &Room, method: Method) -> Result<()> {
    if disk.is_block_device() {
        return Ok(());
    }
    // While a part moves it is there twice, and only one part moves at a time.
    let needed_bytes = METADATA_BYTES
        + match method {
            Method::Insert | Method::Map => 0,
            Method::Move => room.head_bytes.min(room.content_bytes),
        };
    let there = statvfs(&disk.path).map_err(|error| super::failed(disk, error.into()))?;
    require_bytes(disk, needed_bytes, there.f_bavail.saturating_mul(there.f_frsize))
}

pub(super) fn require_bytes(disk: &Disk, needed_bytes: u64, free_bytes: u64) -> Result<()> {
    if free_bytes >= needed_bytes {
        return Ok(());
    }
    let message = format!(
        "the file system of {} has {free_bytes} bytes free, and {needed_bytes} are needed; free some, or write the result \
         into a new image elsewhere",
        disk.given_path().display()
    );
    Err(Error::new(ErrorKind::Io, "space-missing", message))
}
