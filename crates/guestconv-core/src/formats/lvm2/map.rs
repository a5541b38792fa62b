//! The device mapper's tables of logical volumes: which devices are to be made, in which order, from which others.
//!
//! A volume that is the origin of snapshots gets them all, since what is written to it is copied into them first. A volume
//! that merges with a snapshot is read and written as that snapshot, which is what it becomes; the guest goes on merging.

use super::segment::{Area, CacheSettings, Segment, SegmentKind};
use super::volume::Group;
use std::fmt;

/// A device that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The name of the volume in its group; a part of it has another behind a slash, which no volume has in its name.
    pub name: String,
    /// Its table.
    pub table: Vec<TableLine>,
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
    pub parameters: Vec<Word>,
}

/// A word of what a target is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// This text.
    Text(String),
    /// The number of the device of a mapping before.
    Below(String),
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

/// The most segments of a volume that gets a table: one that grew every week for years has hundreds.
const CAP_SEGMENTS: usize = 4096;
/// The most volumes below each other; a cached thin pool on RAID has five.
const CAP_BELOW: usize = 16;
/// The most steps to find what a group's volumes lie on: a volume that is not there is looked for again by each above it.
const CAP_STEPS: usize = 100_000;
/// The most devices that one group is given: those of its volumes and of their parts.
const CAP_MAPPINGS: usize = 1024;

/// The devices of a group that are to be made.
pub struct Mappings<'a> {
    group: &'a Group,
    device: &'a dyn Fn(&str) -> Option<String>,
    made: Vec<Mapping>,
    steps: usize,
}

impl<'a> Mappings<'a> {
    /// Returns that nothing is to be made yet; `device` gives the kernel's number (`254:1`) of a physical volume by UUID.
    pub fn new(group: &'a Group, device: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { group, device, made: Vec::new(), steps: 0 }
    }

    /// Adds a volume and all that it needs; the last that is added is its own. What was added before is not again.
    ///
    /// # Errors
    /// [`Unmapped`] if it can have no table; then nothing was added.
    pub fn add(&mut self, name: &str) -> Result<(), Unmapped> {
        let before = self.made.len();
        let result = self.with_snapshots(name);
        if result.is_err() {
            self.made.truncate(before);
        }
        result
    }

    /// Returns what is to be made, in order.
    pub fn made(&self) -> &[Mapping] {
        &self.made
    }

    fn with_snapshots(&mut self, name: &str) -> Result<(), Unmapped> {
        if self.group.snapshots().any(|(_, store, ..)| store == name) {
            return Err(Unmapped::Segment("snapshot".into()));
        }
        let mut snapshots: Vec<_> = self.group.snapshots().filter(|(origin, ..)| *origin == name).collect();
        if snapshots.is_empty() {
            return self.volume(name, name, 0);
        }
        snapshots.sort_by_key(|(.., is_merging)| *is_merging);
        let real = format!("{name}/real");
        self.volume(name, &real, 0)?;
        let sectors = self.sectors_of(name)?;
        let is_merging = snapshots.iter().any(|(.., is_merging)| *is_merging);
        if is_merging && snapshots.len() > 1 {
            return Err(Unmapped::Segment("snapshots of which one merges".into()));
        }
        for (_, store, chunk_sectors, is_merging) in snapshots {
            let differences = format!("{store}/cow");
            self.volume(store, &differences, 0)?;
            let parameters =
                vec![below(&real), below(&differences), text("P"), text(&chunk_sectors.to_string())];
            self.push(if is_merging { name } else { store }, sectors, "snapshot", parameters)?;
        }
        if is_merging { Ok(()) } else { self.push(name, sectors, "snapshot-origin", vec![below(&real)]) }
    }

    /// Adds a volume of the group, and what it lies on, under the name `to`.
    fn volume(&mut self, name: &str, to: &str, depth: usize) -> Result<(), Unmapped> {
        if self.made.iter().any(|mapping| mapping.name == to) {
            return Ok(());
        }
        self.steps += 1;
        if depth > CAP_BELOW || self.steps > CAP_STEPS {
            return Err(Unmapped::Damaged);
        }
        let volume = self.group.volume(name).ok_or(Unmapped::Damaged)?;
        if volume.segments.len() > CAP_SEGMENTS {
            return Err(Unmapped::Fragmented(volume.segments.len()));
        }
        let (mut next, mut table) = (0, Vec::new());
        for segment in &volume.segments {
            let line = self.line(segment, depth)?;
            if line.start_sectors != next {
                return Err(Unmapped::Damaged);
            }
            next = line.start_sectors.checked_add(line.sectors).ok_or(Unmapped::Damaged)?;
            table.push(line);
        }
        if table.is_empty() {
            return Err(Unmapped::Damaged);
        }
        self.make(Mapping { name: to.to_owned(), table })
    }

