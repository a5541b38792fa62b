//! The counts of a qcow2 image: how many need each cluster. Who is killed may leave one that is used and not counted: imago
//! names a new table before it counts it. After a power cut it may be any, because imago orders its writes and does not
//! sync between them. The next allocation would take such a cluster for free, and overwrite it.
//!
//! What is counted and not used is lost room and no more; `qemu-img check -r leaks` finds it.

use super::map::{Map, OFFSET_MASK, damaged, long};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The bit of an entry of a second table that says that what follows is compressed, with a count of its own kind.
const COMPRESSED: u64 = 1 << 62;

/// Counts all that the map refers to and nobody counted.
pub(super) fn count_map(path: &Path) -> io::Result<()> {
    let map = Map::read(path)?;
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let tables: Vec<u64> =
        map.table(&file)?.into_iter().map(|entry| entry & OFFSET_MASK).filter(|at| *at != 0).collect();
    let mut used = map.own_clusters();
    used.extend(map.count_blocks(&file)?);
    for table in tables {
        used.push(table);
        map.add_clusters_of(&file, table, &mut used)?;
    }
    let cluster_bytes = 1u64 << map.cluster_bits;
    let end = used.iter().map(|at| at.saturating_add(cluster_bytes)).max().unwrap_or_default();
    let mut free_at = file.metadata()?.len().max(end).next_multiple_of(cluster_bytes);
    used.into_iter().try_for_each(|at| map.claim(&file, at, &mut free_at))?;
    file.sync_all()
}

impl Map {
    /// Returns where the header, the first table and the table of the counts are.
    fn own_clusters(&self) -> Vec<u64> {
        let table_bytes = u64::from(self.entries) * 8;
        let count_bytes = u64::from(self.counts_clusters) << self.cluster_bits;
        let parts = [(0, 1), (self.table_at, table_bytes), (self.counts_at, count_bytes)];
        let clusters =
            |(at, length): (u64, u64)| (at..at.saturating_add(length)).step_by(1 << self.cluster_bits);
        parts.into_iter().flat_map(clusters).collect()
    }

    /// Returns where the blocks with counts are.
    fn count_blocks(&self, file: &File) -> io::Result<Vec<u64>> {
        let entries = (u64::from(self.counts_clusters) << self.cluster_bits) / 8;
        let mut blocks = Vec::new();
        for index in 0..entries {
            let at = long(file, self.counts_at + index * 8)? & !0x1ff;
            blocks.extend((at != 0).then_some(at));
        }
        Ok(blocks)
    }

    /// Adds where the clusters of a second table are. What of it is behind the end of the file is zeroes.
    fn add_clusters_of(&self, file: &File, table_at: u64, used: &mut Vec<u64>) -> io::Result<()> {
        let mut bytes = vec![0; 1 << self.cluster_bits];
        let there = file.metadata()?.len().saturating_sub(table_at);
        let there = usize::try_from(there).unwrap_or(usize::MAX).min(bytes.len());
        if let Some(bytes) = bytes.get_mut(..there) {
            file.read_exact_at(bytes, table_at)?;
        }
        for entry in bytes.chunks_exact(8).step_by(self.entry_words()) {
            let entry = entry.iter().fold(0, |all: u64, byte| all << 8 | u64::from(*byte));
            let at = entry & OFFSET_MASK;
            used.extend((entry & COMPRESSED == 0 && at != 0).then_some(at));
        }
        Ok(())
    }

    /// Makes the block with the counts of a cluster, and counts it.
    fn add_block(&self, file: &File, cluster_at: u64, free_at: &mut u64) -> io::Result<()> {
        let cluster_bytes = 1u64 << self.cluster_bits;
        let index = (cluster_at >> self.cluster_bits) / self.counts_per_block();
        if index >= (u64::from(self.counts_clusters) << self.cluster_bits) / 8 {
            return Err(damaged("a count is missing"));
        }
        let block_at = *free_at;
        *free_at += cluster_bytes;
        file.write_all_at(&vec![0; 1 << self.cluster_bits], block_at)?;
        file.write_all_at(&block_at.to_be_bytes(), self.counts_at + index * 8)?;
        self.claim(file, block_at, free_at)
    }

    fn counts_per_block(&self) -> u64 {
        (1u64 << self.cluster_bits) * 8 / u64::from(self.count_bits)
    }

    /// Returns where the count of a cluster is: the byte, and the bit in it for narrow ones; `None` if it has none.
    fn count_place(&self, file: &File, cluster_at: u64) -> io::Result<Option<(u64, u64)>> {
        let counts_per_block = self.counts_per_block();
        let cluster = cluster_at >> self.cluster_bits;
        let beyond = || damaged("its counts are beyond any file");
        let entry_at = self.counts_at.checked_add(cluster / counts_per_block * 8).ok_or_else(beyond)?;
        let block_at = long(file, entry_at)? & !0x1ff;
        let at_bits = cluster % counts_per_block * u64::from(self.count_bits);
        let at = block_at.checked_add(at_bits / 8).ok_or_else(beyond)?;
        Ok((block_at != 0).then_some((at, at_bits % 8)))
    }

    /// Gives a cluster that is in use and not counted its one reference.
    fn claim(&self, file: &File, cluster_at: u64, free_at: &mut u64) -> io::Result<()> {
        let (at, bit) = match self.count_place(file, cluster_at)? {
            Some(place) => place,
            None => {
                self.add_block(file, cluster_at, free_at)?;
                self.count_place(file, cluster_at)?.ok_or_else(|| damaged("a count is missing"))?
            }
        };
        let mut count = vec![0; usize::try_from(self.count_bits.div_ceil(8)).map_err(io::Error::other)?];
        file.read_exact_at(&mut count, at)?;
        let mask = if self.count_bits < 8 { ((1u8 << self.count_bits) - 1) << bit } else { 0xff };
        if count.iter().any(|byte| byte & mask != 0) {
            return Ok(());
        }
        if let Some(last) = count.last_mut() {
            *last |= 1 << bit;
        }
        file.write_all_at(&count, at)
    }

    /// Takes away the one reference that a cluster has. One that a snapshot needs as well keeps its count.
    pub(super) fn release(&self, file: &File, cluster_at: u64) -> io::Result<()> {
        let Some((at, bit)) = self.count_place(file, cluster_at)? else { return Ok(()) };
        if self.count_bits < 8 {
            // Narrow counts fill a byte from its low bits.
            let mask = ((1u8 << self.count_bits) - 1) << bit;
            let mut byte = [0];
            file.read_exact_at(&mut byte, at)?;
            let [count] = byte.map(|byte| (byte & mask) >> bit);
            return if count == 1 { file.write_all_at(&byte.map(|byte| byte & !mask), at) } else { Ok(()) };
        }
        let mut count = vec![0; usize::try_from(self.count_bits / 8).map_err(io::Error::other)?];
        file.read_exact_at(&mut count, at)?;
        let is_one =
            count.split_last().is_some_and(|(last, rest)| *last == 1 && rest.iter().all(|b| *b == 0));
        if is_one { file.write_all_at(&vec![0; count.len()], at) } else { Ok(()) }
    }
}
