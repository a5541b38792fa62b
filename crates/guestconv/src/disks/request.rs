//! One virtio-blk request: what the appliance asks, checked, and what is done. The appliance is hostile here: every
//! length and offset is checked against the disk, and a bad request gets an error status and nothing else.
//!
//! Specified in virtio 1.2, section 5.2.6.

use super::Counters;
use super::memory::{Memory, NotThere};
use super::ring::Descriptor;
use super::view::View;
use imago::io_buffers::{IoVector, IoVectorMut};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use virtio_bindings::virtio_blk::{
    VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_OK, VIRTIO_BLK_S_UNSUPP, VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_FLUSH,
    VIRTIO_BLK_T_GET_ID, VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_WRITE_ZEROES,
};

/// The sector of virtio-blk, whatever the disk's own.
pub(super) const SECTOR_BYTES: u64 = 512;
/// The most data segments of a request, as the device's configuration says.
pub(super) const SEGMENTS_CAP: usize = 126;
/// The most data of a request: what Linux asks at once is 4 MiB at most (`BLK_DEF_MAX_SECTORS_CAP`).
const DATA_CAP_BYTES: u64 = 8 << 20;
/// The most ranges of one request for zeroes or discard.
pub(super) const RANGES_CAP: u32 = 8;
/// The most sectors of one such range: 32 MiB.
pub(super) const RANGE_SECTORS_CAP: u32 = 1 << 16;

/// Where requests go.
pub(super) struct Target<'a> {
    pub(super) view: &'a View,
    pub(super) counters: &'a Counters,
    /// Whether a flush of the appliance must reach the overlay's file.
    pub(super) flushes: bool,
    /// Whether nobody waits for it any more.
    pub(super) is_stopped: &'a AtomicBool,
    /// Grows with every request that begins and ends.
    pub(super) signs: &'a AtomicU64,
}

/// What came of a request.
#[derive(Debug)]
pub(super) struct Answer {
    /// Bytes that were written into the appliance's memory, with the status.
    pub(super) written_bytes: u32,
    /// The host's error, if it was the host that failed and not the request.
    pub(super) host_error: Option<io::Error>,
}

/// Where data is on its way between disk and memory; kept from request to request.
#[derive(Debug, Default)]
pub(super) struct Buffer(Vec<u8>);

impl Buffer {
    fn of(&mut self, length: u64) -> Result<&mut [u8], Failure> {
        let length = usize::try_from(length).map_err(|_| Failure::Invalid)?;
        if self.0.len() < length {
            self.0.resize(length, 0);
        }
        self.0.get_mut(..length).ok_or(Failure::Invalid)
    }
}

enum Failure {
    Invalid,
    Unsupported,
    Host(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Host(error)
    }
}

impl From<NotThere> for Failure {
    fn from(_: NotThere) -> Self {
        Self::Invalid
    }
}

/// Carries out the request in a descriptor chain; `None` if the chain has no place for a status.
pub(super) fn carry_out(
    target: &Target<'_>,
    memory: &Memory,
    chain: &[Descriptor],
    buffer: &mut Buffer,
) -> Option<Answer> {
    let (head, rest) = chain.split_first()?;
    let (status, data) = rest.split_last()?;
    if !status.is_written || status.length < 1 || head.is_written {
        return None;
    }
    target.counters.requests.fetch_add(1, Ordering::Relaxed);
    let (code, data_bytes, host_error) = match answer(target, memory, head, data, buffer) {
        Ok(bytes) => (VIRTIO_BLK_S_OK, bytes, None),
        Err(Failure::Unsupported) => (VIRTIO_BLK_S_UNSUPP, 0, None),
        Err(Failure::Invalid) => (VIRTIO_BLK_S_IOERR, 0, None),
        Err(Failure::Host(error)) => (VIRTIO_BLK_S_IOERR, 0, Some(error)),
    };
    let code = u8::try_from(code).unwrap_or(1);
    memory.write(status.address, &[code]).ok()?;
    Some(Answer { written_bytes: data_bytes.saturating_add(1), host_error })
}

