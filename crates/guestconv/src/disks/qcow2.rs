//! What the reader of qcow2 images does not look at: whether the image is encrypted, and whether its end is missing.
//!
//! An encrypted image would be read as noise. What lies beyond the end of the file would be read as zeroes: an image whose
//! copy was cut off would look like a guest that lost its files. Every cluster that is in use has a reference count, so
//! the file must reach to the last one that is counted. Format: QEMU's `docs/interop/qcow2.rst`.

use super::bytes::up_to_end;
use super::image::opening;
use crate::error::{Error, ErrorKind, Result};
use guestconv_core::formats::block::{be32, be64};
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The largest table of reference counts that QEMU opens, in bytes.
const TABLE_CAP_BYTES: u64 = 8 << 20;
/// The largest first level of a map that QEMU opens, in bytes.
const MAP_CAP_BYTES: u64 = 32 << 20;
/// The least that a snapshot has in the table of snapshots, in bytes.
const SNAPSHOT_BYTES: u64 = 40;
/// How much of an image its header and the name of its backing file are in: QEMU keeps them in the first cluster.
const HEAD_BYTES: u64 = 2 << 20;
const DATA_FILE: u64 = 1 << 2;
const COMPRESSION: u64 = 1 << 3;
const EXTENDED: u64 = 1 << 4;
const ZSTD: u8 = 1;
const END: u32 = 0;
const BACKING_FORMAT: u32 = 0xe279_2aca;
const DATA_FILE_NAME: u32 = 0x4441_5441;
/// How many blocks of counts are looked at behind the end: a sound image has two at most.
const BLOCKS_CAP: usize = 16;

/// Fails if an image that could be opened is encrypted or cut off.
///
/// # Errors
/// `qcow2-encrypted`, `disk-truncated`; `disk-open-failed` if it cannot be read.
pub(super) fn require_whole(path: &Path) -> Result<()> {
    let failed = |error| opening(path, error);
    let mut file = File::open(path).map_err(failed)?;
    let header = Header::read(&file).map_err(failed)?;
    if header.is_encrypted {
        let message = format!(
            "{} is an encrypted qcow2 image, and its key is asked for by nobody here; decrypt it with qemu-img first",
            path.display()
        );
        return Err(Error::new(ErrorKind::Disk, "qcow2-encrypted", message));
    }
    let end_bytes = file.seek(SeekFrom::End(0)).map_err(failed)?;
    match header.missing(&file, end_bytes).map_err(failed)? {
        None => Ok(()),
        Some(at_bytes) => {
            let message = format!(
                "{} is cut off: it has a cluster at byte {at_bytes} and ends at {end_bytes}; copy the whole image, or \
                 check it with qemu-img",
                path.display()
            );
            Err(Error::new(ErrorKind::Disk, "disk-truncated", message))
        }
    }
}

/// Which other files an image names, and whether it has what only QEMU reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// The backing file, and its format if that is said.
    pub(super) backing: Option<(String, Option<String>)>,
    /// Whether its data is in another file.
    pub(super) has_data_file: bool,
    /// The name of that.
    pub(super) data_file: Option<String>,
    /// Whether clusters are compressed by zstd, or parts of clusters are counted.
    pub(super) needs_qemu: bool,
}

/// Returns what an image names.
///
/// # Errors
/// Of the host; `InvalidData` if it is no image in qcow2.
pub(super) fn names(path: &Path) -> io::Result<Names> {
    let head = up_to_end(&File::open(path)?, 0, HEAD_BYTES)?;
    names_in(&head).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "its header is none of qcow2"))
}

