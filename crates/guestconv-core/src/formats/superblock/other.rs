//! File systems of other systems: FAT, exFAT, NTFS, ISO 9660, UDF, UFS, HFS+.

use super::{Superblock, utf16};
use crate::formats::block::{ReadAt, array, has, le16, le32, le64};
use std::io;

/// The most that is read of a root directory for its label, in bytes.
const CAP_DIRECTORY_BYTES: usize = 128 << 10;

fn serial(bytes: [u8; 4]) -> String {
    let [a, b, c, d] = bytes;
    format!("{d:02X}{c:02X}-{b:02X}{a:02X}")
}

/// FAT12, FAT16 and FAT32. The label is that of the root directory, as blkid prints it since util-linux 2.33.
pub(super) fn vfat(device: &dyn ReadAt, head: &[u8]) -> io::Result<Option<Superblock>> {
    let Some(fat) = Fat::parse(head) else { return Ok(None) };
    let directory = device.bytes_at(fat.directory_at, fat.directory_bytes.min(CAP_DIRECTORY_BYTES))?;
    let label = directory
        .chunks_exact(32)
        .take_while(|entry| entry.first() != Some(&0))
        .filter(|entry| entry.first() != Some(&0xe5) && entry.get(11).is_some_and(|kind| kind & 0x18 == 8))
        .find(|entry| {
            entry.get(11) != Some(&0x0f) && le16(entry, 20) == Some(0) && le16(entry, 26) == Some(0)
        });
    let found = Superblock::new("vfat").id(serial(fat.serial));
    Ok(Some(match label.and_then(|entry| entry.get(..11)) {
        Some(name) => found.label(name),
        None => found,
    }))
}

struct Fat {
    serial: [u8; 4],
    directory_at: u64,
    directory_bytes: usize,
}

impl Fat {
    fn parse(head: &[u8]) -> Option<Self> {
        let (sector, cluster) = (u64::from(le16(head, 11)?), u64::from(*head.get(13)?));
        let (reserved, tables) = (u64::from(le16(head, 14)?), u64::from(*head.get(16)?));
        let (entries, media) = (u64::from(le16(head, 17)?), *head.get(21)?);
        let sane = has(head, 510, &[0x55, 0xaa])
            && matches!(head.first(), Some(0xeb | 0xe9))
            && matches!(sector, 512 | 1024 | 2048 | 4096)
            && cluster.is_power_of_two()
            && reserved != 0
            && matches!(tables, 1..=4)
            && (media >= 0xf8 || media == 0xf0);
        sane.then_some(())?;
        let short = u64::from(le16(head, 22)?);
        let is_fat32 = short == 0;
        let length = if is_fat32 { u64::from(le32(head, 36)?) } else { short };
        let tables_end = (reserved + tables * length) * sector;
        (length != 0).then_some(())?;
        Some(if is_fat32 {
            let first = u64::from(le32(head, 44)?).checked_sub(2)?;
            let directory_at = tables_end.checked_add(first.checked_mul(cluster * sector)?)?;
            let directory_bytes = usize::try_from(cluster * sector).ok()?;
            Self { serial: array(head, 67)?, directory_at, directory_bytes }
        } else {
            let directory_bytes = usize::try_from(entries * 32).ok()?;
            Self { serial: array(head, 39)?, directory_at: tables_end, directory_bytes }
        })
    }
}

pub(super) fn exfat(device: &dyn ReadAt, head: &[u8]) -> io::Result<Option<Superblock>> {
    let Some(serial_bytes) = array(head, 100).filter(|_| has(head, 3, b"EXFAT   ")) else { return Ok(None) };
    let found = Superblock::new("exfat").id(serial(serial_bytes));
    let Some((at, length)) = exfat_directory(head) else { return Ok(Some(found)) };
    let directory = device.bytes_at(at, length.min(CAP_DIRECTORY_BYTES))?;
    let label = directory.chunks_exact(32).take_while(|entry| entry.first() != Some(&0)).find_map(|entry| {
        let units = usize::from(*entry.get(1).filter(|_| entry.first() == Some(&0x83))?);
        entry.get(2..2 + units.min(11) * 2)
    });
    Ok(Some(match label {
        Some(name) => found.label_text(&utf16(name)),
        None => found,
    }))
}

