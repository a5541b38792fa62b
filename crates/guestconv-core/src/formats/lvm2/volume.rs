//! A volume group as its metadata describes it, and the device mapper's tables of its logical volumes.

use super::text::{Section, Value};
use std::fmt;

/// A volume group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its UUID.
    pub uuid: String,
    /// Counts the changes of the metadata: the highest is the newest.
    pub seqno: u64,
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
    /// Its segments, in order.
    pub segments: Vec<Segment>,
}

/// A run of extents of a logical volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its first extent.
    pub start_extent: u64,
    /// How many.
    pub extents: u64,
    /// Where they are.
    pub kind: SegmentKind,
}

/// Where the extents of a segment are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SegmentKind {
    /// In one place, or in turn in several.
    Striped {
        /// Size of a stripe in sectors; 0 in one place.
        stripe_sectors: u64,
        /// The places.
        areas: Vec<Area>,
    },
    /// Another type by its name.
    Other(String),
}

/// A place on a physical volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Area {
    /// The name of the physical volume in the metadata.
    pub physical: String,
    /// Its first extent there.
    pub extent: u64,
}

/// A line of a device mapper's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableLine {
    /// First sector.
    pub start_sectors: u64,
    /// How many sectors.
    pub sectors: u64,
    /// The kernel's target: `linear`, `striped`.
    pub target: &'static str,
    /// What the target is told.
    pub parameters: String,
}

/// Why a logical volume has no table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmapped {
    /// A segment type that is not mapped.
    Segment(String),
    /// A physical volume is not there: its UUID.
    Missing(String),
    /// The numbers make no sense.
    Damaged,
    /// It is in more pieces than are mapped: how many.
    Fragmented(usize),
}

impl fmt::Display for Unmapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Segment(kind) => write!(f, "it has segments of the type {kind}"),
            Self::Missing(uuid) => write!(f, "the physical volume {uuid} is not among the disks"),
            Self::Damaged => write!(f, "its metadata makes no sense"),
            Self::Fragmented(pieces) => {
                write!(f, "it is in {pieces} pieces, and at most {CAP_SEGMENTS} are mapped")
            }
        }
    }
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
            extent_sectors: group.number("extent_size").ok_or_else(|| missing("extent_size"))?,
            physical_volumes: physical_volumes.ok_or_else(|| missing("readable physical volumes"))?,
            logical_volumes: logical_volumes.ok_or_else(|| missing("readable logical volumes"))?,
        })
    }

    /// Returns the table of a logical volume; `device` gives the kernel's number (`254:1`) of a physical volume by UUID.
    ///
    /// # Errors
    /// [`Unmapped`] if there is none.
    pub fn table(
        &self,
        volume: &Logical,
        device: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Vec<TableLine>, Unmapped> {
        if volume.segments.len() > CAP_SEGMENTS {
            return Err(Unmapped::Fragmented(volume.segments.len()));
        }
        let mut next = 0;
        let mut lines = Vec::new();
        for segment in &volume.segments {
            let line = self.line(segment, device)?;
            if line.start_sectors != next {
                return Err(Unmapped::Damaged);
            }
            next = line.start_sectors.checked_add(line.sectors).ok_or(Unmapped::Damaged)?;
            lines.push(line);
        }
        if lines.is_empty() { Err(Unmapped::Damaged) } else { Ok(lines) }
    }

    fn line(
        &self,
        segment: &Segment,
        device: &dyn Fn(&str) -> Option<String>,
    ) -> Result<TableLine, Unmapped> {
        let (stripe_sectors, areas) = match &segment.kind {
            SegmentKind::Striped { stripe_sectors, areas } => (*stripe_sectors, areas),
            SegmentKind::Other(kind) => return Err(Unmapped::Segment(kind.clone())),
        };
        let sectors = |extents: u64| extents.checked_mul(self.extent_sectors).ok_or(Unmapped::Damaged);
        let mut places = Vec::new();
        for area in areas {
            let known = self.physical_volumes.iter().find(|physical| physical.name == area.physical);
            let Some(known) = known else { return Err(Unmapped::Segment("stacked".into())) };
            let number = device(&known.uuid).ok_or_else(|| Unmapped::Missing(known.uuid.clone()))?;
            let offset = sectors(area.extent)?.checked_add(known.start_sectors).ok_or(Unmapped::Damaged)?;
            places.push(format!("{number} {offset}"));
        }
        let (target, parameters) = match places.as_slice() {
            [] => return Err(Unmapped::Damaged),
            [place] => ("linear", place.clone()),
            places => ("striped", format!("{} {stripe_sectors} {}", places.len(), places.join(" "))),
        };
        let (start_sectors, sectors) = (sectors(segment.start_extent)?, sectors(segment.extents)?);
        Ok(TableLine { start_sectors, sectors, target, parameters })
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

impl SegmentKind {
    /// Returns the name of the type as `lvs` prints it.
    pub fn name(&self) -> &str {
        match self {
            Self::Striped { areas, .. } if areas.len() == 1 => "linear",
            Self::Striped { .. } => "striped",
            Self::Other(name) => name,
        }
    }
}

/// Returns the device mapper's name of a logical volume: dashes in the names are doubled.
pub fn mapper_name(group: &str, volume: &str) -> String {
    format!("{}-{}", group.replace('-', "--"), volume.replace('-', "--"))
}

/// The most segments of a volume that gets a table: one that grew every week for years has hundreds.
const CAP_SEGMENTS: usize = 4096;
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

fn physical((name, section): (&str, &Section)) -> Option<Physical> {
    let uuid = section.text("id")?.to_owned();
    Some(Physical { name: name.to_owned(), uuid, start_sectors: section.number("pe_start")? })
}

fn logical((name, section): (&str, &Section)) -> Option<Logical> {
    let is_visible = |value: &Value| matches!(value, Value::Text(text) if text == "VISIBLE");
    let visible = section.list("status")?.iter().any(is_visible);
    let mut segments: Vec<Segment> = section
        .sections()
        .filter(|(name, _)| name.starts_with("segment"))
        .map(|(_, section)| segment(section))
        .collect::<Option<_>>()?;
    segments.sort_by_key(|segment| segment.start_extent);
    is_name(name).then(|| Logical { name: name.to_owned(), visible, segments })
}

fn segment(section: &Section) -> Option<Segment> {
    let (start_extent, extents) = (section.number("start_extent")?, section.number("extent_count")?);
    let kind = match section.text("type")? {
        "striped" => {
            let areas = section.list("stripes")?.chunks(2).map(area).collect::<Option<_>>()?;
            SegmentKind::Striped { stripe_sectors: section.number("stripe_size").unwrap_or(0), areas }
        }
        other => SegmentKind::Other(other.to_owned()),
    };
    Some(Segment { start_extent, extents, kind })
}

fn area(pair: &[Value]) -> Option<Area> {
    match pair {
        [Value::Text(physical), Value::Number(extent)] => {
            Some(Area { physical: physical.clone(), extent: *extent })
        }
        _ => None,
    }
}
