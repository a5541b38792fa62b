//! The block devices of the appliance and their names in the documents: `/dev/vda1` here is `/dev/sda1` there.

use guestconv_core::formats::block::ReadAt;
use guestconv_core::layout::DeviceName;
use rustix::fs::{Advice, fadvise, major, minor};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom};
use std::num::NonZeroU64;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Where superblocks and partition tables are, in bytes from the start and from the end.
const HEAD_BYTES: u64 = 72 << 10;
const TAIL_BYTES: u64 = 128 << 10;

/// Where each device of the guest is here.
#[derive(Debug, Default)]
pub(crate) struct Devices {
    nodes: BTreeMap<DeviceName, PathBuf>,
}

impl Devices {
    /// Adds a device.
    pub(crate) fn insert(&mut self, name: DeviceName, node: PathBuf) {
        self.nodes.insert(name, node);
    }

    /// Returns the device node; `None` if there is no such device.
    pub(crate) fn node(&self, name: &DeviceName) -> Option<&Path> {
        self.nodes.get(name).map(PathBuf::as_path)
    }
}

/// A block device for the parsers.
#[derive(Debug)]
pub(crate) struct BlockDevice {
    file: File,
    size_bytes: u64,
}

impl BlockDevice {
    /// Opens a device for reading.
    pub(crate) fn open(node: &Path) -> io::Result<Self> {
        let mut file = File::open(node)?;
        let size_bytes = file.seek(SeekFrom::End(0))?;
        Ok(Self { file, size_bytes })
    }
}

impl ReadAt for BlockDevice {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}

/// Asks for what is looked at of each device, its start and its end, so that all are read while the first is looked at. What was
/// read is kept as long as the files are: the kernel forgets it with the last that has the device open.
pub(crate) fn ahead<'a>(nodes: impl Iterator<Item = &'a Path>) -> Vec<BlockDevice> {
    // Who cannot be opened says so when it is looked at.
    let devices: Vec<BlockDevice> = nodes.filter_map(|node| BlockDevice::open(node).ok()).collect();
    for device in &devices {
        let tail = device.size_bytes.saturating_sub(TAIL_BYTES);
        for (from, length) in [(0, HEAD_BYTES), (tail, TAIL_BYTES)] {
            // Advice that is not taken costs time and nothing else.
            let _ = fadvise(&device.file, from, NonZeroU64::new(length), Advice::WillNeed);
        }
    }
    devices
}

/// Returns the kernel's number of a device as the device mapper takes it: `254:1`.
pub(crate) fn number(node: &Path) -> io::Result<String> {
    let device = fs::metadata(node)?.rdev();
    Ok(format!("{}:{}", major(device), minor(device)))
}
