//! Dynamic disks of Windows (Logical Disk Manager): one partition, or two under GPT, with a database of its own on volumes that
//! may span partitions and disks. It is named, not read. Source: block/partitions/ldm.h of Linux.

use crate::finding::Finding;
use crate::formats::block::{ReadAt, has};
use crate::layout::{PartitionTable, TableKind};
use std::io;

/// MBR type of a partition that belongs to a dynamic disk.
const MBR_LDM: &str = "42";
/// GPT types of the database's partition and of the volumes'.
const GPT_LDM: [&str; 2] = ["5808c8aa-7e8f-42e0-85d2-e1e90434cfb3", "af9b60a0-1431-4f62-bc68-3311714a69ad"];
/// Where the database's head is on a disk with an MBR, in bytes: in sector 6.
const HEAD_BYTES: u64 = 6 * 512;

/// Returns what to say of a dynamic disk; `None` if it is none.
///
/// # Errors
/// The device's error.
pub(super) fn finding(device: &dyn ReadAt, table: &PartitionTable) -> io::Result<Option<Finding>> {
    let has_type =
        |types: &[&str]| table.partitions.iter().any(|part| types.contains(&part.type_id.as_str()));
    let is_dynamic = match table.kind {
        TableKind::Gpt => has_type(&GPT_LDM),
        TableKind::Mbr => has_type(&[MBR_LDM]) && has(&device.bytes_at(HEAD_BYTES, 8)?, 0, b"PRIVHEAD"),
    };
    Ok(is_dynamic.then(|| {
        let text = "the disk is a dynamic disk of Windows (LDM): volumes that span partitions or disks are not put together, \
                    and what is in them is neither looked at nor changed";
        Finding::warning("dynamic-disk", text)
    }))
}
