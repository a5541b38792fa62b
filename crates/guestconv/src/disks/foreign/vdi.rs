//! VDI (VirtualBox, `VDICore.h`): a header, a map of blocks, the blocks in the order in which they were written.

use crate::disks::bytes::up_to_end;
use guestconv_core::formats::block::le32;
use std::fs::File;
use std::io;

const HEADER_BYTES: u64 = 512;
const PARENT_AT: usize = 0x1a8;

/// Returns whether the disk holds only what differs from a parent.
pub(super) fn has_parent(file: &File) -> io::Result<bool> {
    let header = up_to_end(file, 0, HEADER_BYTES)?;
    let parent = header.get(PARENT_AT..PARENT_AT + 16);
    Ok(parent.is_some_and(|parent| parent.iter().any(|byte| *byte != 0)))
}

/// Returns how long the file is at the least.
pub(super) fn least_bytes(file: &File) -> io::Result<u64> {
    let header = up_to_end(file, 0, HEADER_BYTES)?;
    let number = |at| u64::from(le32(&header, at).unwrap_or(0));
    let (data_at, block, extra, blocks) = (number(0x158), number(0x178), number(0x17c), number(0x184));
    Ok(data_at.saturating_add(blocks.saturating_mul(block + extra)))
}