    fn line(&mut self, segment: &Segment, depth: usize) -> Result<TableLine, Unmapped> {
        let sectors = self.sectors(segment.extents)?;
        let (target, parameters) = match &segment.kind {
            SegmentKind::Striped { stripe_sectors, areas } => match areas.as_slice() {
                [] => return Err(Unmapped::Damaged),
                [area] => ("linear", self.place(area, depth)?),
                areas => {
                    let mut words = texts([areas.len().to_string(), stripe_sectors.to_string()]);
                    for area in areas {
                        words.extend(self.place(area, depth)?);
                    }
                    ("striped", words)
                }
            },
            SegmentKind::Mirror { region_sectors, areas } => {
                // Without the log nothing is copied from place to place; all get what is written.
                let (region, count) = (region_sectors.to_string(), areas.len().to_string());
                let mut words = texts(["core".into(), "2".into(), region, "nosync".into(), count]);
                for area in areas {
                    words.extend(self.place(area, depth)?);
                }
                ("mirror", words)
            }
            SegmentKind::Raid { level, stripe_sectors, region_sectors, copies, legs, .. } => {
                let sizes = (*stripe_sectors, *region_sectors, *copies);
                ("raid", self.raid(level, sizes, legs, depth)?)
            }
            SegmentKind::ThinPool { metadata, data, chunk_sectors, zeroes, discards } => {
                self.volume(metadata, metadata, depth + 1)?;
                self.volume(data, data, depth + 1)?;
                let mut features = vec!["error_if_no_space"];
                features.extend((!zeroes).then_some("skip_block_zeroing"));
                features.extend(match discards.as_str() {
                    "ignore" => Some("ignore_discard"),
                    "nopassdown" => Some("no_discard_passdown"),
                    _ => None,
                });
                let mut words = vec![below(metadata), below(data)];
                words.extend(texts([chunk_sectors.to_string(), "0".into(), features.len().to_string()]));
                words.extend(features.into_iter().map(text));
                ("thin-pool", words)
            }
            SegmentKind::Thin { pool, device, external_origin } => {
                self.volume(pool, pool, depth + 1)?;
                let mut words = vec![below(pool), text(&device.to_string())];
                if let Some(origin) = external_origin {
                    self.volume(origin, origin, depth + 1)?;
                    words.push(below(origin));
                }
                ("thin", words)
            }
            SegmentKind::Cache { origin, pool, places, settings } => {
                ("cache", self.cache(origin, pool, *places, settings, depth)?)
            }
            SegmentKind::Writecache { origin, cache, block_bytes } => {
                self.volume(origin, origin, depth + 1)?;
                self.volume(cache, cache, depth + 1)?;
                let mut words = vec![text("s"), below(origin), below(cache)];
                words.extend(texts([block_bytes.to_string(), "0".into()]));
                ("writecache", words)
            }
            SegmentKind::Nothing(target) => (*target, Vec::new()),
            other => return Err(Unmapped::Segment(other.name().to_owned())),
        };
        Ok(TableLine { start_sectors: self.sectors(segment.start_extent)?, sectors, target, parameters })
    }

    /// The array takes what is there of it, as LVM2 does: the kernel refuses it if that is too little.
    fn raid(
        &mut self,
        level: &str,
        (stripe_sectors, region_sectors, copies): (u64, u64, u64),
        legs: &[(Option<String>, String)],
        depth: usize,
    ) -> Result<Vec<Word>, Unmapped> {
        let mut options = vec![stripe_sectors.to_string()];
        if region_sectors != 0 {
            options.extend(["region_size".into(), region_sectors.to_string()]);
        }
        if level == "raid10" {
            options.extend(["raid10_copies".into(), copies.to_string()]);
        }
        let mut words = texts([level.to_owned(), options.len().to_string()]);
        words.extend(texts(options));
        words.push(text(&legs.len().to_string()));
        for (metadata, data) in legs {
            let before = self.made.len();
            let both = match metadata {
                Some(metadata) => self.volume(metadata, metadata, depth + 1),
                None => Ok(()),
            };
            match both.and_then(|()| self.volume(data, data, depth + 1)) {
                Ok(()) => words.extend([metadata.as_deref().map_or(text("-"), below), below(data)]),
                Err(Unmapped::Missing(_)) => {
                    self.made.truncate(before);
                    words.extend([text("-"), text("-")]);
                }
                Err(other) => return Err(other),
            }
        }
        Ok(words)
    }

