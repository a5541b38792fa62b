//! Partition tables: the MBR with its chain of extended partitions, and GPT with its backup.
//!
//! On disk: sector 0 holds boot code, four entries and 55 AA; GPT (UEFI 2.10, section 5) has a header in sector 1, a
//! copy in the last sector, and protects itself by an MBR entry of type ee. We read both tables and choose as Linux does
//! (block/partitions/efi.c, msdos.c): GPT counts only under a protective entry, the backup only if the primary is damaged.
//! Where the two disagree, a finding says so. Nothing is written.

mod gpt;
mod ldm;
mod mbr;

use crate::finding::Finding;
use crate::formats::block::{ReadAt, has};
use crate::layout::{BootCode, DeviceName, Partition, PartitionTable, TableKind};
use std::io;

/// What the first and last sectors of a disk say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// The table that counts; `None` if there is none.
    pub table: Option<PartitionTable>,
    /// Whose boot code is in sector 0.
    pub boot_code: Option<BootCode>,
    /// What is damaged or does not agree.
    pub findings: Vec<Finding>,
}

/// The most partitions of one disk; Linux has the same limit.
const CAP_PARTITIONS: usize = 256;

/// Reads the partition table of a disk whose short name is `disk`.
///
/// # Errors
/// The device's error.
pub fn read(device: &dyn ReadAt, disk: &str) -> io::Result<Scan> {
    let sector = device.bytes_at(0, 512)?;
    let boot_code = boot_code(&sector);
    let mut findings = Vec::new();
    let mbr = mbr::read(device, &sector)?;
    let protected = mbr.as_ref().is_some_and(mbr::Mbr::has_protective);
    let gpt = gpt::read(device, protected, &mut findings)?;
    let table = match (mbr, gpt) {
        (Some(mbr), Some(gpt)) if protected => {
            compare(&mbr, &gpt, &mut findings);
            Some(gpt_table(gpt, disk))
        }
        (None, Some(_)) => {
            findings.push(Finding::warning(
                "gpt-without-mbr",
                "the disk has a GPT but no protective MBR, so Linux does not see its partitions; mend it with gdisk",
            ));
            None
        }
        (Some(mbr), Some(gpt)) => {
            if !gpt.entries.is_empty() {
                findings.push(Finding::info(
                    "gpt-stale",
                    "the disk has an old GPT beside its MBR table; the MBR table is used",
                ));
            }
            mbr_table(mbr, &sector, disk)
        }
        (Some(_), None) if protected => {
            findings.push(Finding::error(
                "gpt-damaged",
                "the disk has a protective MBR, but neither the GPT nor its backup is intact; mend it with gdisk",
            ));
            None
        }
        (Some(mbr), None) => mbr_table(mbr, &sector, disk),
        (None, None) => None,
    };
    if let Some(table) = &table {
        findings.extend(ldm::finding(device, table)?);
    }
    let findings = findings.into_iter().map(|finding| finding.about(disk)).collect();
    Ok(Scan { table, boot_code, findings })
}

/// Returns the name of a partition as Linux makes it: a `p` comes before the number if the disk's name ends in a digit.
pub fn partition_device(disk: &str, number: u32) -> DeviceName {
    let separator = if disk.ends_with(|last: char| last.is_ascii_digit()) { "p" } else { "" };
    DeviceName(format!("/dev/{disk}{separator}{number}"))
}

/// Returns whether an MBR type is an extended partition's.
pub fn is_extended(type_id: &str) -> bool {
    matches!(type_id, "05" | "0f" | "85")
}

fn boot_code(sector: &[u8]) -> Option<BootCode> {
    let code = sector.get(..440)?;
    let says = |text: &[u8]| code.windows(text.len()).any(|part| part == text);
    let is_filesystem = has(code, 3, b"NTFS    ")
        || has(code, 3, b"EXFAT   ")
        || has(code, 54, b"FAT")
        || has(code, 82, b"FAT");
    if code.iter().all(|byte| *byte == 0) {
        None
    } else if says(b"GRUB") {
        Some(BootCode::Grub)
    } else if has(code, 6, b"LILO") || has(code, 2, b"LILO") {
        Some(BootCode::Lilo)
    } else if says(b"SYSLINUX") || says(b"Operating system load error") || says(b"Missing OS") {
        Some(BootCode::Syslinux)
    } else if says(b"Error loading operating system") || says(b"BOOTMGR") || says(b"NTLDR") {
        Some(BootCode::Windows)
    } else if is_filesystem && !sector.get(510..).is_some_and(|end| end.starts_with(&[0x55, 0xaa])) {
        None
    } else {
        Some(BootCode::Unknown)
    }
}

fn mbr_table(mbr: mbr::Mbr, sector: &[u8], disk: &str) -> Option<PartitionTable> {
    let is_filesystem = has(sector, 3, b"NTFS    ")
        || has(sector, 3, b"EXFAT   ")
        || has(sector, 3, b"-FVE-FS-")
        || has(sector, 54, b"FAT")
        || has(sector, 82, b"FAT");
    if mbr.entries.is_empty() && (is_filesystem || mbr.signature == 0) {
        return None;
    }
    let partitions = mbr.entries.iter().map(|entry| Partition {
        device: partition_device(disk, entry.number),
        number: entry.number,
        start_bytes: entry.start_bytes,
        size_bytes: entry.size_bytes,
        type_id: format!("{:02x}", entry.kind),
        partuuid: (mbr.signature != 0).then(|| format!("{:08x}-{:02x}", mbr.signature, entry.number)),
        label: None,
        bootable: entry.active,
    });
    let partitions = partitions.collect();
    Some(PartitionTable { kind: TableKind::Mbr, id: format!("{:08x}", mbr.signature), partitions })
}

fn gpt_table(gpt: gpt::Gpt, disk: &str) -> PartitionTable {
    let partitions = gpt.entries.into_iter().map(|entry| Partition {
        device: partition_device(disk, entry.number),
        number: entry.number,
        start_bytes: entry.start_bytes,
        size_bytes: entry.size_bytes,
        type_id: entry.kind,
        partuuid: Some(entry.guid),
        label: (!entry.name.is_empty()).then_some(entry.name),
        bootable: entry.legacy_boot,
    });
    PartitionTable { kind: TableKind::Gpt, id: gpt.guid, partitions: partitions.collect() }
}

/// Says how a hybrid MBR relates to the GPT beside it.
fn compare(mbr: &mbr::Mbr, gpt: &gpt::Gpt, findings: &mut Vec<Finding>) {
    let real: Vec<_> = mbr.entries.iter().filter(|entry| entry.kind != mbr::PROTECTIVE).collect();
    if real.is_empty() {
        return;
    }
    let known = |entry: &&&mbr::Entry| {
        gpt.entries
            .iter()
            .any(|part| part.start_bytes == entry.start_bytes && part.size_bytes == entry.size_bytes)
    };
    let strange: Vec<String> =
        real.iter().filter(|entry| !known(entry)).map(|entry| entry.number.to_string()).collect();
    findings.push(if strange.is_empty() {
        Finding::info(
            "hybrid-mbr",
            "the disk has a hybrid MBR whose entries agree with its GPT; the GPT is used",
        )
    } else {
        let text =
            format!("the disk's MBR entries {} are not in its GPT; the GPT is used", strange.join(", "));
        Finding::warning("hybrid-mbr-differs", text)
    });
}

#[cfg(test)]
mod tests;
