//! The originals of what a commit will change, saved before it begins: whole clusters, and only those that differ.

use super::fold::{Held, held};
use super::laid_out::LaidOut;
use crate::disks::overlay::CLUSTER_BYTES;
use crate::disks::{self, Disk, Extent, Image};
use sha2::{Digest, Sha256};
use std::io;

/// How much is read and compared at once; whole clusters.
const CHUNK_BYTES: u64 = 1 << 20;

/// Saves into `undo` what `disk` has where `overlay` has something else, and what a new layout will overwrite of it, and
/// makes it durable.
pub(super) fn save(disk: &Disk, overlay: &Image, laid_out: Option<&LaidOut>, undo: &Image) -> io::Result<()> {
    save_changed(disk, overlay, undo)?;
    if let Some(laid_out) = laid_out {
        for (offset, end) in laid_out.overwritten()? {
            save_range(disk, undo, offset, end.min(undo.size()))?;
        }
    }
    undo.flush()?;
    undo.sync()
}

fn save_changed(disk: &Disk, overlay: &Image, undo: &Image) -> io::Result<()> {
    let (mut offset, end) = (0, overlay.size());
    while offset < end {
        let (held, whole) = held(overlay, offset)?;
        let length = whole.min(CHUNK_BYTES);
        offset += match held {
            Held::Nothing => whole,
            Held::Zeroes => match disk.extent(offset, end - offset)? {
                // Both are zeroes as far as both reach. An overlay's ranges are whole clusters; a part of one is read.
                Extent::Zeroes(zeroes) if zeroes >= length => length,
                _ => save_differing(disk, overlay, undo, offset, length)?,
            },
            Held::Data => save_differing(disk, overlay, undo, offset, length)?,
        };
    }
    Ok(())
}

/// Saves a range, zeroes too: it will be overwritten whatever it holds.
fn save_range(disk: &Disk, undo: &Image, offset: u64, end: u64) -> io::Result<()> {
    let cluster_bytes = u64::try_from(CLUSTER_BYTES).map_err(io::Error::other)?;
    let (mut at, end) = (offset / cluster_bytes * cluster_bytes, end.next_multiple_of(cluster_bytes));
    let end = end.min(undo.size());
    while at < end {
        let length = CHUNK_BYTES.min(end - at);
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        disk.base.read(&mut bytes, at)?;
        for cluster in bytes.chunks(CLUSTER_BYTES) {
            save_cluster(undo, cluster, at)?;
            at += u64::try_from(cluster.len()).map_err(io::Error::other)?;
        }
    }
    Ok(())
}

fn save_cluster(undo: &Image, old: &[u8], at: u64) -> io::Result<()> {
    match old.iter().all(|byte| *byte == 0) {
        true => disks::write_zeroes(undo, at, u64::try_from(old.len()).map_err(io::Error::other)?),
        false => undo.write(old, at),
    }
}

fn save_differing(disk: &Disk, overlay: &Image, undo: &Image, offset: u64, length: u64) -> io::Result<u64> {
    let size = usize::try_from(length).map_err(io::Error::other)?;
    let (mut old, mut new) = (vec![0; size], vec![0; size]);
    disk.base.read(&mut old, offset)?;
    overlay.read(&mut new, offset)?;
    let mut at = offset;
    for (old, new) in old.chunks(CLUSTER_BYTES).zip(new.chunks(CLUSTER_BYTES)) {
        let length = u64::try_from(old.len()).map_err(io::Error::other)?;
        if old != new {
            save_cluster(undo, old, at)?;
        }
        at += length;
    }
    Ok(length)
}

/// Returns the SHA-256 of what `disk` has where `undo` holds something: who wrote there later is noticed by it.
pub(super) fn digest(undo: &Image, disk: &Image) -> io::Result<String> {
    let (mut digest, mut offset) = (Sha256::new(), 0);
    while offset < undo.size() {
        let (held, whole) = held(undo, offset)?;
        let length = whole.min(CHUNK_BYTES);
        if held == Held::Nothing {
            offset += whole;
            continue;
        }
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        disk.read(&mut bytes, offset)?;
        digest.update(&bytes);
        offset += length;
    }
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