fn names_in(head: &[u8]) -> Option<Names> {
    let version = be32(head, 4).filter(|_| head.starts_with(b"QFI\xfb"))?;
    let (features, header_bytes) =
        if version < 3 { (0, 72) } else { (be64(head, 72)?, usize::try_from(be32(head, 100)?).ok()?) };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let compression = if header_bytes > 104 { *head.get(104)? } else { 0 };
    let mut names = Names {
        has_data_file: features & DATA_FILE != 0,
        needs_qemu: features & EXTENDED != 0 || features & COMPRESSION != 0 && compression == ZSTD,
        ..Names::default()
    };
    let (mut format, mut at) = (None, header_bytes);
    while let (Some(kind), Some(length)) = (be32(head, at), be32(head, at + 4)) {
        let length = usize::try_from(length).ok()?;
        let content = head.get(at + 8..).and_then(|rest| rest.get(..length));
        match kind {
            END => break,
            BACKING_FORMAT => format = content.map(text),
            DATA_FILE_NAME => names.data_file = content.map(text),
            _ => {}
        }
        at = at.checked_add(8)?.checked_add(length.checked_next_multiple_of(8)?)?;
    }
    let (name_at, name_bytes) = (be64(head, 8)?, usize::try_from(be32(head, 16)?).ok()?);
    if name_at != 0 {
        let name = head.get(usize::try_from(name_at).ok()?..)?.get(..name_bytes)?;
        names.backing = Some((text(name), format));
    }
    Some(names)
}

/// What the header says about encryption and reference counts.
#[derive(Clone, Copy, Default)]
struct Header {
    is_encrypted: bool,
    cluster_bits: u32,
    table_at: u64,
    table_bytes: u64,
    count_bits: u64,
    map_at: u64,
    map_bytes: u64,
    snapshots_at: u64,
    snapshots_bytes: u64,
}

impl Header {
    fn read(file: &File) -> io::Result<Self> {
        let number = |at: u64| -> io::Result<u32> {
            let mut bytes = [0; 4];
            file.read_exact_at(&mut bytes, at)?;
            Ok(u32::from_be_bytes(bytes))
        };
        let cluster_bits = number(20)?.clamp(9, 21);
        let count_order = if number(4)? < 3 { 4 } else { number(96)?.min(6) };
        Ok(Self {
            is_encrypted: number(32)? != 0,
            cluster_bits,
            table_at: u64::from(number(48)?) << 32 | u64::from(number(52)?),
            table_bytes: (u64::from(number(56)?) << cluster_bits).min(TABLE_CAP_BYTES),
            count_bits: 1 << count_order,
            map_at: u64::from(number(40)?) << 32 | u64::from(number(44)?),
            map_bytes: (u64::from(number(36)?) * 8).min(MAP_CAP_BYTES),
            snapshots_at: u64::from(number(64)?) << 32 | u64::from(number(68)?),
            snapshots_bytes: u64::from(number(60)?) * SNAPSHOT_BYTES,
        })
    }

    /// Returns where the first cluster in use is that begins at or behind the end of the file; `None` if there is none.
    fn missing(&self, file: &File, end_bytes: u64) -> io::Result<Option<u64>> {
        let snapshots_end = self.snapshots_at.saturating_add(self.snapshots_bytes);
        if self.snapshots_bytes > 0 && snapshots_end > end_bytes {
            return Ok(Some(snapshots_end - 1));
        }
        match self.missing_of_map(file, end_bytes)? {
            None => self.missing_counted(file, end_bytes),
            missing => Ok(missing),
        }
    }

    /// The map has two levels: the first is one table, whose entries say where those of the second are. Nothing that it says
    /// need have a count, in an image that was made to deceive.
    fn missing_of_map(&self, file: &File, end_bytes: u64) -> io::Result<Option<u64>> {
        if self.map_bytes > 0 && self.map_at >= end_bytes {
            return Ok(Some(self.map_at));
        }
        let map = up_to_end(file, self.map_at, self.map_bytes)?;
        let tables = map.chunks_exact(8).map(|entry| {
            entry.iter().fold(0u64, |all, byte| all << 8 | u64::from(*byte)) & 0x00ff_ffff_ffff_fe00
        });
        Ok(tables.filter(|table| *table >= end_bytes).min())
    }

