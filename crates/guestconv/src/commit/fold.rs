//! Folding one overlay into its disk: only what the overlay holds, and of that only what differs. Doing it twice does
//! nothing the second time.

use crate::disks::{self, Image};
use imago::ShallowMapping;
use std::io;

/// How much is read and compared at once.
const CHUNK_BYTES: u64 = 1 << 20;
/// The unit of what is written.
const BLOCK_BYTES: usize = 4096;

/// Returns whether the overlay holds anything.
pub(super) fn is_changed(overlay: &Image) -> io::Result<bool> {
    let mut offset = 0;
    while offset < overlay.size() {
        let (held, length) = held(overlay, offset)?;
        if held != Held::Nothing {
            return Ok(true);
        }
        offset += length;
    }
    Ok(false)
}

/// Writes what the overlay holds into `target`; returns how many bytes were written.
pub(super) fn fold(overlay: &Image, target: &Image) -> io::Result<u64> {
    fold_at(overlay, target, 0)
}

/// Writes what the overlay holds into `target`, where its beginning is at `start`; returns how many bytes were written.
pub(super) fn fold_at(overlay: &Image, target: &Image, start: u64) -> io::Result<u64> {
    let (mut offset, mut written_bytes) = (0, 0);
    while offset < overlay.size() {
        let (held, length) = held(overlay, offset)?;
        match held {
            Held::Nothing => {}
            Held::Zeroes => written_bytes += write_zeroes(target, start + offset, length)?,
            Held::Data => {
                written_bytes +=
                    copy(target, start + offset, length, |new, at| overlay.read(new, at - start))?;
            }
        }
        offset += length;
    }
    Ok(written_bytes)
}

/// What an overlay holds of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// Nothing: the disk has it.
    Nothing,
    /// Zeroes.
    Zeroes,
    /// Data.
    Data,
}

/// Returns what the overlay holds at `offset`, and for how many bytes.
pub(super) fn held(overlay: &Image, offset: u64) -> io::Result<(Held, u64)> {
    let (mapping, length) = overlay.get_shallow_mapping(offset, overlay.size() - offset)?;
    if length == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the overlay ends before the disk"));
    }
    let held = match mapping {
        ShallowMapping::Indirect { .. } | ShallowMapping::Zero { explicit: false, .. } => Held::Nothing,
        ShallowMapping::Zero { explicit: true, .. } => Held::Zeroes,
        ShallowMapping::Raw { .. } => Held::Data,
        _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "the overlay holds what we never wrote")),
    };
    Ok((held, length))
}

/// Writes zeroes; returns how many bytes were written.
pub(super) fn write_zeroes(target: &Image, offset: u64, length: u64) -> io::Result<u64> {
    match disks::write_zeroes(target, offset, length) {
        Ok(()) => Ok(length),
        // The first version of qcow2 has no zeroes in its map.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => copy(target, offset, length, |new, _| {
            new.fill(0);
            Ok(())
        }),
        Err(error) => Err(error),
    }
}

/// Writes what `read` says, as far as it differs.
fn copy(
    target: &Image,
    start: u64,
    length: u64,
    read: impl Fn(&mut [u8], u64) -> io::Result<()>,
) -> io::Result<u64> {
    let (mut offset, end, mut written_bytes) = (start, start + length, 0);
    while offset < end {
        let count = (end - offset).min(CHUNK_BYTES);
        let size = usize::try_from(count).map_err(io::Error::other)?;
        let (mut new, mut old) = (vec![0; size], vec![0; size]);
        read(&mut new, offset)?;
        target.read(&mut old, offset)?;
        written_bytes += write_differing(target, offset, &new, &old)?;
        offset += count;
    }
    Ok(written_bytes)
}

/// Writes the runs of blocks that differ.
fn write_differing(target: &Image, offset: u64, new: &[u8], old: &[u8]) -> io::Result<u64> {
    let mut written_bytes = 0;
    let mut run: Vec<u8> = Vec::new();
    let mut at = offset;
    let blocks = new.chunks(BLOCK_BYTES).zip(old.chunks(BLOCK_BYTES));
    for (new, old) in blocks.map(|(new, old)| (new, Some(old))).chain([([].as_slice(), None)]) {
        if old.is_some_and(|old| old != new) {
            run.extend_from_slice(new);
            continue;
        }
        let run_bytes = u64::try_from(run.len()).map_err(io::Error::other)?;
        if run_bytes > 0 {
            target.write(&run, at)?;
            written_bytes += run_bytes;
            run.clear();
        }
        at += run_bytes + u64::try_from(new.len()).map_err(io::Error::other)?;
    }
    Ok(written_bytes)
}
