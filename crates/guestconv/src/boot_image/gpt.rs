//! The partition table: a protective MBR's entry, GPT's header and entries, and their second copy at the end of the disk
//! (UEFI 2.10, section 5).
//!
//! Written by ourselves: what we need is two sectors and an array, and the `gpt` crate wants a device to write to, makes
//! GUIDs of its own and would bring three crates.

use super::Piece;
use super::frame::{Entry, FIRST_USABLE, Frame, SECOND_SECTORS, SECTOR};
use guestconv_core::formats::block::crc32;

/// Every tool makes so many, and the standard demands room for them.
const ENTRIES: u32 = 128;
const ENTRY_BYTES: u32 = 128;
/// Size of the header in bytes; the rest of its sector is zero.
const HEADER_BYTES: u32 = 92;
/// GPT's attribute of a partition that BIOS boots from.
const LEGACY_BOOT: u64 = 1 << 2;

/// Returns both copies and the MBR's table; `None` if the disk is too small for that.
pub(super) fn pieces(frame: &Frame) -> Option<Vec<Piece>> {
    let last = frame.disk_sectors.checked_sub(1)?;
    let second = frame.disk_sectors.checked_sub(SECOND_SECTORS)?;
    let entries = entries(&frame.entries)?;
    let crc = !crc32(!0, &entries);
    let header = |own, other, entries_at| header(frame, Place { own, other, entries_at, second }, crc);
    Some(vec![
        protective(frame.disk_sectors),
        Piece { at: SECTOR, bytes: header(1, last, 2) },
        Piece { at: 2 * SECTOR, bytes: entries.clone() },
        Piece { at: second * SECTOR, bytes: entries },
        Piece { at: last * SECTOR, bytes: header(last, 1, second) },
    ])
}

/// Returns the MBR from its disk signature, which GPT leaves zero, to its end.
fn protective(disk_sectors: u64) -> Piece {
    let size = u32::try_from(disk_sectors - 1).unwrap_or(u32::MAX);
    let mut bytes = vec![0; 6];
    // Not bootable, as the standard wants; from sector 1 in cylinders, heads and sectors; to the last that those can name.
    bytes.extend([0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0]);
    bytes.extend(size.to_le_bytes());
    bytes.extend([0; 3 * 16]);
    bytes.extend([0x55, 0xaa]);
    Piece { at: 440, bytes }
}

/// Where a header and its other copy are, in sectors.
struct Place {
    own: u64,
    other: u64,
    entries_at: u64,
    second: u64,
}

fn header(frame: &Frame, place: Place, entries_crc: u32) -> Vec<u8> {
    let with = |crc: u32| {
        let mut bytes = b"EFI PART\0\0\x01\0".to_vec();
        bytes.extend(HEADER_BYTES.to_le_bytes());
        bytes.extend(crc.to_le_bytes());
        bytes.extend([0; 4]);
        for number in [place.own, place.other, FIRST_USABLE, place.second - 1] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(frame.disk_guid);
        bytes.extend(place.entries_at.to_le_bytes());
        for number in [ENTRIES, ENTRY_BYTES, entries_crc] {
            bytes.extend(number.to_le_bytes());
        }
        bytes
    };
    // The checksum is that of the header with zero in its place.
    with(!crc32(!0, &with(0)))
}

fn entries(entries: &[Entry]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for number in 1..=ENTRIES {
        let begun = bytes.len();
        if let Some(entry) = entries.iter().find(|entry| entry.number == number) {
            bytes.extend(entry.kind);
            bytes.extend(entry.guid);
            bytes.extend(entry.sectors.start.to_le_bytes());
            bytes.extend(entry.sectors.end.checked_sub(1)?.to_le_bytes());
            bytes.extend(if entry.is_bootable { LEGACY_BOOT } else { 0 }.to_le_bytes());
            bytes.extend(entry.name.iter().flat_map(|unit| unit.to_le_bytes()));
        }
        bytes.resize(begun + usize::try_from(ENTRY_BYTES).ok()?, 0);
    }
    Some(bytes)
}
