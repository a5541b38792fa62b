//! Superblocks: which file system, swap space or container a device holds, with UUID and label as `blkid` prints them.
//!
//! On disk: a magic at a fixed offset, for most in the first 68 KiB; MD raid also near the end. Containers are looked for
//! first, as libblkid does: what lies inside a member of an array is not the device's own. Only the header is read, nothing
//! is checked but that it makes sense; the kernel decides when it mounts. Offsets are those of the kernel's headers of
//! each file system and of util-linux's documentation.

mod container;
mod linux;
mod other;

use crate::formats::block::{ReadAt, uuid};
use std::io;

/// What a device holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// blkid's name: `ext4`, `LVM2_member` …
    pub kind: &'static str,
    /// As blkid prints it.
    pub uuid: Option<String>,
    /// As blkid prints it.
    pub label: Option<String>,
    /// Whether a journal waits to be replayed, as far as the header tells (ext3, ext4, btrfs).
    pub dirty: bool,
    /// How many devices the file system spans: btrfs; 1 elsewhere.
    pub devices: u64,
    /// How much of the device it uses, in bytes (ext2 to ext4, XFS, btrfs); `None` elsewhere.
    pub size_bytes: Option<u64>,
    /// The bits of its incompatible features, but for the journal that waits (ext2 to ext4, XFS); `None` elsewhere.
    pub features: Option<u32>,
}

/// What a device was found to hold: the superblock that counts, and the kinds of others that are there too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognised {
    /// What counts.
    pub superblock: Superblock,
    /// Stale ones: a file system under a swap header, and the like.
    pub also: Vec<&'static str>,
}

/// How much of the start of a device headers lie in, in bytes.
const HEAD_BYTES: usize = 72 << 10;
/// How much of the end, in bytes.
const TAIL_BYTES: usize = 128 << 10;

/// Returns what is on a device; `None` if nothing is recognised.
///
/// # Errors
/// The device's error.
pub fn recognise(device: &dyn ReadAt) -> io::Result<Option<Recognised>> {
    let head = device.bytes_at(0, HEAD_BYTES)?;
    let from = device.size_bytes().saturating_sub(u64::try_from(TAIL_BYTES).unwrap_or(0));
    let tail = device.bytes_at(from, TAIL_BYTES)?;
    let containers =
        [container::crypto(&head), container::md(&head, &tail, device.size_bytes()), container::raid(&tail)];
    if let Some(superblock) = containers.into_iter().flatten().next() {
        return Ok(Some(Recognised { superblock, also: Vec::new() }));
    }
    let all = [
        container::volume(&head),
        linux::ext(&head),
        linux::xfs(&head),
        linux::btrfs(&head),
        linux::f2fs(&head),
        linux::jfs(&head),
        linux::reiserfs(&head),
        linux::squashfs(&head),
        linux::erofs(&head),
        linux::nilfs2(&head),
        other::ntfs(device, &head)?,
        other::exfat(device, &head)?,
        other::vfat(device, &head)?,
        other::iso9660(&head),
        other::foreign(&head),
        linux::swap(&head),
        linux::bcachefs(&head),
    ];
    let mut all = all.into_iter().flatten();
    let Some(superblock) = all.next() else { return container::zfs(device).map(|found| found.map(alone)) };
    Ok(Some(Recognised { superblock, also: all.map(|superblock| superblock.kind).collect() }))
}

fn alone(superblock: Superblock) -> Recognised {
    Recognised { superblock, also: Vec::new() }
}

impl Superblock {
    fn new(kind: &'static str) -> Self {
        Self { kind, uuid: None, label: None, dirty: false, devices: 1, size_bytes: None, features: None }
    }

    fn uuid(self, bytes: Option<[u8; 16]>) -> Self {
        Self { uuid: bytes.filter(|bytes| *bytes != [0; 16]).map(uuid), ..self }
    }

    fn id(self, id: String) -> Self {
        Self { uuid: Some(id), ..self }
    }

    fn label(self, bytes: &[u8]) -> Self {
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        self.label_text(&String::from_utf8_lossy(text))
    }

    fn label_text(self, text: &str) -> Self {
        let text = text.trim_end();
        Self { label: (!text.is_empty()).then(|| text.to_owned()), ..self }
    }
}

fn utf16(bytes: &[u8]) -> String {
    let units = bytes.chunks_exact(2).filter_map(|pair| crate::formats::block::le16(pair, 0));
    char::decode_utf16(units.take_while(|unit| *unit != 0))
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

#[cfg(test)]
mod tests;