    fn missing_counted(&self, file: &File, end_bytes: u64) -> io::Result<Option<u64>> {
        let cluster_bytes = 1u64 << self.cluster_bits;
        let end_cluster = end_bytes.div_ceil(cluster_bytes);
        let clusters_per_block = cluster_bytes * 8 / self.count_bits;
        if self.table_bytes > 0 && self.table_at >= end_bytes {
            return Ok(Some(self.table_at));
        }
        let table = up_to_end(file, self.table_at, self.table_bytes)?;
        let entries = table.chunks_exact(8).map(|entry| {
            let entry = entry.iter().fold(0u64, |all, byte| all << 8 | u64::from(*byte));
            entry & !0x1ff
        });
        let blocks = (0u64..).map(|index| index * clusters_per_block).zip(entries).filter(|(_, at)| *at != 0);
        let mut behind = Vec::new();
        for (first, block_at) in blocks {
            if block_at >= end_bytes {
                return Ok(Some(block_at));
            }
            if first + clusters_per_block > end_cluster && behind.len() < BLOCKS_CAP {
                behind.push((first, block_at));
            }
        }
        for (first, block_at) in behind {
            let block = up_to_end(file, block_at, cluster_bytes)?;
            let skipped = end_cluster.saturating_sub(first);
            let counted = (skipped..clusters_per_block).find(|index| self.is_counted(&block, *index));
            if let Some(index) = counted {
                return Ok(Some((first + index) << self.cluster_bits));
            }
        }
        Ok(None)
    }

