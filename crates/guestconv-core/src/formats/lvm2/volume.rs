//! A volume group as its metadata describes it.

use super::segment::{Segment, SegmentKind, segment};
use super::text::{Section, Value};

/// A volume group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its UUID.
    pub uuid: String,
    /// Counts the changes of the metadata: the highest is the newest.
    pub seqno: u64,
    /// Whether it was given away by `vgexport`: no system opens it.
    pub is_exported: bool,
    /// Size of an extent in sectors of 512 bytes.
    pub extent_sectors: u64,
    /// Its physical volumes.
    pub physical_volumes: Vec<Physical>,
    /// Its logical volumes, hidden ones included.
    pub logical_volumes: Vec<Logical>,
}

/// A physical volume as the group knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Physical {
    /// Its name in the metadata: `pv0`.
    pub name: String,
    /// Its UUID.
    pub uuid: String,
    /// Where its first extent is, in sectors.
    pub start_sectors: u64,
}

/// A logical volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logical {
    /// Its name.
    pub name: String,
    /// Whether it is for use; else it is a part of another.
    pub visible: bool,
    /// Whether no system opens it unless it is asked to, as thin snapshots are.
    pub is_skipped: bool,
    /// Its segments, in order.
    pub segments: Vec<Segment>,
}

impl Group {
    /// Reads a volume group out of LVM2's text.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let top = Section::parse(text)?;
        let (name, group) = top.sections().next().ok_or("the metadata names no volume group")?;
        if !is_name(name) {
            return Err("the volume group has an impossible name".into());
        }
        let missing = |what: &str| format!("the volume group {name} has no {what}");
        let physical_volumes =
            group.section("physical_volumes").ok_or_else(|| missing("physical volumes"))?;
        let physical_volumes: Option<Vec<Physical>> = physical_volumes.sections().map(physical).collect();
        let logical_volumes: Option<Vec<Logical>> = group
            .section("logical_volumes")
            .map_or(Some(Vec::new()), |volumes| volumes.sections().map(logical).collect());
        Ok(Self {
            name: name.to_owned(),
            uuid: group.text("id").ok_or_else(|| missing("id"))?.to_owned(),
            seqno: group.number("seqno").ok_or_else(|| missing("seqno"))?,
            is_exported: has(group, "status", "EXPORTED"),
            extent_sectors: group.number("extent_size").ok_or_else(|| missing("extent_size"))?,
            physical_volumes: physical_volumes.ok_or_else(|| missing("readable physical volumes"))?,
            logical_volumes: logical_volumes.ok_or_else(|| missing("readable logical volumes"))?,
        })
    }

    /// Returns the volume of that name.
    pub fn volume(&self, name: &str) -> Option<&Logical> {
        self.logical_volumes.iter().find(|volume| volume.name == name)
    }

    /// Returns the volumes that have a device of their own in a running guest.
    pub fn devices(&self) -> impl Iterator<Item = &Logical> {
        // What is visible of a snapshot is a volume without a place, but its device has the name of its store.
        let is_inner = |volume: &Logical| {
            let kind = volume.segments.first().map(|segment| segment.kind.name());
            matches!(kind, Some("thin-pool" | "cache-pool" | "vdo-pool" | "snapshot"))
        };
        let is_store = |volume: &Logical| {
            self.snapshots().any(|(_, store, _, is_merging)| store == volume.name && !is_merging)
        };
        let volumes = self.logical_volumes.iter();
        volumes.filter(move |volume| (volume.visible && !is_inner(volume)) || is_store(volume))
    }

    /// Returns the snapshots of the group: origin, store of the differences, size of a chunk, whether it merges.
    pub(super) fn snapshots(&self) -> impl Iterator<Item = (&str, &str, u64, bool)> {
        self.logical_volumes.iter().flat_map(|volume| &volume.segments).filter_map(|segment| {
            match &segment.kind {
                SegmentKind::Snapshot { origin, store, chunk_sectors, is_merging } => {
                    Some((origin.as_str(), store.as_str(), *chunk_sectors, *is_merging))
                }
                _ => None,
            }
        })
    }

    /// Returns the volume that a volume is a snapshot of, if it is one.
    pub fn origin_of(&self, volume: &Logical) -> Option<&str> {
        self.snapshots().find(|(_, store, _, _)| *store == volume.name).map(|(origin, ..)| origin)
    }
}

impl Logical {
    /// Returns the size in bytes; `None` if the numbers make no sense.
    pub fn size_bytes(&self, group: &Group) -> Option<u64> {
        let extents =
            self.segments.iter().try_fold(0_u64, |sum, segment| sum.checked_add(segment.extents))?;
        extents.checked_mul(group.extent_sectors)?.checked_mul(512)
    }

    /// Returns the types of its segments as `lvs` names them, sorted, each once.
    pub fn segment_types(&self) -> Vec<String> {
        let mut types: Vec<String> =
            self.segments.iter().map(|segment| segment.kind.name().to_owned()).collect();
        types.sort();
        types.dedup();
        types
    }
}

/// Returns the device mapper's name of a logical volume, or of a part of it (`root/real`): dashes in the names are doubled, so
/// that a single one stands between them.
pub fn mapper_name(group: &str, volume: &str) -> String {
    format!("{}-{}", group.replace('-', "--"), volume.replace('-', "--").replace('/', "-"))
}

/// The most characters of a name, LVM's own limit.
const CAP_NAME: usize = 127;

/// Returns whether LVM would allow the name; it becomes a name in `/dev`.
fn is_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'+' | b'-');
    name.len() <= CAP_NAME
        && name.bytes().all(is_part)
        && !name.starts_with('-')
        && !matches!(name, "" | "." | "..")
}

/// Returns whether a list of words has that one.
fn has(section: &Section, list: &str, word: &str) -> bool {
    let is_word = |value: &Value| matches!(value, Value::Text(text) if text == word);
    section.list(list).is_some_and(|words| words.iter().any(is_word))
}

fn physical((name, section): (&str, &Section)) -> Option<Physical> {
    let uuid = section.text("id")?.to_owned();
    Some(Physical { name: name.to_owned(), uuid, start_sectors: section.number("pe_start")? })
}

fn logical((name, section): (&str, &Section)) -> Option<Logical> {
    section.list("status")?;
    let mut segments: Vec<Segment> = section
        .sections()
        .filter(|(name, _)| name.starts_with("segment"))
        .map(|(_, section)| segment(section))
        .collect::<Option<_>>()?;
    segments.sort_by_key(|segment| segment.start_extent);
    is_name(name).then(|| Logical {
        name: name.to_owned(),
        visible: has(section, "status", "VISIBLE"),
        is_skipped: has(section, "flags", "ACTIVATION_SKIP"),
        segments,
    })
}
