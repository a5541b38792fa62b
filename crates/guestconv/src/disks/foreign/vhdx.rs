//! VHDX (Microsoft's MS-VHDX): two headers, which name a log that must be replayed if it has an identity, and a table of regions,
//! one of which says whether the disk has a parent.

use crate::disks::bytes::up_to_end;
use guestconv_core::formats::block::{le32, le64};
use std::fs::File;
use std::io;

const HEADERS_AT: [u64; 2] = [64 << 10, 128 << 10];
const REGIONS_AT: [u64; 2] = [192 << 10, 256 << 10];
const TABLE_BYTES: u64 = 64 << 10;
/// The region of metadata, 8B7CA206-4790-4B9A-B8FE-575F050F886E.
const METADATA: [u8; 16] =
    [0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b, 0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e];
/// The parameters of the file, CAA16737-FA36-4D43-B3B6-33F0AA44E76B.
const PARAMETERS: [u8; 16] =
    [0x37, 0x67, 0xa1, 0xca, 0x36, 0xfa, 0x43, 0x4d, 0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b];
const HAS_PARENT: u32 = 2;

/// Returns whether a header names a log: QEMU replays it, and refuses where it may not write.
pub(super) fn has_log(file: &File) -> io::Result<bool> {
    for at in HEADERS_AT {
        let header = up_to_end(file, at, 64)?;
        let log = header.get(48..64).filter(|_| header.starts_with(b"head"));
        if log.is_some_and(|log| log.iter().any(|byte| *byte != 0)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whether the disk holds only what differs from a parent.
pub(super) fn has_parent(file: &File) -> io::Result<bool> {
    for at in REGIONS_AT {
        let regions = up_to_end(file, at, TABLE_BYTES)?;
        let Some(place) = entry(&regions, (b"regi", 8, 16), &METADATA).and_then(|region| le64(region, 16))
        else {
            continue;
        };
        let metadata = up_to_end(file, place, TABLE_BYTES)?;
        let item = entry(&metadata, (b"metadata", 10, 32), &PARAMETERS).and_then(|item| le32(item, 16));
        if let Some(offset) = item {
            let parameters = up_to_end(file, place.saturating_add(offset.into()), 8)?;
            return Ok(le32(&parameters, 4).is_some_and(|bits| bits & HAS_PARENT != 0));
        }
    }
    Ok(false)
}

/// Returns the entry of that identity in a table that begins so, has its number of entries there, and its first entry there.
fn entry<'a>(
    table: &'a [u8],
    (magic, count_at, first): (&[u8], usize, usize),
    id: &[u8],
) -> Option<&'a [u8]> {
    let count = u16::from_le_bytes(*table.get(count_at..)?.first_chunk()?);
    let entries = table.get(first..).filter(|_| table.starts_with(magic))?.chunks_exact(32);
    entries.take(count.into()).find(|entry| entry.starts_with(id))
}
