//! What a layout says, checked: it was made from what the appliance found in a hostile guest, and its numbers become places
//! where we write.

use crate::error::{Error, ErrorKind, Result};
use guestconv_core::lay_out::{HEAD_BYTES, LayOut};
use guestconv_core::layout::{GPT_BIOS_BOOT, GPT_ESP, Partition, TableKind};
use std::ops::Range;

/// Size of a sector in bytes; disks are laid out for sectors of 512 bytes alone, as EC2's and Xen's are.
pub(super) const SECTOR: u64 = 512;
/// The first sector that a partition may have: behind MBR, GPT's header and its 128 entries.
pub(super) const FIRST_USABLE: u64 = 34;
/// What GPT's second copy has at the end of the disk: entries and header.
pub(super) const SECOND_SECTORS: u64 = 33;
/// Where the EFI system partition begins.
const ESP_START_BYTES: u64 = 1 << 20;
/// The most that a path in GRUB's configuration may make it, in bytes.
const CAP_CONFIG_BYTES: usize = 64 << 10;

/// A layout that was checked.
pub(super) struct Frame {
    /// Size of the head in bytes.
    pub(super) head_bytes: u64,
    /// Where the tail begins on the disk, in bytes.
    tail_at: u64,
    /// Size of the tail in bytes.
    pub(super) tail_bytes: u64,
    /// Size of the disk in sectors.
    pub(super) disk_sectors: u64,
    /// The disk's GUID, as GPT has it.
    pub(super) disk_guid: [u8; 16],
    /// The partitions.
    pub(super) entries: Vec<Entry>,
    /// Sectors of the partition for GRUB on BIOS.
    pub(super) bios_boot: Range<u64>,
    /// Sectors of the EFI system partition.
    pub(super) esp: Range<u64>,
    /// The FAT volume id.
    pub(super) esp_id: u32,
}

/// A partition as GPT has it.
pub(super) struct Entry {
    pub(super) number: u32,
    pub(super) kind: [u8; 16],
    pub(super) guid: [u8; 16],
    pub(super) sectors: Range<u64>,
    pub(super) is_bootable: bool,
    pub(super) name: Vec<u16>,
}

impl Frame {
    /// Returns what a layout says.
    ///
    /// # Errors
    /// `lay-out-wrong` if it is none that the core makes.
    pub(super) fn of(lay_out: &LayOut) -> Result<Self> {
        let content_bytes = lay_out.before.size_bytes;
        require(lay_out.head_bytes == HEAD_BYTES, "its head has another size")?;
        require(
            content_bytes > 0 && content_bytes.is_multiple_of(SECTOR),
            "its content is no whole sectors",
        )?;
        require(lay_out.size_bytes.is_multiple_of(SECTOR), "its disk is no whole sectors")?;
        let tail_at =
            HEAD_BYTES.checked_add(content_bytes).ok_or_else(|| wrong("its content is too large"))?;
        let tail_bytes = lay_out.size_bytes.saturating_sub(tail_at);
        require(tail_bytes >= SECOND_SECTORS * SECTOR, "GPT's second copy has no room")?;
        require(is_id(&lay_out.before.uuid), "the UUID of its file system is none")?;
        require(
            is_text(&lay_out.grub.prefix) && is_text(&lay_out.grub.config),
            "GRUB's configuration is no text",
        )?;
        let table = &lay_out.table;
        require(table.kind == TableKind::Gpt, "its table is no GPT")?;
        let entries: Vec<Entry> = table.partitions.iter().map(entry).collect::<Result<_>>()?;
        let shape = [
            (1, HEAD_BYTES..tail_at, None),
            (14, FIRST_USABLE * SECTOR..ESP_START_BYTES, Some(GPT_BIOS_BOOT)),
            (15, ESP_START_BYTES..HEAD_BYTES, Some(GPT_ESP)),
        ];
        require(shape.len() == entries.len(), "its table has other partitions")?;
        for ((number, place, kind), (found, entry)) in shape.iter().zip(table.partitions.iter().zip(&entries))
        {
            let is_so = *number == found.number
                && kind.is_none_or(|kind| kind == found.type_id)
                && in_sectors(place) == entry.sectors;
            require(is_so, "its table has a partition at another place")?;
        }
        let id = lay_out.esp_id.split_once('-').filter(|(high, low)| high.len() == 4 && low.len() == 4);
        let id = id.filter(|(high, low)| is_id(high) && is_id(low));
        let esp_id = id.and_then(|(high, low)| u32::from_str_radix(&format!("{high}{low}"), 16).ok());
        Ok(Self {
            head_bytes: HEAD_BYTES,
            tail_at,
            tail_bytes,
            disk_sectors: lay_out.size_bytes / SECTOR,
            disk_guid: guid(&table.id)?,
            entries,
            bios_boot: in_sectors(&(FIRST_USABLE * SECTOR..ESP_START_BYTES)),
            esp: in_sectors(&(ESP_START_BYTES..HEAD_BYTES)),
            esp_id: esp_id.ok_or_else(|| wrong("its FAT volume id is none"))?,
        })
    }

