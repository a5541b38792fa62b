//! One virtio-blk request: what the appliance asks, checked, and what is done. The appliance is hostile here: every
//! length and offset is checked against the disk, and a bad request gets an error status and nothing else.
//!
//! Specified in virtio 1.2, section 5.2.6.

use super::Counters;
use super::view::View;
use imago::io_buffers::{IoVector, IoVectorMut};
use std::io;
use std::sync::atomic::Ordering;
use virtio_bindings::virtio_blk::{
    VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_OK, VIRTIO_BLK_S_UNSUPP, VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_FLUSH,
    VIRTIO_BLK_T_GET_ID, VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_WRITE_ZEROES,
};
use virtio_queue::desc::split::Descriptor;
use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, VolatileSlice};

/// The sector of virtio-blk, whatever the disk's own.
pub(super) const SECTOR_BYTES: u64 = 512;
/// The most data segments of a request, as the device's configuration says.
pub(super) const SEGMENTS_CAP: usize = 126;
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
}

/// What came of a request.
pub(super) struct Answer {
    /// Bytes that were written into the appliance's memory, with the status.
    pub(super) written_bytes: u32,
    /// The host's error, if it was the host that failed and not the request.
    pub(super) host_error: Option<io::Error>,
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

/// Carries out the request in a descriptor chain; `None` if the chain has no place for a status.
pub(super) fn carry_out(
    target: &Target<'_>,
    memory: &GuestMemoryMmap,
    chain: &[Descriptor],
) -> Option<Answer> {
    let (head, rest) = chain.split_first()?;
    let (status, data) = rest.split_last()?;
    if !status.is_write_only() || status.len() < 1 || head.is_write_only() {
        return None;
    }
    target.counters.requests.fetch_add(1, Ordering::Relaxed);
    let (code, data_bytes, host_error) = match answer(target, memory, head, data) {
        Ok(bytes) => (VIRTIO_BLK_S_OK, bytes, None),
        Err(Failure::Unsupported) => (VIRTIO_BLK_S_UNSUPP, 0, None),
        Err(Failure::Invalid) => (VIRTIO_BLK_S_IOERR, 0, None),
        Err(Failure::Host(error)) => (VIRTIO_BLK_S_IOERR, 0, Some(error)),
    };
    let code = u8::try_from(code).unwrap_or(1);
    memory.write_obj(code, status.addr()).ok()?;
    Some(Answer { written_bytes: data_bytes.saturating_add(1), host_error })
}

fn answer(
    target: &Target<'_>,
    memory: &GuestMemoryMmap,
    head: &Descriptor,
    data: &[Descriptor],
) -> Result<u32, Failure> {
    if head.len() < 16 || data.len() > SEGMENTS_CAP {
        return Err(Failure::Invalid);
    }
    let kind: u32 = memory.read_obj(head.addr()).map_err(|_| Failure::Invalid)?;
    let sector: u64 = memory.read_obj(after(head.addr(), 8)?).map_err(|_| Failure::Invalid)?;
    match kind {
        VIRTIO_BLK_T_IN => read(target, memory, sector, data),
        VIRTIO_BLK_T_OUT => write(target, memory, sector, data),
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
            let place =
                data.first().filter(|d| d.is_write_only() && d.len() >= 20).ok_or(Failure::Invalid)?;
            memory
                .write_slice(b"guestconv\0\0\0\0\0\0\0\0\0\0\0", place.addr())
                .map_err(|_| Failure::Invalid)?;
            Ok(20)
        }
        _ => Err(Failure::Unsupported),
    }
}

fn read(
    target: &Target<'_>,
    memory: &GuestMemoryMmap,
    sector: u64,
    data: &[Descriptor],
) -> Result<u32, Failure> {
    if !data.iter().all(Descriptor::is_write_only) {
        return Err(Failure::Invalid);
    }
    let slices = slices(memory, data)?;
    let (offset, length) = range(target, sector, total(data)?)?;
    let (vector, _guard) = IoVectorMut::from_volatile_slice(slices.as_slice());
    target.view.readv(vector, offset)?;
    target.counters.read_bytes.fetch_add(length, Ordering::Relaxed);
    u32::try_from(length).map_err(|_| Failure::Invalid)
}

fn write(
    target: &Target<'_>,
    memory: &GuestMemoryMmap,
    sector: u64,
    data: &[Descriptor],
) -> Result<u32, Failure> {
    if data.iter().any(Descriptor::is_write_only) {
        return Err(Failure::Invalid);
    }
    let slices = slices(memory, data)?;
    let (offset, length) = range(target, sector, total(data)?)?;
    let (vector, _guard) = IoVector::from_volatile_slice(slices.as_slice());
    target.view.writev(vector, offset)?;
    target.counters.written_bytes.fetch_add(length, Ordering::Relaxed);
    Ok(0)
}

fn zeroes(target: &Target<'_>, memory: &GuestMemoryMmap, data: &[Descriptor]) -> Result<u32, Failure> {
    let [ranges] = data else { return Err(Failure::Invalid) };
    if ranges.is_write_only() || !ranges.len().is_multiple_of(16) || ranges.len() / 16 > RANGES_CAP {
        return Err(Failure::Invalid);
    }
    for index in 0..u64::from(ranges.len() / 16) {
        let at = after(ranges.addr(), index * 16)?;
        let sector: u64 = memory.read_obj(at).map_err(|_| Failure::Invalid)?;
        let sectors: u32 = memory.read_obj(after(at, 8)?).map_err(|_| Failure::Invalid)?;
        if sectors > RANGE_SECTORS_CAP {
            return Err(Failure::Invalid);
        }
        let (offset, length) = range(target, sector, u64::from(sectors) * SECTOR_BYTES)?;
        target.view.write_zeroes(offset, length)?;
        target.counters.written_bytes.fetch_add(length, Ordering::Relaxed);
    }
    Ok(0)
}

fn after(address: GuestAddress, bytes: u64) -> Result<GuestAddress, Failure> {
    address.0.checked_add(bytes).map(GuestAddress).ok_or(Failure::Invalid)
}

fn total(data: &[Descriptor]) -> Result<u64, Failure> {
    let total: u64 = data.iter().map(|descriptor| u64::from(descriptor.len())).sum();
    if total == 0 || !total.is_multiple_of(SECTOR_BYTES) { Err(Failure::Invalid) } else { Ok(total) }
}

/// Returns offset and length in bytes, if they are on the disk.
fn range(target: &Target<'_>, sector: u64, length: u64) -> Result<(u64, u64), Failure> {
    let offset = sector.checked_mul(SECTOR_BYTES).ok_or(Failure::Invalid)?;
    let end = offset.checked_add(length).ok_or(Failure::Invalid)?;
    if end > target.view.size() { Err(Failure::Invalid) } else { Ok((offset, length)) }
}

fn slices<'a>(
    memory: &'a GuestMemoryMmap,
    data: &[Descriptor],
) -> Result<Vec<VolatileSlice<'a, ()>>, Failure> {
    let slice = |descriptor: &Descriptor| {
        let length = usize::try_from(descriptor.len()).map_err(|_| Failure::Invalid)?;
        memory.get_slice(descriptor.addr(), length).map_err(|_| Failure::Invalid)
    };
    data.iter().map(slice).collect()
}
