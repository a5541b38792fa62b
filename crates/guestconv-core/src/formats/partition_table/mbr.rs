//! The MBR: four entries in sector 0, and a chain of sectors with more in each extended partition.

use super::CAP_PARTITIONS;
use crate::formats::block::{ReadAt, has, le32};
use std::collections::BTreeSet;
use std::io;

/// The type that protects a GPT.
pub(super) const PROTECTIVE: u8 = 0xee;

/// An MBR and what its extended partitions hold.
#[derive(Debug)]
pub(super) struct Mbr {
    pub(super) signature: u32,
    pub(super) entries: Vec<Entry>,
}

/// One entry; the number is Linux's.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) number: u32,
    pub(super) kind: u8,
    pub(super) active: bool,
    pub(super) start_bytes: u64,
    pub(super) size_bytes: u64,
}

impl Mbr {
    pub(super) fn has_protective(&self) -> bool {
        self.entries.iter().any(|entry| entry.kind == PROTECTIVE)
    }
}

/// Reads the MBR in `sector`, the first of the device; `None` if there is none.
pub(super) fn read(device: &dyn ReadAt, sector: &[u8]) -> io::Result<Option<Mbr>> {
    let Some(raw) = raw_entries(sector) else { return Ok(None) };
    let Some(signature) = le32(sector, 440) else { return Ok(None) };
    let mut entries: Vec<Entry> =
        raw.iter().zip(1..).filter_map(|(raw, number)| raw.entry(number, 0)).collect();
    let extended: Vec<(u64, u64)> = entries
        .iter()
        .filter(|entry| is_extended(entry.kind))
        .map(|entry| (entry.start_bytes, entry.size_bytes))
        .collect();
    for (start, size) in extended {
        chain(device, start, size, &mut entries)?;
    }
    Ok(Some(Mbr { signature, entries }))
}

/// Follows the chain of one extended partition as Linux does: each sector's own entries, then the link to the next.
fn chain(device: &dyn ReadAt, first: u64, first_size: u64, entries: &mut Vec<Entry>) -> io::Result<()> {
    let (mut here, mut here_size) = (first, first_size);
    let mut seen = BTreeSet::new();
    let next_number =
        |entries: &[Entry]| entries.iter().map(|entry| entry.number).max().unwrap_or(0).max(4) + 1;
    while seen.insert(here) && entries.len() < CAP_PARTITIONS {
        let sector = device.bytes_at(here, 512)?;
        let Some(raw) = raw_entries(&sector) else { return Ok(()) };
        for (index, raw) in raw.iter().enumerate().filter(|(_, raw)| !is_extended(raw.kind)) {
            let Some(entry) = raw.entry(next_number(entries), here) else { continue };
            let end = entry.start_bytes.saturating_add(entry.size_bytes);
            let inside = end <= here.saturating_add(here_size)
                && entry.start_bytes >= first
                && end <= first.saturating_add(first_size);
            if index < 2 || inside {
                entries.push(entry);
            }
        }
        let Some(link) = raw.iter().find(|raw| raw.sectors != 0 && is_extended(raw.kind)) else {
            return Ok(());
        };
        here = first.saturating_add(u64::from(link.start) * 512);
        here_size = u64::from(link.sectors) * 512;
    }
    Ok(())
}

struct Raw {
    flag: u8,
    kind: u8,
    start: u32,
    sectors: u32,
}

impl Raw {
    fn entry(&self, number: u32, base: u64) -> Option<Entry> {
        (self.sectors != 0).then(|| Entry {
            number,
            kind: self.kind,
            active: self.flag == 0x80,
            start_bytes: base.saturating_add(u64::from(self.start) * 512),
            size_bytes: u64::from(self.sectors) * 512,
        })
    }
}

fn raw_entries(sector: &[u8]) -> Option<Vec<Raw>> {
    if !has(sector, 510, &[0x55, 0xaa]) {
        return None;
    }
    let raws: Option<Vec<Raw>> = [446, 462, 478, 494]
        .iter()
        .map(|at| {
            let (flag, kind) = (*sector.get(*at)?, *sector.get(at + 4)?);
            Some(Raw { flag, kind, start: le32(sector, at + 8)?, sectors: le32(sector, at + 12)? })
        })
        .collect();
    // Anything else in the flag means that this is a boot sector of a file system, not a table.
    raws.filter(|raws| raws.iter().all(|raw| raw.flag & 0x7f == 0))
}

fn is_extended(kind: u8) -> bool {
    super::is_extended(&format!("{kind:02x}"))
}
