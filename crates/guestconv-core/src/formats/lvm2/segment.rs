//! The segments of logical volumes: what lies where, as the metadata says it. Types that LVM2 knows and we do not are kept
//! by name.

use super::text::{Section, Value};

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

/// Where the extents of a segment are. Volumes are named as in the group; sizes are in sectors of 512 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SegmentKind {
    /// In one place, or in turn in several.
    Striped {
        /// Size of a stripe; 0 in one place.
        stripe_sectors: u64,
        /// The places.
        areas: Vec<Area>,
    },
    /// In several places at once, by the device mapper's old mirror. The first is the one that is right.
    Mirror {
        /// Size of what is noted as in sync or not.
        region_sectors: u64,
        /// The places.
        areas: Vec<Area>,
    },
    /// A RAID array of other volumes.
    Raid {
        /// LVM2's name of the level.
        name: &'static str,
        /// The device mapper's.
        level: &'static str,
        /// Size of a stripe; 0 if there are none.
        stripe_sectors: u64,
        /// Size of what is noted as in sync or not; 0 if nothing is.
        region_sectors: u64,
        /// How many copies RAID 10 has.
        copies: u64,
        /// The volumes: what is noted of each, if anything is, and its data.
        legs: Vec<(Option<String>, String)>,
    },
    /// The blocks of thin volumes.
    ThinPool {
        /// The volume that says which block is whose.
        metadata: String,
        /// The volume with the blocks.
        data: String,
        /// Size of a block.
        chunk_sectors: u64,
        /// Whether new blocks are zeroed.
        zeroes: bool,
        /// What becomes of what the guest discards: `ignore`, `nopassdown`, `passdown`.
        discards: String,
    },
    /// A thin volume.
    Thin {
        /// The pool.
        pool: String,
        /// Its number in the pool.
        device: u64,
        /// The volume that is read where it has no blocks.
        external_origin: Option<String>,
    },
    /// What a cache is made of; only used below [`SegmentKind::Cache`].
    CachePool {
        /// The volume that says what is cached.
        metadata: String,
        /// The volume that it is cached on.
        data: String,
        /// How it caches.
        settings: CacheSettings,
    },
    /// A volume with a cache before it.
    Cache {
        /// The volume.
        origin: String,
        /// A cache pool, or a volume that holds metadata and data one behind the other.
        pool: String,
        /// Where both are in that volume: first sector and length of the metadata, then of the data.
        places: Option<[(u64, u64); 2]>,
        /// How it caches, if this says it and not the pool.
        settings: CacheSettings,
    },
    /// A volume with a cache of what was written before it.
    Writecache {
        /// The volume.
        origin: String,
        /// The volume that it is cached on.
        cache: String,
        /// Size of a block, in bytes.
        block_bytes: u64,
    },
    /// A snapshot: what changed of one volume is kept on another.
    Snapshot {
        /// The volume.
        origin: String,
        /// What holds the differences.
        store: String,
        /// Size of what is copied at once.
        chunk_sectors: u64,
        /// Whether the volume is to become the snapshot again.
        is_merging: bool,
    },
    /// Nothing is there: it reads as zeroes, or fails.
    Nothing(&'static str),
    /// Another type by its name.
    Other(String),
}

/// A place on a physical volume, or on another volume of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Area {
    /// The name in the metadata.
    pub on: String,
    /// The first extent there.
    pub extent: u64,
}

/// How a cache works; what is not said here is the kernel's default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheSettings {
    /// Size of what is cached at once, in sectors.
    pub chunk_sectors: Option<u64>,
    /// `writethrough`, `writeback`, `passthrough`.
    pub mode: Option<&'static str>,
    /// The version of the metadata.
    pub metadata_format: Option<u64>,
}

/// LVM2's names of RAID levels and the device mapper's: the plain ones mean what they meant first.
const LEVELS: [(&str, &str); 21] = [
    ("raid0", "raid0"),
    ("raid0_meta", "raid0"),
    ("raid1", "raid1"),
    ("raid10", "raid10"),
    ("raid10_near", "raid10"),
    ("raid4", "raid4"),
    ("raid5", "raid5_ls"),
    ("raid5_n", "raid5_n"),
    ("raid5_ls", "raid5_ls"),
    ("raid5_rs", "raid5_rs"),
    ("raid5_la", "raid5_la"),
    ("raid5_ra", "raid5_ra"),
    ("raid6", "raid6_zr"),
    ("raid6_zr", "raid6_zr"),
    ("raid6_nr", "raid6_nr"),
    ("raid6_nc", "raid6_nc"),
    ("raid6_n_6", "raid6_n_6"),
    ("raid6_ls_6", "raid6_ls_6"),
    ("raid6_rs_6", "raid6_rs_6"),
    ("raid6_la_6", "raid6_la_6"),
    ("raid6_ra_6", "raid6_ra_6"),
];

