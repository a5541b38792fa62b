//! What is made of the guest's devices: arrays, opened encrypted devices, volumes, in whatever order they lie on each other.
//!
//! Round by round, what is whole is made, and what is found on it may complete the next. Only when nothing more becomes whole
//! is something made of what is there of it, as the guest would do when it starts with a disk missing.

use crate::arrays::Arrays;
use crate::layout::Scan;
use crate::locks::Locks;
use crate::mapper;
use crate::volumes::Volumes;
use guestconv_core::layout::DeviceName;
use guestconv_core::protocol::SlotKey;
use std::io;

/// The most rounds: devices lie on each other four or five deep.
const CAP_ROUNDS: usize = 16;

/// A device that was made.
#[derive(Clone, Debug)]
pub(crate) enum Made {
    /// By the device mapper, of that name; it passes on what is written.
    Mapped(String),
    /// By the device mapper, of that name; it holds back what is written, or what it notes of it (thin, cache, RAID).
    Holding(String),
    /// An array, by its name in `/sys/block`.
    Array(String),
}

/// What is made of devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// What is whole.
    Whole,
    /// What misses a part, too.
    Partial,
}

impl Made {
    /// Returns a device of the device mapper with these targets.
    pub(crate) fn mapped<'a>(name: String, mut targets: impl Iterator<Item = &'a str>) -> Self {
        const HOLDING: [&str; 5] = ["thin-pool", "thin", "cache", "writecache", "raid"];
        if targets.any(|target| HOLDING.contains(&target)) { Self::Holding(name) } else { Self::Mapped(name) }
    }

    /// Returns whether it must be ended before the machine is.
    pub(crate) fn holds_back(&self) -> bool {
        !matches!(self, Self::Mapped(_))
    }

    /// Ends it.
    pub(crate) fn end(&self) -> io::Result<()> {
        match self {
            Self::Mapped(name) | Self::Holding(name) => mapper::remove(name)
                .map_err(|error| io::Error::other(format!("cannot close {name}: {error}"))),
            Self::Array(name) => crate::arrays::stop(name)
                .map_err(|error| io::Error::other(format!("cannot stop the array {name}: {error}"))),
        }
    }
}

/// Makes all that can be made of the devices that were recognised.
pub(crate) fn build(scan: &mut Scan, keys: &[SlotKey]) {
    let (mut arrays, mut locks, mut volumes) = (Arrays::default(), Locks::default(), Volumes::default());
    for _ in 0..CAP_ROUNDS {
        let mut new: Vec<DeviceName> = arrays.start(scan, Which::Whole);
        new.extend(locks.open(scan, keys));
        new.extend(volumes.activate(scan, Which::Whole));
        if new.is_empty() {
            new.extend(arrays.start(scan, Which::Partial));
        }
        if new.is_empty() {
            new.extend(volumes.activate(scan, Which::Partial));
        }
        if new.is_empty() {
            break;
        }
        new.into_iter().for_each(|device| scan.contents(device));
    }
    Locks::tell(scan);
}