    /// Returns whether a cluster has a count in its block.
    fn is_counted(&self, block: &[u8], index: u64) -> bool {
        let at_bits = index * self.count_bits;
        let at = usize::try_from(at_bits / 8).unwrap_or(usize::MAX);
        if self.count_bits >= 8 {
            let length = usize::try_from(self.count_bits / 8).unwrap_or_default();
            return block.get(at..at + length).is_some_and(|count| count.iter().any(|byte| *byte != 0));
        }
        // Narrow counts fill a byte from its low bits.
        let mask = (1u8 << self.count_bits) - 1;
        block.get(at).is_some_and(|byte| byte >> (at_bits % 8) & mask != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// A file of 10 clusters of 512 bytes with the table in cluster 1 and one block of counts in cluster 2.
    fn missing(count_bits: u64, counts: &[u8], clusters: usize) -> Option<u64> {
        let mut image = vec![0; 10 * 512];
        image[512..520].copy_from_slice(&1024u64.to_be_bytes());
        image[1024..][..counts.len()].copy_from_slice(counts);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&image[..clusters * 512 - 1]).unwrap();
        let header =
            Header { cluster_bits: 9, table_at: 512, table_bytes: 512, count_bits, ..Header::default() };
        header.missing(&file, u64::try_from(clusters * 512 - 1).unwrap()).unwrap()
    }

    #[test]
    fn the_header_names_other_files() {
        let head =
            |version: u32, features: u64, compression: u8, extensions: &[(u32, &str)], backing: &str| {
                let header_bytes = if version < 3 { 72 } else { 112 };
                let mut head = b"QFI\xfb".to_vec();
                head.extend(version.to_be_bytes());
                head.resize(header_bytes, 0);
                if version > 2 {
                    head[72..80].copy_from_slice(&features.to_be_bytes());
                    head[100..104].copy_from_slice(&112u32.to_be_bytes());
                    head[104] = compression;
                }
                for (kind, text) in extensions {
                    head.extend([*kind, u32::try_from(text.len()).unwrap()].map(u32::to_be_bytes).concat());
                    head.extend(text.as_bytes());
                    head.resize(head.len().next_multiple_of(8), 0);
                }
                head.extend([0; 8]);
                if !backing.is_empty() {
                    let at = u64::try_from(head.len()).unwrap();
                    head[8..16].copy_from_slice(&at.to_be_bytes());
                    head[16..20].copy_from_slice(&u32::try_from(backing.len()).unwrap().to_be_bytes());
                    head.extend(backing.as_bytes());
                }
                head
            };
        let none = Names::default();
        let needs_qemu = Names { needs_qemu: true, ..Names::default() };
        let backing = |format: Option<&str>| Names {
            backing: Some(("base.img".to_owned(), format.map(str::to_owned))),
            ..Names::default()
        };
        let data = Names { has_data_file: true, data_file: Some("a.data".to_owned()), ..Names::default() };
        for (head, expected) in [
            (head(2, 0, 0, &[], ""), Some(none.clone())),
            (head(3, 0, 0, &[], ""), Some(none.clone())),
            (head(3, COMPRESSION, 0, &[], ""), Some(none)),
            (head(3, COMPRESSION, ZSTD, &[], ""), Some(needs_qemu.clone())),
            (head(3, EXTENDED, 0, &[], ""), Some(needs_qemu)),
            (head(2, 0, 0, &[], "base.img"), Some(backing(None))),
            (head(3, 0, 0, &[(BACKING_FORMAT, "vmdk")], "base.img"), Some(backing(Some("vmdk")))),
            (head(3, DATA_FILE, 0, &[(1, "x"), (DATA_FILE_NAME, "a.data")], ""), Some(data)),
            (head(3, 0, 0, &[], "base.img")[..120].to_vec(), None),
            (b"QFI\xfb".to_vec(), None),
            (vec![0; 512], None),
        ] {
            assert_eq!(names_in(&head), expected);
        }
    }

    #[test]
    fn an_image_reaches_to_all_tables_of_its_map() {
        let mut file = tempfile::tempfile().unwrap();
        let entries = [0, 1 << 63 | 1024, 1 << 63 | 4096].map(u64::to_be_bytes);
        file.write_all(&[[0; 512].as_slice(), &entries.concat(), &[0; 1512]].concat()).unwrap();
        for (map_at, map_bytes, expected) in
            [(512, 16, None), (512, 24, Some(4096)), (8192, 16, Some(8192)), (8192, 0, None)]
        {
            let header = Header { cluster_bits: 9, count_bits: 16, map_at, map_bytes, ..Header::default() };
            assert_eq!(header.missing_of_map(&file, 2048).unwrap(), expected, "{map_at} {map_bytes}");
        }
    }

    #[test]
    fn an_image_reaches_to_the_end_of_its_snapshots() {
        let file = tempfile::tempfile().unwrap();
        for (snapshots_at, snapshots_bytes, expected) in
            [(2008, 40, None), (2008, 80, Some(2087)), (1 << 48, 0, None), (u64::MAX, 40, Some(u64::MAX - 1))]
        {
            let header = Header { count_bits: 16, snapshots_at, snapshots_bytes, ..Header::default() };
            assert_eq!(header.missing(&file, 2048).unwrap(), expected, "{snapshots_at} {snapshots_bytes}");
        }
    }

    #[test]
    fn an_image_reaches_to_its_last_counted_cluster() {
        let (wide, byte, bit) = ([0, 1, 0, 1, 0, 1, 0, 1], [1, 1, 1, 1, 0, 0, 0, 1], [0b1000_1111, 0b10]);
        for (count_bits, counts, clusters, expected) in [
            (16, &wide[..], 4, None),
            (16, &wide, 10, None),
            (16, &wide, 3, Some(3 * 512)),
            (16, &wide, 2, Some(1024)),
            (16, &wide, 1, Some(512)),
            (64, &wide, 1, Some(512)),
            (8, &byte, 8, None),
            (8, &byte, 7, Some(7 * 512)),
            (1, &bit, 10, None),
            (1, &bit, 9, Some(9 * 512)),
            (1, &bit, 5, Some(7 * 512)),
        ] {
            assert_eq!(
                missing(count_bits, counts, clusters),
                expected,
                "{count_bits} bits, {clusters} clusters"
            );
        }
    }
}