fn exfat_directory(head: &[u8]) -> Option<(u64, usize)> {
    let sector =
        1_u64.checked_shl(u32::from(*head.get(108)?)).filter(|bytes| (512..=4096).contains(bytes))?;
    let cluster = sector.checked_mul(1_u64.checked_shl(u32::from(*head.get(109)?))?)?;
    let first = u64::from(le32(head, 96)?).checked_sub(2)?;
    let at = (u64::from(le32(head, 88)?) * sector).checked_add(first.checked_mul(cluster)?)?;
    Some((at, usize::try_from(cluster).ok()?))
}

/// NTFS: the serial number, and the label out of record 3 of the MFT, `$Volume`.
pub(super) fn ntfs(device: &dyn ReadAt, head: &[u8]) -> io::Result<Option<Superblock>> {
    let Some(serial) = le64(head, 72).filter(|_| has(head, 3, b"NTFS    ")) else { return Ok(None) };
    let found = Superblock::new("ntfs").id(format!("{serial:016X}"));
    let Some((at, length)) = ntfs_volume_record(head) else { return Ok(Some(found)) };
    let record = device.bytes_at(at, length)?;
    Ok(Some(match ntfs_label(&record) {
        Some(label) => found.label_text(&label),
        None => found,
    }))
}

fn ntfs_volume_record(head: &[u8]) -> Option<(u64, usize)> {
    let cluster = u64::from(le16(head, 11)?) * u64::from(*head.get(13)?);
    let [size] = array::<1>(head, 64)?.map(u8::cast_signed);
    let record = match u64::try_from(size) {
        Ok(clusters) => clusters.checked_mul(cluster)?,
        Err(_) => 1_u64.checked_shl(u32::from(size.unsigned_abs()))?,
    };
    let record = Some(record).filter(|bytes| (512..=65536).contains(bytes))?;
    let at = le64(head, 48)?.checked_mul(cluster)?.checked_add(record * 3)?;
    Some((at, usize::try_from(record).ok()?))
}

fn ntfs_label(record: &[u8]) -> Option<String> {
    has(record, 0, b"FILE").then_some(())?;
    let mut at = usize::from(le16(record, 20)?);
    loop {
        let attribute = record.get(at..)?;
        let (kind, length) = (le32(attribute, 0)?, usize::try_from(le32(attribute, 4)?).ok()?);
        if kind == 0x60 {
            let (from, bytes) =
                (usize::from(le16(attribute, 20)?), usize::try_from(le32(attribute, 16)?).ok()?);
            return attribute.get(from..from.checked_add(bytes)?).map(utf16);
        }
        // The end has the type ffffffff; a length of 0 would go round for ever.
        (kind != u32::MAX && length != 0).then_some(())?;
        at = at.checked_add(length)?;
    }
}

/// ISO 9660; the UUID is the time of modification, or of creation, as blkid writes it.
pub(super) fn iso9660(head: &[u8]) -> Option<Superblock> {
    let bytes = head.get(32768..34816).filter(|bytes| has(bytes, 0, b"\x01CD001\x01"))?;
    let time = [830, 813].iter().find_map(|at| {
        let digits = std::str::from_utf8(bytes.get(*at..at + 16)?).ok()?;
        let real =
            digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.bytes().any(|byte| byte != b'0');
        let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
        real.then(|| {
            let parts =
                [part(0, 4), part(4, 6), part(6, 8), part(8, 10), part(10, 12), part(12, 14), part(14, 16)];
            parts.join("-")
        })
    });
    Some(Superblock { uuid: time, ..Superblock::new("iso9660").label(bytes.get(40..72)?) })
}

/// What is only named: UDF, UFS, HFS+.
pub(super) fn foreign(head: &[u8]) -> Option<Superblock> {
    let is_udf = (1..8).any(|block| has(head, 32768 + block * 2048 + 1, b"NSR0"));
    if is_udf {
        return Some(Superblock::new("udf"));
    }
    if le32(head, 8192 + 1372) == Some(0x0001_1954) || le32(head, 65536 + 1372) == Some(0x1954_0119) {
        return Some(Superblock::new("ufs"));
    }
    matches!(array(head, 1024), Some([0x48, 0x2b, 0, 4])).then(|| Superblock::new("hfsplus"))
}