    /// Returns where in the file that is written a place on the disk is; `None` if it is in the old content.
    pub(super) fn in_file(&self, at: u64) -> Option<u64> {
        match at.checked_sub(self.tail_at) {
            Some(in_tail) => Some(self.head_bytes + in_tail),
            None => Some(at).filter(|at| *at < self.head_bytes),
        }
    }
}

/// Returns the error of a layout that we never make.
pub(super) fn wrong(why: &str) -> Error {
    let message = format!("the new layout of the disk is none that guestconv makes: {why}; please report it");
    Error::new(ErrorKind::Bug, "lay-out-wrong", message)
}

fn require(is_so: bool, why: &str) -> Result<()> {
    if is_so { Ok(()) } else { Err(wrong(why)) }
}

fn in_sectors(bytes: &Range<u64>) -> Range<u64> {
    bytes.start / SECTOR..bytes.end / SECTOR
}

/// Returns whether a text is nothing but hex digits and dashes.
fn is_id(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(is_part)
}

fn is_text(text: &str) -> bool {
    text.len() <= CAP_CONFIG_BYTES && text.chars().all(|c| c == '\n' || !c.is_control())
}

fn entry(partition: &Partition) -> Result<Entry> {
    let Partition { start_bytes, size_bytes, .. } = *partition;
    let end_bytes = start_bytes.checked_add(size_bytes).filter(|end| end.is_multiple_of(SECTOR));
    let end_bytes = end_bytes.filter(|end| *end > start_bytes && start_bytes.is_multiple_of(SECTOR));
    let name: Vec<u16> = partition.label.iter().flat_map(|label| label.encode_utf16()).collect();
    require(name.len() <= 36, "a partition's name is too long")?;
    Ok(Entry {
        number: partition.number,
        kind: guid(&partition.type_id)?,
        guid: guid(partition.partuuid.as_deref().unwrap_or_default())?,
        sectors: in_sectors(
            &(start_bytes..end_bytes.ok_or_else(|| wrong("a partition is no whole sectors"))?),
        ),
        is_bootable: partition.bootable,
        name,
    })
}

/// Returns a GUID's bytes as GPT has them: the first three fields are little-endian.
fn guid(text: &str) -> Result<[u8; 16]> {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    let is_guid = lengths == [8, 4, 4, 4, 12] && is_id(text);
    let number = u128::from_str_radix(&parts.concat(), 16).ok().filter(|number| is_guid && *number != 0);
    let [a, b, c, d, e, f, g, h, rest @ ..] =
        number.ok_or_else(|| wrong("a GUID in its table is none"))?.to_be_bytes();
    let [i, j, k, l, m, n, o, p] = rest;
    Ok([d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p])
}
