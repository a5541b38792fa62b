//! LVM2: physical volumes, and the volume groups that their metadata describes.
//!
//! On disk: a label in one of the first four sectors names the physical volume and where its metadata areas are; each area
//! is a ring with a header; the newest text in it describes the whole volume group (LVM2 sources, `lib/format_text/layout.h`
//! and `label.h`). All three are guarded by a CRC. We read; nothing is written. Tables for the kernel's device mapper are in
//! [`map`].

mod map;
mod segment;
mod text;
mod volume;

pub use map::{Mapping, Mappings, TableLine, Unmapped, Word};
pub use segment::{Area, CacheSettings, Segment, SegmentKind};
pub use volume::{Group, Logical, Physical, mapper_name};

use crate::formats::block::{ReadAt, array, crc32, has, le32, le64};
use std::io;

/// What a label says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// UUID of the physical volume, with its dashes.
    pub uuid: String,
    /// Where the metadata areas are: offset and size in bytes.
    areas: Vec<(u64, u64)>,
}

/// A physical volume, and the volume group as its own metadata describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhysicalVolume {
    /// Its UUID, with its dashes.
    pub uuid: String,
    /// The group; `None` if it belongs to none or keeps no metadata itself.
    pub group: Option<Group>,
    /// What is wrong with its metadata, if none of it could be read.
    pub damage: Option<String>,
}

const SECTOR: usize = 512;
/// LVM's CRC starts from this and is not inverted at the end.
const CRC_START: u32 = 0xf597_a6cf;
/// The most metadata that is read, in bytes: LVM's own areas have 1 MiB.
const CAP_TEXT_BYTES: u64 = 16 << 20;
/// The most areas that are looked at; LVM makes one or two.
const CAP_AREAS: usize = 8;

/// Returns the label in the first four sectors of a device; `None` if there is no intact one.
pub fn label(head: &[u8]) -> Option<Label> {
    (0..4).find_map(|sector| label_in(head.get(sector * SECTOR..(sector + 1) * SECTOR)?))
}

fn label_in(sector: &[u8]) -> Option<Label> {
    let is_label = has(sector, 0, b"LABELONE") && has(sector, 24, b"LVM2 001");
    (is_label && crc32(CRC_START, sector.get(20..)?) == le32(sector, 16)?).then_some(())?;
    let header = sector.get(usize::try_from(le32(sector, 20)?).ok()?..)?;
    let uuid = uuid(&array::<32>(header, 0)?)?;
    // After the size: two lists of offset and size, each ended by zeros: data areas, metadata areas.
    let mut lists = header.get(40..)?.chunks_exact(16).map(|pair| Some((le64(pair, 0)?, le64(pair, 8)?)));
    lists.by_ref().flatten().find(|(offset, _)| *offset == 0)?;
    let areas = lists.flatten().take_while(|(offset, _)| *offset != 0).take(CAP_AREAS).collect();
    Some(Label { uuid, areas })
}

/// Returns an LVM UUID with its dashes.
fn uuid(bytes: &[u8; 32]) -> Option<String> {
    let text =
        std::str::from_utf8(bytes).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()))?;
    let parts = [0..6, 6..10, 10..14, 14..18, 18..22, 22..26, 26..32]
        .map(|range| text.get(range).unwrap_or_default());
    Some(parts.join("-"))
}

/// Reads a physical volume and the newest group that its metadata areas describe; `None` if there is no label.
///
/// # Errors
/// The device's error.
pub fn read(device: &dyn ReadAt) -> io::Result<Option<PhysicalVolume>> {
    let Some(label) = label(&device.bytes_at(0, 4 * SECTOR)?) else { return Ok(None) };
    let (mut group, mut damage): (Option<Group>, _) = (None, None);
    for (offset, size) in label.areas {
        match area(device, offset, size)? {
            Ok(found) => {
                if found.as_ref().map(|found| found.seqno) > group.as_ref().map(|group| group.seqno) {
                    group = found;
                }
            }
            Err(reason) => damage = Some(reason),
        }
    }
    let damage = damage.filter(|_| group.is_none());
    Ok(Some(PhysicalVolume { uuid: label.uuid, group, damage }))
}

/// Reads one metadata area; no group if it is empty or set to be ignored.
fn area(device: &dyn ReadAt, offset: u64, size: u64) -> io::Result<Result<Option<Group>, String>> {
    if offset.checked_add(size).is_none_or(|end| end > device.size_bytes()) {
        return Ok(Err("the metadata area is outside the device".into()));
    }
    let header = device.bytes_at(offset, SECTOR)?;
    let place = match place(&header) {
        Ok(Some(place)) => place,
        Ok(None) => return Ok(Ok(None)),
        Err(reason) => return Ok(Err(reason)),
    };
    // The text goes round: what does not fit before the end goes on behind the header.
    let first = u64::try_from(SECTOR).unwrap_or(u64::MAX);
    let fits = size > first && place.offset >= first && place.offset < size && place.size <= size - first;
    if !fits || place.size > CAP_TEXT_BYTES {
        return Ok(Err("the metadata lies outside its area".into()));
    }
    let before_end = place.size.min(size - place.offset);
    let mut text = device.bytes_at(offset + place.offset, usize::try_from(before_end).unwrap_or(0))?;
    text.extend(device.bytes_at(offset + first, usize::try_from(place.size - before_end).unwrap_or(0))?);
    if crc32(CRC_START, &text) != place.crc {
        return Ok(Err("the checksum of the metadata is wrong".into()));
    }
    let text = text.strip_suffix(&[0]).unwrap_or(&text);
    Ok(Group::parse(&String::from_utf8_lossy(text)).map(Some))
}

struct Place {
    offset: u64,
    size: u64,
    crc: u32,
}

/// Returns where the header of an area says that its text is; `None` if there is no text.
fn place(header: &[u8]) -> Result<Option<Place>, String> {
    let checked = header.get(4..).map(|bytes| crc32(CRC_START, bytes)) == le32(header, 0);
    if !checked || !has(header, 4, b"\x20LVM2\x20x[5A%r0N*>") {
        return Err("the header of the metadata area is damaged".into());
    }
    let fields = || {
        let ignored = le32(header, 60)? & 1 == 1;
        let place = Place { offset: le64(header, 40)?, size: le64(header, 48)?, crc: le32(header, 56)? };
        Some((place, ignored))
    };
    Ok(fields()
        .filter(|(place, ignored)| place.offset != 0 && place.size != 0 && !ignored)
        .map(|(place, _)| place))
}

#[cfg(test)]
mod tests;
