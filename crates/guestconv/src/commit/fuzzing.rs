//! What the commit reads that another wrote: the map of an image, the documents beside it.

#![allow(clippy::unwrap_used, reason = "a panic is how a target says that it found something")]

use super::journal::Journal;
use super::own;
use super::record::{Record, RecordDisk};
use super::room::{self, Room};
use rustix::fs::MemfdFlags;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

pub(crate) fn map(input: &[u8]) {
    let Some((sizes, bytes)) = input.split_at_checked(16) else { return };
    let number = |bytes: &[u8]| bytes.iter().fold(0u64, |all, byte| all << 8 | u64::from(*byte));
    let (head, new) = sizes.split_at(8);
    let (head_bytes, new_size_bytes) = (number(head), number(new));
    let room = Room { head_bytes, content_bytes: 1 << 20, old_size_bytes: 1 << 20, new_size_bytes };
    let (_file, path) = in_memory(bytes);
    room::fuzzed(&path, &room);
}

pub(crate) fn documents(text: &[u8]) {
    let (_file, path) = in_memory(text);
    let _ = serde_json::from_slice::<Journal>(text).map(|journal| {
        let _ = journal.has_begun();
        for disk in &journal.disks {
            let _ = (disk.may_have(512), disk.progress());
        }
    });
    let _ = serde_json::from_slice::<Record>(text)
        .map(|record| record.disks.iter().map(RecordDisk::size_after_bytes).fold(0, u64::wrapping_add));
    room::fuzzed_progress(&path);
    drop(own::read::<Journal>(&path));
}

/// Returns a file in memory that holds that, and its path.
fn in_memory(bytes: &[u8]) -> (File, PathBuf) {
    let mut file = File::from(rustix::fs::memfd_create("fuzzing", MemfdFlags::CLOEXEC).unwrap());
    file.write_all(bytes).unwrap();
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    (file, path)
}
