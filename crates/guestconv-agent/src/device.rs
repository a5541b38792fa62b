//! The block devices of the appliance and their names in the documents: `/dev/vda1` here is `/dev/sda1` there.

use guestconv_core::formats::block::ReadAt;
use guestconv_core::layout::DeviceName;
use rustix::fs::{major, minor};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

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

/// Returns the kernel's number of a device as the device mapper takes it: `254:1`.
pub(crate) fn number(node: &Path) -> io::Result<String> {
    let device = fs::metadata(node)?.rdev();
    Ok(format!("{}:{}", major(device), minor(device)))
}
