//! The ring of requests that the appliance's kernel shares with us: what is available there is carried out in order, and
//! goes back as used. The appliance is hostile: each number is checked, a ring that makes no sense is not served any more.
//!
//! Specified in virtio 1.2, section 2.7 (split virtqueues).

use super::memory::{Memory, NotThere};
use super::request::{self, Buffer, Target};
use std::io;
use std::sync::atomic::{Ordering, fence};

/// The most entries of the ring.
pub(super) const ENTRIES_CAP: u16 = 256;
const DESCRIPTOR_BYTES: usize = 16;
/// More of the request follows.
const NEXT: u16 = 1;
/// The device writes there.
const WRITE: u16 = 2;
/// A table of descriptors: not offered.
const INDIRECT: u16 = 4;

/// A ring; the addresses are physical.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ring {
    /// How many entries it has: a power of two.
    pub(super) entries: u16,
    /// The table of descriptors.
    pub(super) descriptors: u64,
    /// What the kernel made available.
    pub(super) available: u64,
    /// What we gave back.
    pub(super) used: u64,
    /// What is taken next, and given back next; they wrap around.
    pub(super) next_available: u16,
    pub(super) next_used: u16,
    /// Whether each side tells the other from which entry on it wants to hear of it (`VIRTIO_RING_F_EVENT_IDX`).
    pub(super) has_events: bool,
}

/// What came of a look at the ring.
#[derive(Debug, Default)]
pub(super) struct Served {
    /// Whether the kernel wants to be told.
    pub(super) notify: bool,
    /// The first error of the host.
    pub(super) host_error: Option<io::Error>,
}

impl Ring {
    /// Returns whether all of it is memory, and its length is one.
    pub(super) fn is_sound(&self, memory: &Memory) -> bool {
        let entries = u64::from(self.entries);
        self.entries.is_power_of_two()
            && self.entries <= ENTRIES_CAP
            && memory.holds(self.descriptors, entries * 16)
            && memory.holds(self.available, 6 + entries * 2)
            && memory.holds(self.used, 6 + entries * 8)
    }

    /// Carries out what is available, until nothing is.
    ///
    /// # Errors
    /// If the ring makes no sense.
    pub(super) fn serve(
        &mut self,
        target: &Target<'_>,
        memory: &Memory,
        buffer: &mut Buffer,
    ) -> Result<Served, NotThere> {
        let (mut served, before) = (Served::default(), self.next_used);
        loop {
            let available = self.available(memory)?;
            for head in &available {
                if target.is_stopped.load(Ordering::SeqCst) {
                    return Ok(served);
                }
                let chain = self.chain(memory, *head)?;
                target.signs.fetch_add(1, Ordering::Relaxed);
                let answer = request::carry_out(target, memory, &chain, buffer);
                target.signs.fetch_add(1, Ordering::Relaxed);
                let written_bytes = answer.as_ref().map_or(0, |answer| answer.written_bytes);
                if let Some(error) = answer.and_then(|answer| answer.host_error) {
                    served.host_error.get_or_insert(error);
                }
                self.give_back(memory, *head, written_bytes)?;
            }
            if available.is_empty() && !self.has_more(memory)? {
                break;
            }
        }
        served.notify = self.next_used != before && self.wants_to_hear(memory, before)?;
        Ok(served)
    }

    /// Returns the heads of what is available, and takes them.
    fn available(&mut self, memory: &Memory) -> Result<Vec<u16>, NotThere> {
        let index = short(memory, self.available + 2)?;
        fence(Ordering::SeqCst);
        let count = index.wrapping_sub(self.next_available);
        if count > self.entries {
            return Err(NotThere);
        }
        let entry = |number: u16| {
            let at = self.next_available.wrapping_add(number) & (self.entries - 1);
            short(memory, self.available + 4 + u64::from(at) * 2)
        };
        let heads = (0..count).map(entry).collect::<Result<Vec<_>, _>>()?;
        self.next_available = index;
        Ok(heads)
    }

    /// Says from where on we want to hear, and returns whether something came meanwhile.
    fn has_more(&self, memory: &Memory) -> Result<bool, NotThere> {
        if self.has_events {
            let at = self.used + 4 + u64::from(self.entries) * 8;
            memory.write(at, &self.next_available.to_le_bytes())?;
            fence(Ordering::SeqCst);
        }
        Ok(short(memory, self.available + 2)? != self.next_available)
    }

    fn wants_to_hear(&self, memory: &Memory, before: u16) -> Result<bool, NotThere> {
        fence(Ordering::SeqCst);
        if !self.has_events {
            return Ok(short(memory, self.available)? & 1 == 0);
        }
        let event = short(memory, self.available + 4 + u64::from(self.entries) * 2)?;
        let new = self.next_used;
        Ok(new.wrapping_sub(event).wrapping_sub(1) < new.wrapping_sub(before))
    }

    fn give_back(&mut self, memory: &Memory, head: u16, written_bytes: u32) -> Result<(), NotThere> {
        let at = self.used + 4 + u64::from(self.next_used & (self.entries - 1)) * 8;
        let [id, length] = [u32::from(head), written_bytes].map(u32::to_le_bytes);
        memory.write(at, [id, length].as_flattened())?;
        fence(Ordering::SeqCst);
        self.next_used = self.next_used.wrapping_add(1);
        memory.write(self.used + 2, &self.next_used.to_le_bytes())
    }

    /// Returns the descriptors of a request.
    fn chain(&self, memory: &Memory, head: u16) -> Result<Vec<Descriptor>, NotThere> {
        let mut table = [0; DESCRIPTOR_BYTES * ENTRIES_CAP as usize];
        let table = table.get_mut(..usize::from(self.entries) * DESCRIPTOR_BYTES).ok_or(NotThere)?;
        memory.read(self.descriptors, table)?;
        let (mut chain, mut next) = (Vec::new(), Some(head));
        while let Some(index) = next {
            // One that is longer than the table goes round in circles.
            if chain.len() >= usize::from(self.entries) {
                return Err(NotThere);
            }
            let (all, _) = table.as_chunks::<DESCRIPTOR_BYTES>();
            let (descriptor, flags, following) =
                Descriptor::read(all.get(usize::from(index)).ok_or(NotThere)?);
            if flags & INDIRECT != 0 {
                return Err(NotThere);
            }
            chain.push(descriptor);
            next = (flags & NEXT != 0).then_some(following);
        }
        Ok(chain)
    }
}

/// A piece of the appliance's memory that belongs to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Descriptor {
    /// Where, by physical address.
    pub(super) address: u64,
    /// How long, in bytes.
    pub(super) length: u32,
    /// Whether it is written, not read.
    pub(super) is_written: bool,
}

impl Descriptor {
    /// Returns the descriptor in these bytes, its flags, and the number of the next one.
    fn read(bytes: &[u8; DESCRIPTOR_BYTES]) -> (Self, u16, u16) {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *bytes;
        let flags = u16::from_le_bytes([m, n]);
        let descriptor = Self {
            address: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            length: u32::from_le_bytes([i, j, k, l]),
            is_written: flags & WRITE != 0,
        };
        (descriptor, flags, u16::from_le_bytes([o, p]))
    }
}

fn short(memory: &Memory, address: u64) -> Result<u16, NotThere> {
    memory.number::<2>(address).map(|number| u16::try_from(number).unwrap_or_default())
}