fn answer(
    target: &Target<'_>,
    memory: &Memory,
    head: &Descriptor,
    data: &[Descriptor],
    buffer: &mut Buffer,
) -> Result<u32, Failure> {
    if head.length < 16 || data.len() > SEGMENTS_CAP {
        return Err(Failure::Invalid);
    }
    let kind = memory.number::<4>(head.address)?;
    let sector = memory.number::<8>(after(head.address, 8)?)?;
    match u32::try_from(kind).map_err(|_| Failure::Unsupported)? {
        VIRTIO_BLK_T_IN => read(target, memory, sector, data, buffer),
        VIRTIO_BLK_T_OUT => write(target, memory, sector, data, buffer),
        VIRTIO_BLK_T_FLUSH => {
            if target.flushes {
                target.view.flush()?;
            }
            Ok(0)
        }
        VIRTIO_BLK_T_WRITE_ZEROES => zeroes(target, memory, data),
        // A discarded range may read back as anything: what was there is one such thing. The disk is not ours to shrink.
        VIRTIO_BLK_T_DISCARD => Ok(0),
        VIRTIO_BLK_T_GET_ID => {
            let place = data.first().filter(|d| d.is_written && d.length >= 20).ok_or(Failure::Invalid)?;
            memory.write(place.address, b"guestconv\0\0\0\0\0\0\0\0\0\0\0")?;
            Ok(20)
        }
        _ => Err(Failure::Unsupported),
    }
}

fn read(
    target: &Target<'_>,
    memory: &Memory,
    sector: u64,
    data: &[Descriptor],
    buffer: &mut Buffer,
) -> Result<u32, Failure> {
    if !data.iter().all(|descriptor| descriptor.is_written) {
        return Err(Failure::Invalid);
    }
    let (offset, length) = range(target, sector, total(memory, data)?)?;
    let bytes = buffer.of(length)?;
    target.view.readv(IoVectorMut::from(&mut *bytes), offset)?;
    let mut rest = &*bytes;
    for descriptor in data {
        let (piece, after) = rest.split_at_checked(size(descriptor)?).ok_or(Failure::Invalid)?;
        memory.write(descriptor.address, piece)?;
        rest = after;
    }
    target.counters.read_bytes.fetch_add(length, Ordering::Relaxed);
    u32::try_from(length).map_err(|_| Failure::Invalid)
}

fn write(
    target: &Target<'_>,
    memory: &Memory,
    sector: u64,
    data: &[Descriptor],
    buffer: &mut Buffer,
) -> Result<u32, Failure> {
    if data.iter().any(|descriptor| descriptor.is_written) {
        return Err(Failure::Invalid);
    }
    let (offset, length) = range(target, sector, total(memory, data)?)?;
    let bytes = buffer.of(length)?;
    let mut rest = &mut *bytes;
    for descriptor in data {
        let (piece, after) = rest.split_at_mut_checked(size(descriptor)?).ok_or(Failure::Invalid)?;
        memory.read(descriptor.address, piece)?;
        rest = after;
    }
    target.view.writev(IoVector::from(&*bytes), offset)?;
    target.counters.written_bytes.fetch_add(length, Ordering::Relaxed);
    Ok(0)
}

fn zeroes(target: &Target<'_>, memory: &Memory, data: &[Descriptor]) -> Result<u32, Failure> {
    let [ranges] = data else { return Err(Failure::Invalid) };
    let length = ranges.length;
    if ranges.is_written || !length.is_multiple_of(16) || length / 16 > RANGES_CAP {
        return Err(Failure::Invalid);
    }
    for index in 0..u64::from(length / 16) {
        let at = after(ranges.address, index * 16)?;
        let sector = memory.number::<8>(at)?;
        let sectors = memory.number::<4>(after(at, 8)?)?;
        if sectors > u64::from(RANGE_SECTORS_CAP) {
            return Err(Failure::Invalid);
        }
        let (offset, length) = range(target, sector, sectors * SECTOR_BYTES)?;
        target.view.write_zeroes(offset, length)?;
        target.counters.written_bytes.fetch_add(length, Ordering::Relaxed);
    }
    Ok(0)
}

fn after(address: u64, bytes: u64) -> Result<u64, Failure> {
    address.checked_add(bytes).ok_or(Failure::Invalid)
}

fn size(descriptor: &Descriptor) -> Result<usize, Failure> {
    usize::try_from(descriptor.length).map_err(|_| Failure::Invalid)
}

/// Returns how much data a request has, if all of its segments are memory: nothing is done for one that has none.
fn total(memory: &Memory, data: &[Descriptor]) -> Result<u64, Failure> {
    let total: u64 = data.iter().map(|descriptor| u64::from(descriptor.length)).sum();
    let is_there = data.iter().all(|segment| memory.holds(segment.address, segment.length.into()));
    let is_sound = total > 0 && total <= DATA_CAP_BYTES && total.is_multiple_of(SECTOR_BYTES);
    if is_sound && is_there { Ok(total) } else { Err(Failure::Invalid) }
}

/// Returns offset and length in bytes, if they are on the disk.
fn range(target: &Target<'_>, sector: u64, length: u64) -> Result<(u64, u64), Failure> {
    let offset = sector.checked_mul(SECTOR_BYTES).ok_or(Failure::Invalid)?;
    let end = offset.checked_add(length).ok_or(Failure::Invalid)?;
    if end > target.view.size() { Err(Failure::Invalid) } else { Ok((offset, length)) }
}
