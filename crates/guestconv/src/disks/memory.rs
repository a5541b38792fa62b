//! The appliance's memory, as far as it shares it: parts of files that it sends us. It is read and written by system calls
//! and never mapped: a file that the appliance made shorter behind our back would end this process by a signal (SIGBUS),
//! and this is our caller's process. So it is an error of one request.

use rustix::fs::{FileType, fstat};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The most that is shared; the appliance has 384 MiB.
const CAP_BYTES: u64 = 1 << 30;
/// The most parts.
const PARTS_CAP: usize = 8;

/// A part of the memory.
#[derive(Debug)]
pub(super) struct Part {
    /// Where the kernel has it, by physical address.
    pub(super) physical: u64,
    /// Where the kernel's process has it, by which it says where its rings are.
    pub(super) virtual_address: u64,
    /// How long it is, in bytes.
    pub(super) length: u64,
    /// The file.
    pub(super) file: File,
    /// Where it begins in the file.
    pub(super) offset: u64,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Memory {
    parts: Vec<Part>,
}

/// The appliance asked for what is not its memory, or took it away.
#[derive(Debug)]
pub(super) struct NotThere;

impl Memory {
    /// Returns the memory of these parts.
    ///
    /// # Errors
    /// If one is no part of a file that is so long, or there is too much.
    pub(super) fn new(parts: Vec<Part>) -> io::Result<Self> {
        let total = parts.iter().fold(0, |total: u64, part| total.saturating_add(part.length));
        if total > CAP_BYTES || parts.len() > PARTS_CAP || !parts.iter().all(Part::is_sound) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(Self { parts })
    }

    /// Reads so many bytes from a physical address.
    pub(super) fn read(&self, address: u64, bytes: &mut [u8]) -> Result<(), NotThere> {
        let (file, at) = self.place(address, bytes.len())?;
        file.read_exact_at(bytes, at).map_err(|_| NotThere)
    }

    /// Writes bytes to a physical address.
    pub(super) fn write(&self, address: u64, bytes: &[u8]) -> Result<(), NotThere> {
        let (file, at) = self.place(address, bytes.len())?;
        file.write_all_at(bytes, at).map_err(|_| NotThere)
    }

    /// Returns the little-endian number at a physical address.
    pub(super) fn number<const BYTES: usize>(&self, address: u64) -> Result<u64, NotThere> {
        let mut bytes = [0; BYTES];
        self.read(address, &mut bytes)?;
        Ok(bytes.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte)))
    }

    /// Returns whether so many bytes at a physical address are memory.
    pub(super) fn holds(&self, address: u64, length: u64) -> bool {
        usize::try_from(length).is_ok_and(|length| self.place(address, length).is_ok())
    }

    /// Returns the physical address of a virtual one.
    pub(super) fn physical(&self, virtual_address: u64) -> Result<u64, NotThere> {
        let inside = |part: &Part| {
            let at = virtual_address.checked_sub(part.virtual_address).filter(|at| *at < part.length)?;
            part.physical.checked_add(at)
        };
        self.parts.iter().find_map(inside).ok_or(NotThere)
    }

    fn place(&self, address: u64, length: usize) -> Result<(&File, u64), NotThere> {
        let length = u64::try_from(length).map_err(|_| NotThere)?;
        let inside = |part: &Part| {
            let at = address.checked_sub(part.physical)?;
            let is_inside = at.checked_add(length).is_some_and(|end| end <= part.length);
            is_inside.then_some(part.offset + at)
        };
        self.parts.iter().find_map(|part| Some((&part.file, inside(part)?))).ok_or(NotThere)
    }
}

impl Part {
    /// Returns whether no address of it overflows, and its file is a file and reaches to its end: reading from anything else
    /// could wait for ever.
    fn is_sound(&self) -> bool {
        let ends = [self.physical, self.virtual_address, self.offset].map(|at| at.checked_add(self.length));
        let Ok(stat) = fstat(&self.file) else { return false };
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        let length = u64::try_from(stat.st_size).unwrap_or_default();
        is_file && ends.iter().all(Option::is_some) && ends[2].is_some_and(|end| end <= length)
    }
}
