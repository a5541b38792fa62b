//! GPT: the header in sector 1, its entries, and the copy at the end of the disk; both are checked by their CRC.

use super::CAP_PARTITIONS;
use crate::finding::Finding;
use crate::formats::block::{ReadAt, array, crc32, guid, has, le16, le32, le64};
use std::io;

/// A GPT that passed its checks.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gpt {
    pub(super) guid: String,
    pub(super) entries: Vec<Entry>,
    entries_crc: u32,
    alternate_lba: u64,
}

/// One partition.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) number: u32,
    pub(super) kind: String,
    pub(super) guid: String,
    pub(super) name: String,
    pub(super) start_bytes: u64,
    pub(super) size_bytes: u64,
    pub(super) legacy_boot: bool,
}

/// The most that a table of entries may hold, in bytes: the usual one has 16 KiB.
const CAP_ENTRIES_BYTES: u64 = 1 << 20;

/// Reads the GPT, or its backup where the primary is damaged; `None` if neither is intact. Sectors of 512 and of 4096
/// bytes are tried: a disk that came from a 4096-byte drive keeps its table there. The backup is looked for only under
/// a protective MBR.
pub(super) fn read(
    device: &dyn ReadAt,
    protected: bool,
    findings: &mut Vec<Finding>,
) -> io::Result<Option<Gpt>> {
    for sector in [512, 4096] {
        let last = (device.size_bytes() / sector).saturating_sub(1);
        if let Some(primary) = header(device, sector, 1)? {
            if sector != 512 {
                findings.push(Finding::warning(
                    "gpt-4k-sectors",
                    "the disk's partition table is made for sectors of 4096 bytes; the guest must see such a disk",
                ));
            }
            if protected {
                check_backup(device, sector, last, &primary, findings)?;
            }
            return Ok(Some(primary));
        }
    }
    for sector in if protected { [512, 4096].as_slice() } else { &[] } {
        let last = (device.size_bytes() / sector).saturating_sub(1);
        if let Some(backup) = header(device, *sector, last)? {
            findings.push(Finding::warning(
                "gpt-primary-damaged",
                "the GPT at the start of the disk is damaged; its backup at the end is used; mend it with gdisk",
            ));
            return Ok(Some(backup));
        }
    }
    Ok(None)
}

fn check_backup(
    device: &dyn ReadAt,
    sector: u64,
    last: u64,
    primary: &Gpt,
    findings: &mut Vec<Finding>,
) -> io::Result<()> {
    match header(device, sector, primary.alternate_lba)? {
        None if primary.alternate_lba > last => findings.push(Finding::warning(
            "disk-truncated",
            "the partition table was made for a larger disk; the end of the disk is missing",
        )),
        None => findings.push(Finding::info("gpt-backup-damaged", "the backup of the disk's GPT is damaged")),
        Some(backup) if backup.entries_crc != primary.entries_crc || backup.guid != primary.guid => {
            let text = "the GPT and its backup are both intact and do not agree; the first is used";
            findings.push(Finding::warning("gpt-backup-differs", text));
        }
        Some(_) if primary.alternate_lba != last => findings
            .push(Finding::info("gpt-backup-not-at-end", "the disk was enlarged after its GPT was written")),
        Some(_) => {}
    }
    Ok(())
}

/// Reads and checks the header in one sector, and its entries.
fn header(device: &dyn ReadAt, sector: u64, lba: u64) -> io::Result<Option<Gpt>> {
    let Some(at) = lba.checked_mul(sector).filter(|at| at.saturating_add(sector) <= device.size_bytes())
    else {
        return Ok(None);
    };
    let bytes = device.bytes_at(at, 512)?;
    let Some(table) = checked_header(&bytes, lba) else { return Ok(None) };
    let (Some(at), Some(length)) = (table.lba.checked_mul(sector), table.count.checked_mul(table.size))
    else {
        return Ok(None);
    };
    if length > CAP_ENTRIES_BYTES || at.saturating_add(length) > device.size_bytes() {
        return Ok(None);
    }
    let bytes = device.bytes_at(at, usize::try_from(length).unwrap_or(0))?;
    if !crc32(!0, &bytes) != table.crc {
        return Ok(None);
    }
    let size = usize::try_from(table.size).unwrap_or(usize::MAX);
    let entries = bytes
        .chunks_exact(size)
        .zip(1..)
        .filter_map(|(bytes, number)| entry(bytes, number, sector))
        .take(CAP_PARTITIONS)
        .collect();
    Ok(Some(Gpt { guid: table.guid, entries, entries_crc: table.crc, alternate_lba: table.alternate }))
}

struct Table {
    guid: String,
    alternate: u64,
    lba: u64,
    count: u64,
    size: u64,
    crc: u32,
}

fn checked_header(bytes: &[u8], lba: u64) -> Option<Table> {
    if !has(bytes, 0, b"EFI PART") {
        return None;
    }
    let length = usize::try_from(le32(bytes, 12)?).ok()?;
    let mut header = bytes.get(..length).filter(|_| length >= 92)?.to_vec();
    header.get_mut(16..20)?.fill(0);
    if !crc32(!0, &header) != le32(bytes, 16)? || le64(bytes, 24)? != lba {
        return None;
    }
    let size = u64::from(le32(bytes, 84)?);
    (size >= 128 && size.is_power_of_two()).then_some(())?;
    Some(Table {
        alternate: le64(bytes, 32)?,
        guid: guid(array(bytes, 56)?),
        lba: le64(bytes, 72)?,
        count: u64::from(le32(bytes, 80)?),
        crc: le32(bytes, 88)?,
        size,
    })
}

/// Returns a partition. One that ends beyond the disk is a partition all the same, though Linux leaves it out: whoever
/// looks at the layout must see that the disk was cut off.
fn entry(bytes: &[u8], number: u32, sector: u64) -> Option<Entry> {
    let kind: [u8; 16] = array(bytes, 0)?;
    let (first, last) = (le64(bytes, 32)?, le64(bytes, 40)?);
    if kind == [0; 16] || first > last {
        return None;
    }
    let units = (56..128).step_by(2).map_while(|at| le16(bytes, at)).take_while(|unit| *unit != 0);
    let name = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    Some(Entry {
        number,
        kind: guid(kind),
        guid: guid(array(bytes, 16)?),
        name,
        start_bytes: first.checked_mul(sector)?,
        size_bytes: (last - first).checked_add(1)?.checked_mul(sector)?,
        legacy_boot: le64(bytes, 48)? & 4 != 0,
    })
}