impl SegmentKind {
    /// Returns the name of the type as `lvs` prints it.
    pub fn name(&self) -> &str {
        match self {
            Self::Striped { areas, .. } if areas.len() == 1 => "linear",
            Self::Striped { .. } => "striped",
            Self::Mirror { .. } => "mirror",
            Self::Raid { name, .. } => name,
            Self::ThinPool { .. } => "thin-pool",
            Self::Thin { .. } => "thin",
            Self::CachePool { .. } => "cache-pool",
            Self::Cache { .. } => "cache",
            Self::Writecache { .. } => "writecache",
            Self::Snapshot { .. } => "snapshot",
            Self::Nothing(kind) => kind,
            Self::Other(name) => name,
        }
    }
}

/// Reads a segment; `None` if it lacks what its type needs.
pub(super) fn segment(section: &Section) -> Option<Segment> {
    let (start_extent, extents) = (section.number("start_extent")?, section.number("extent_count")?);
    Some(Segment { start_extent, extents, kind: kind(section)? })
}

/// What LVM writes behind the type of a segment, each after a plus, since whoever does not understand it must not open the volume:
/// the cache is one volume, its metadata has another format (`metadata_format` says which), a thin pool's metadata is longer than
/// what is used of it.
const UNDERSTOOD: [&str; 3] = ["CACHE_USES_CACHEVOL", "METADATA_FORMAT", "CROP_METADATA"];

fn kind(section: &Section) -> Option<SegmentKind> {
    let text = |name: &str| section.text(name).map(str::to_owned);
    let written = section.text("type")?;
    let (kind, mut must_know) = match written.split_once('+') {
        Some((kind, must_know)) => (kind, must_know.split('+')),
        None => (written, "".split('+')),
    };
    let kind =
        if must_know.all(|flag| flag.is_empty() || UNDERSTOOD.contains(&flag)) { kind } else { written };
    Some(match kind {
        "striped" => SegmentKind::Striped {
            stripe_sectors: section.number("stripe_size").unwrap_or(0),
            areas: areas(section.list("stripes")?)?,
        },
        "mirror" => SegmentKind::Mirror {
            region_sectors: section.number("region_size")?,
            areas: areas(section.list("mirrors")?)?,
        },
        "thin-pool" => SegmentKind::ThinPool {
            metadata: text("metadata")?,
            data: text("pool")?,
            chunk_sectors: section.number("chunk_size")?,
            zeroes: section.number("zero_new_blocks").is_some_and(|flag| flag != 0),
            discards: text("discards").unwrap_or_default(),
        },
        "thin" => SegmentKind::Thin {
            pool: text("thin_pool")?,
            device: section.number("device_id")?,
            external_origin: text("external_origin"),
        },
        "cache-pool" => SegmentKind::CachePool {
            metadata: text("metadata")?,
            data: text("data")?,
            settings: cache_settings(section),
        },
        "cache" => {
            let place = |what: &str| {
                let number = |part: &str| section.number(&format!("{what}_{part}"));
                Some((number("start")?, number("len")?))
            };
            SegmentKind::Cache {
                origin: text("origin")?,
                pool: text("cache_pool")?,
                places: place("metadata").zip(place("data")).map(|(metadata, data)| [metadata, data]),
                settings: cache_settings(section),
            }
        }
        "writecache" => SegmentKind::Writecache {
            origin: text("origin")?,
            cache: text("writecache")?,
            block_bytes: section.number("writecache_block_size")?,
        },
        "snapshot" => SegmentKind::Snapshot {
            origin: text("origin")?,
            is_merging: section.text("merging_store").is_some(),
            store: text("merging_store").or_else(|| text("cow_store"))?,
            chunk_sectors: section.number("chunk_size")?,
        },
        "zero" => SegmentKind::Nothing("zero"),
        "error" => SegmentKind::Nothing("error"),
        other => match LEVELS.iter().find(|(name, _)| *name == other) {
            Some((name, level)) => raid(section, (name, level))?,
            None => SegmentKind::Other(other.to_owned()),
        },
    })
}

fn raid(section: &Section, (name, level): (&'static str, &'static str)) -> Option<SegmentKind> {
    let volume = |value: &Value| match value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    };
    let legs: Option<Vec<_>> = match section.list("raid0_lvs") {
        Some(data) => data.iter().map(|value| Some((None, volume(value)?))).collect(),
        None => section
            .list("raids")?
            .chunks(2)
            .map(|pair| match pair {
                [metadata, data] => Some((Some(volume(metadata)?), volume(data)?)),
                _ => None,
            })
            .collect(),
    };
    Some(SegmentKind::Raid {
        name,
        level,
        stripe_sectors: section.number("stripe_size").unwrap_or(0),
        region_sectors: section.number("region_size").unwrap_or(0),
        copies: section.number("data_copies").unwrap_or(2),
        legs: legs?,
    })
}

fn cache_settings(section: &Section) -> CacheSettings {
    let mode =
        |mode: &str| ["writethrough", "writeback", "passthrough"].into_iter().find(|known| *known == mode);
    CacheSettings {
        chunk_sectors: section.number("chunk_size"),
        mode: section.text("cache_mode").and_then(mode),
        metadata_format: section.number("metadata_format"),
    }
}

fn areas(list: &[Value]) -> Option<Vec<Area>> {
    let area = |pair: &[Value]| match pair {
        [Value::Text(on), Value::Number(extent)] => Some(Area { on: on.clone(), extent: *extent }),
        _ => None,
    };
    list.chunks(2).map(area).collect()
}