    fn cache(
        &mut self,
        origin: &str,
        pool: &str,
        places: Option<[(u64, u64); 2]>,
        settings: &CacheSettings,
        depth: usize,
    ) -> Result<Vec<Word>, Unmapped> {
        self.volume(origin, origin, depth + 1)?;
        let mut settings = settings.clone();
        let (metadata, data) = match places {
            Some([metadata, data]) => {
                self.volume(pool, pool, depth + 1)?;
                let names = (format!("{pool}/cmeta"), format!("{pool}/cdata"));
                for (name, (start, sectors)) in [(&names.0, metadata), (&names.1, data)] {
                    self.push(name, sectors, "linear", vec![below(pool), text(&start.to_string())])?;
                }
                names
            }
            None => {
                let first = self.group.volume(pool).and_then(|pool| pool.segments.first());
                let Some(SegmentKind::CachePool { metadata, data, settings: of_pool }) =
                    first.map(|segment| &segment.kind)
                else {
                    return Err(Unmapped::Damaged);
                };
                settings = CacheSettings {
                    chunk_sectors: settings.chunk_sectors.or(of_pool.chunk_sectors),
                    mode: settings.mode.or(of_pool.mode),
                    metadata_format: settings.metadata_format.or(of_pool.metadata_format),
                };
                self.volume(metadata, metadata, depth + 1)?;
                self.volume(data, data, depth + 1)?;
                (metadata.clone(), data.clone())
            }
        };
        let chunk_sectors = settings.chunk_sectors.ok_or(Unmapped::Damaged)?;
        let mut features = vec![settings.mode.unwrap_or("writethrough")];
        features.extend((settings.metadata_format == Some(2)).then_some("metadata2"));
        let mut words = vec![below(&metadata), below(&data), below(origin), text(&chunk_sectors.to_string())];
        words.push(text(&features.len().to_string()));
        words.extend(features.into_iter().map(text));
        words.extend(texts(["smq".into(), "0".into()]));
        Ok(words)
    }

    /// Returns where an area is: a device and the first sector on it.
    fn place(&mut self, area: &Area, depth: usize) -> Result<Vec<Word>, Unmapped> {
        let offset = self.sectors(area.extent)?;
        let known = self.group.physical_volumes.iter().find(|physical| physical.name == area.on);
        let Some(known) = known else {
            self.volume(&area.on, &area.on, depth + 1)?;
            return Ok(vec![below(&area.on), text(&offset.to_string())]);
        };
        let number = (self.device)(&known.uuid).ok_or_else(|| Unmapped::Missing(known.uuid.clone()))?;
        let offset = offset.checked_add(known.start_sectors).ok_or(Unmapped::Damaged)?;
        Ok(texts([number, offset.to_string()]))
    }

    fn push(
        &mut self,
        name: &str,
        sectors: u64,
        target: &'static str,
        parameters: Vec<Word>,
    ) -> Result<(), Unmapped> {
        let line = TableLine { start_sectors: 0, sectors, target, parameters };
        self.make(Mapping { name: name.to_owned(), table: vec![line] })
    }

    fn make(&mut self, mapping: Mapping) -> Result<(), Unmapped> {
        if self.made.len() >= CAP_MAPPINGS {
            return Err(Unmapped::Fragmented(self.made.len()));
        }
        self.made.push(mapping);
        Ok(())
    }

    fn sectors(&self, extents: u64) -> Result<u64, Unmapped> {
        extents.checked_mul(self.group.extent_sectors).ok_or(Unmapped::Damaged)
    }

    fn sectors_of(&self, name: &str) -> Result<u64, Unmapped> {
        let volume = self.group.volume(name).ok_or(Unmapped::Damaged)?;
        Ok(volume.size_bytes(self.group).ok_or(Unmapped::Damaged)? / 512)
    }
}

impl fmt::Debug for Mappings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mappings").field("made", &self.made).finish_non_exhaustive()
    }
}

impl TableLine {
    /// Returns what the target is told, with the numbers of the devices below; `None` if one is not known.
    pub fn parameters(&self, number: &dyn Fn(&str) -> Option<String>) -> Option<String> {
        let words: Option<Vec<String>> = self
            .parameters
            .iter()
            .map(|word| match word {
                Word::Text(text) => Some(text.clone()),
                Word::Below(name) => number(name),
            })
            .collect();
        Some(words?.join(" "))
    }
}

fn text(text: &str) -> Word {
    Word::Text(text.to_owned())
}

fn texts(texts: impl IntoIterator<Item = String>) -> Vec<Word> {
    texts.into_iter().map(Word::Text).collect()
}

fn below(name: &str) -> Word {
    Word::Below(name.to_owned())
}
