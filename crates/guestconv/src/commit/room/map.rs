//! Room in a qcow2 image, by shifting its map: each entry of the first table (L1) stands for as much of the disk as one
//! second table (L2) covers. Where that divides the room, the entries move and nothing is copied.
//!
//! The image grows first, by the ordinary way, so that its first table is long enough. The entries that it has then are
//! kept beside the journal until the shifted ones are durable. Snapshots have first tables of their own and stay as they
//! are. Format: QEMU's `docs/interop/qcow2.rst`.

use super::{Direction, Job, Progress, Room};
use imago::Mapping;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind as IoKind};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The most entries that QEMU opens: 32 MiB.
const ENTRIES_CAP: u32 = 4 << 20;
/// The most entries that are shifted: they are kept beside the journal. 128 TiB at QEMU's cluster size.
const SHIFTED_CAP: u64 = 256 << 10;
/// How much is looked at at once.
const PIECE_BYTES: u64 = 2 << 20;
/// The bits of an entry of a table that are a place in the file.
pub(super) const OFFSET_MASK: u64 = 0x00ff_ffff_ffff_fe00;
/// Incompatible features: data in another file, and entries of two words.
const EXTERNAL_DATA: u64 = 1 << 2;
const EXTENDED: u64 = 1 << 4;
/// The largest table of counts that QEMU opens (`QCOW_MAX_REFTABLE_SIZE`).
const COUNTS_CAP_BYTES: u64 = 8 << 20;

/// What a header says of the map.
#[derive(Clone, Copy, Debug)]
pub(super) struct Map {
    pub(super) cluster_bits: u32,
    size_bytes: u64,
    pub(super) entries: u32,
    pub(super) table_at: u64,
    pub(super) counts_at: u64,
    pub(super) counts_clusters: u32,
    pub(super) count_bits: u32,
    incompatible: u64,
    has_backing: bool,
    first_stale: Option<u32>,
}

impl Map {
    /// Reads the header and the first table.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let is_old = number(&file, 4)? < 3;
        let mut map = Self {
            cluster_bits: number(&file, 20)?.clamp(9, 21),
            size_bytes: long(&file, 24)?,
            entries: number(&file, 36)?.min(ENTRIES_CAP),
            table_at: long(&file, 40)?,
            counts_at: long(&file, 48)?,
            counts_clusters: number(&file, 56)?,
            count_bits: if is_old { 16 } else { 1 << number(&file, 96)?.min(6) },
            incompatible: if is_old { 0 } else { long(&file, 72)? },
            has_backing: long(&file, 8)? != 0,
            first_stale: None,
        };
        // So that what is read of the counts has an end, and their places are numbers.
        let counts_bytes = u64::from(map.counts_clusters) << map.cluster_bits;
        if counts_bytes > COUNTS_CAP_BYTES || map.counts_at.checked_add(counts_bytes).is_none() {
            return Err(damaged("the table of its counts is larger than any that QEMU opens"));
        }
        let used = map.size_bytes.div_ceil(map.coverage_bytes());
        let entries = map.table(&file)?;
        let stale = (0..).zip(&entries).find(|(index, entry)| u64::from(*index) >= used && **entry != 0);
        map.first_stale = stale.map(|(index, _)| index);
        Ok(map)
    }

    /// Returns whether it needs other files, from which the content cannot be told apart.
    pub(super) fn has_other_files(&self) -> bool {
        self.has_backing || self.incompatible & EXTERNAL_DATA != 0
    }

    /// Returns by how many entries the map is shifted for the room; `None` if whole tables do not make it.
    pub(super) fn shift(&self, room: &Room) -> Option<usize> {
        let coverage = self.coverage_bytes();
        let is_whole = room.head_bytes.is_multiple_of(coverage) && self.first_stale.is_none();
        let entries = room.new_size_bytes.div_ceil(coverage);
        (is_whole && entries.max(self.entries.into()) <= SHIFTED_CAP)
            .then(|| usize::try_from(room.head_bytes / coverage).ok())
            .flatten()
    }

    /// How many words an entry of a second table has.
    pub(super) fn entry_words(&self) -> usize {
        if self.incompatible & EXTENDED != 0 { 2 } else { 1 }
    }

    /// How much of the disk one entry of the first table stands for.
    fn coverage_bytes(&self) -> u64 {
        let entry_bits = if self.incompatible & EXTENDED != 0 { 4 } else { 3 };
        1 << (2 * self.cluster_bits - entry_bits)
    }

    /// Returns the entries of the first table.
    pub(super) fn table(&self, file: &File) -> io::Result<Vec<u64>> {
        let mut bytes = vec![0; usize::try_from(self.entries).map_err(io::Error::other)? * 8];
        file.read_exact_at(&mut bytes, self.table_at)?;
        let entry = |bytes: &[u8]| bytes.iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
        Ok(bytes.chunks_exact(8).map(entry).collect())
    }

    fn write_table(&self, file: &File, entries: &[u64]) -> io::Result<()> {
        if entries.len() != usize::try_from(self.entries).map_err(io::Error::other)? {
            return Err(damaged("its first table has another length than before"));
        }
        let bytes: Vec<u8> = entries.iter().flat_map(|entry| entry.to_be_bytes()).collect();
        file.write_all_at(&bytes, self.table_at)
    }
}

/// Makes room or takes it away; `before` are the entries that the map had before they were shifted, if it is so far.
pub(super) fn work(job: &Job<'_>, direction: Direction, before: Option<Vec<u64>>) -> io::Result<()> {
    let before = match before {
        Some(before) => before,
        None => {
            match direction {
                Direction::Make => grow(job)?,
                Direction::Unmake => empty(job)?,
            }
            (job.between)()?;
            let entries = Map::read(&job.disk.path)?.table(&File::open(&job.disk.path)?)?;
            job.wrote(&Progress::Mapped(entries.clone()))?;
            entries
        }
    };
    let map = Map::read(&job.disk.path)?;
    let file = OpenOptions::new().read(true).write(true).open(&job.disk.path)?;
    // The image has its new size by now: what it covers is known, and nothing is stale that this did not leave.
    let shift = Map { first_stale: None, ..map }.shift(job.room);
    let shift =
        shift.filter(|shift| *shift <= before.len()).ok_or_else(|| damaged("its map is too short"))?;
    let nothing = std::iter::repeat_n(0, shift);
    let (low, high) = (before.iter().take(shift), before.iter().skip(shift));
    let after: Vec<u64> = match direction {
        Direction::Make => nothing.chain(before.iter().copied().take(before.len() - shift)).collect(),
        Direction::Unmake => high.copied().chain(nothing).collect(),
    };
    map.write_table(&file, &after)?;
    file.sync_all()?;
    (job.between)()?;
    if direction == Direction::Unmake {
        let released = low.map(|entry| entry & OFFSET_MASK).filter(|at| *at != 0);
        released.into_iter().try_for_each(|at| map.release(&file, at))?;
        file.sync_all()?;
        (job.between)()?;
        let mut image = job.disk.open_to_resize()?;
        image.resize_shrink(job.room.old_size_bytes)?;
        image.flush()?;
        image.sync()?;
        drop(image);
        (job.between)()?;
        trim(&job.disk.path)?;
    }
    Ok(())
}

/// Takes away the entries behind the disk's end, whose tables are empty: shrinking leaves them, and with them the next
/// conversion could not shift the map.
fn trim(path: &Path) -> io::Result<()> {
    let map = Map::read(path)?;
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let used = usize::try_from(map.size_bytes.div_ceil(map.coverage_bytes())).map_err(io::Error::other)?;
    let mut entries = map.table(&file)?;
    let stale: Vec<u64> = entries.iter_mut().skip(used).map(std::mem::take).collect();
    map.write_table(&file, &entries)?;
    file.sync_all()?;
    let mut tables = stale.into_iter().map(|entry| entry & OFFSET_MASK).filter(|at| *at != 0);
    tables.try_for_each(|at| map.release(&file, at))?;
    file.sync_all()
}

/// Makes the image as large as it will be; what its last cluster has behind the content is zeroes then.
fn grow(job: &Job<'_>) -> io::Result<()> {
    grow_table(job)?;
    let image = job.disk.open_to_resize()?;
    image.resize_grow(job.room.new_size_bytes, imago::format::PreallocateMode::None)?;
    let mut at = job.room.content_bytes;
    while at < job.room.new_size_bytes {
        let (mapping, length) = image.get_mapping(at, PIECE_BYTES.min(job.room.new_size_bytes - at))?;
        if !matches!(mapping, Mapping::Zero { .. }) {
            image.write(&vec![0; usize::try_from(length).map_err(io::Error::other)?], at)?;
        }
        at += length.max(1);
    }
    image.flush()?;
    image.sync()
}

/// Makes the disk larger in the header, where the first table has room in its own clusters, as it has but for disks of whole
/// TiB. Else imago moves the table to new clusters, and writes where it is before it counts them: killed in between, the
/// next one would take them for free.
fn grow_table(job: &Job<'_>) -> io::Result<()> {
    let (map, new_size_bytes) = (Map::read(&job.disk.path)?, job.room.new_size_bytes);
    let entries = u32::try_from(new_size_bytes.div_ceil(map.coverage_bytes())).map_err(io::Error::other)?;
    let there = u64::from(map.entries) * 8;
    let fits = u64::from(entries) * 8 <= there.next_multiple_of(1 << map.cluster_bits);
    if map.size_bytes >= new_size_bytes || there == 0 || !fits {
        return Ok(());
    }
    let file = OpenOptions::new().read(true).write(true).open(&job.disk.path)?;
    let new = entries.saturating_sub(map.entries);
    let zeroes = vec![0; usize::try_from(new).map_err(io::Error::other)? * 8];
    file.write_all_at(&zeroes, map.table_at + there)?;
    file.sync_all()?;
    // Size, encryption, entries: one write within a sector.
    let mut fields = [0; 16];
    file.read_exact_at(&mut fields, 24)?;
    let (size, rest) = fields.split_at_mut(8);
    size.copy_from_slice(&new_size_bytes.to_be_bytes());
    if let Some(count) = rest.get_mut(4..8) {
        count.copy_from_slice(&entries.max(map.entries).to_be_bytes());
    }
    file.write_all_at(&fields, 24)?;
    file.sync_all()
}

/// Gives up the clusters of the room, in front and behind.
fn empty(job: &Job<'_>) -> io::Result<()> {
    let mut image = job.disk.open_to_resize()?;
    let end = job.room.head_bytes + job.room.content_bytes;
    image.discard_to_backing(0, job.room.head_bytes)?;
    image.discard_to_backing(end, image.size().saturating_sub(end))?;
    image.flush()?;
    image.sync()
}

pub(super) fn damaged(why: &str) -> io::Error {
    io::Error::new(IoKind::InvalidData, format!("the qcow2 image is not as it was: {why}"))
}

fn number(file: &File, at: u64) -> io::Result<u32> {
    let mut bytes = [0; 4];
    file.read_exact_at(&mut bytes, at)?;
    Ok(u32::from_be_bytes(bytes))
}

pub(super) fn long(file: &File, at: u64) -> io::Result<u64> {
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, at)?;
    Ok(u64::from_be_bytes(bytes))
}
