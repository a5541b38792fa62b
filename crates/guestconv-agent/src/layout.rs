//! The layout: every disk's partition table, what each partition and volume holds, and where each device is here.
//!
//! The tables are read by the core. The kernel reads them too and makes the partitions' devices; one that it does not make,
//! or makes elsewhere, is mapped by us, so that names never depend on the kernel's opinion.

use crate::device::{self, BlockDevice, Devices, number};
use crate::mapper::{self, Line};
use crate::stacked::{self, Made};
use crate::start::failure;
use guestconv_core::finding::Finding;
use guestconv_core::formats::block::ReadAt as _;
use guestconv_core::formats::partition_table::{self, is_extended};
use guestconv_core::formats::superblock::{self, Recognised};
use guestconv_core::layout::{DeviceName, Disk, Filesystem, Layout, Partition, disk_letters};
use guestconv_core::protocol::SlotKey;
use guestconv_core::report::Failure;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How many devices are asked for at once.
const AHEAD: usize = 64;

/// All that is known of a guest's block devices.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// For the documents.
    pub(crate) layout: Layout,
    /// Where they are here.
    pub(crate) devices: Devices,
    /// What a person should know.
    pub(crate) findings: Vec<Finding>,
    /// What was made of the guest's devices, in order.
    pub(crate) made: Vec<Made>,
    /// Which slot has opened an encrypted device.
    pub(crate) opened_by: BTreeMap<DeviceName, u32>,
}

/// Looks at the disks, in the order of `vda`, `vdb` …; `names` are theirs in the documents. What is encrypted is opened by
/// the keys that fit.
pub(crate) fn scan(names: &[String], keys: &[SlotKey]) -> Result<Scan, Failure> {
    let mut scan = Scan::default();
    let nodes: Vec<PathBuf> = (0..names.len()).map(|index| node(&kernel_name(index))).collect();
    let _disks = device::ahead(nodes.iter().map(PathBuf::as_path));
    for (index, name) in names.iter().enumerate() {
        let kernel_name = kernel_name(index);
        scan.disk(name, &kernel_name)
            .map_err(|error| failure("disk-unreadable", format!("cannot read disk {name}: {error}")))?;
    }
    let unpartitioned = |disk: &&Disk| disk.table.is_none();
    let whole =
        scan.layout.disks.iter().filter(unpartitioned).map(|disk| DeviceName(format!("/dev/{}", disk.name)));
    let parts =
        scan.layout.disks.iter().filter_map(|disk| disk.table.as_ref()).flat_map(|table| &table.partitions);
    let parts = parts.filter(|part| !is_extended(&part.type_id)).map(|part| part.device.clone());
    let candidates: Vec<DeviceName> = whole.chain(parts).collect();
    for some in candidates.chunks(AHEAD) {
        let _some = device::ahead(some.iter().filter_map(|device| scan.devices.node(device)));
        some.iter().for_each(|device| scan.contents(device.clone()));
    }
    stacked::build(&mut scan, keys);
    Ok(scan)
}

impl Scan {
    fn disk(&mut self, name: &str, kernel_name: &str) -> io::Result<()> {
        let node = node(kernel_name);
        let device = BlockDevice::open(&node)?;
        let found = partition_table::read(&device, name)?;
        self.findings.extend(found.findings);
        for partition in found.table.iter().flat_map(|table| &table.partitions) {
            if is_extended(&partition.type_id) {
                continue;
            }
            match node_of(partition, kernel_name, &node) {
                Ok(node) => self.devices.insert(partition.device.clone(), node),
                Err(error) => self.findings.push(
                    Finding::warning(
                        "partition-not-readable",
                        format!("the partition cannot be read: {error}; it is left out"),
                    )
                    .about(partition.device.0.clone()),
                ),
            }
        }
        self.devices.insert(DeviceName(format!("/dev/{name}")), node);
        self.layout.disks.push(Disk {
            table: found.table,
            boot_code: found.boot_code,
            ..Disk::blank(name, device.size_bytes())
        });
        Ok(())
    }

    /// Ends what holds back what was written, so that it is written and arrays note that they are clean; before it what
    /// lies on that. Ending a device takes ten milliseconds: what only passes on what is written, and is in nobody's way,
    /// is left as it is.
    ///
    /// # Errors
    /// The first that cannot be ended.
    pub(crate) fn close(mut self) -> io::Result<()> {
        while self.made.iter().any(Made::holds_back) {
            // What is in use refuses at once.
            match self.made.iter().rposition(|made| made.holds_back() && made.end().is_ok()) {
                Some(ended) => drop(self.made.remove(ended)),
                None => self.made.pop().map_or(Ok(()), |made| made.end())?,
            }
        }
        Ok(())
    }

    /// Returns the devices on which something of that kind was recognised.
    pub(crate) fn holding(&self, kind: &str) -> Vec<DeviceName> {
        let found = self.layout.filesystems.iter().filter(|found| found.kind == kind);
        found.map(|found| found.device.clone()).collect()
    }

    /// Recognises what a device holds.
    pub(crate) fn contents(&mut self, name: DeviceName) {
        let Some(node) = self.devices.node(&name) else { return };
        match BlockDevice::open(node).and_then(|device| superblock::recognise(&device)) {
            Ok(Some(recognised)) => self.add(name, recognised),
            Ok(None) => {}
            Err(error) => self.findings.push(
                Finding::warning("device-not-readable", format!("the device cannot be read: {error}"))
                    .about(name.0),
            ),
        }
    }

    fn add(&mut self, device: DeviceName, recognised: Recognised) {
        let found = recognised.superblock;
        if matches!(found.kind, "BitLocker") {
            let text = "the device is encrypted with BitLocker and stays closed: what is in it is neither looked at nor changed";
            self.findings.push(Finding::warning("device-encrypted", text).about(device.0.clone()));
        }
        if matches!(found.kind, "ddf_raid_member" | "isw_raid_member") {
            let text = "the device is a member of an array of a controller's firmware, which is not assembled: what is in it is neither looked at nor changed";
            self.findings.push(Finding::warning("raid-not-assembled", text).about(device.0.clone()));
        }
        self.layout.filesystems.push(Filesystem {
            uuid: found.uuid,
            label: found.label,
            dirty: found.dirty,
            size_bytes: found.size_bytes,
            features: found.features,
            ..Filesystem::new(device, found.kind)
        });
    }
}

fn kernel_name(index: usize) -> String {
    format!("vd{}", disk_letters(index))
}

fn node(kernel_name: &str) -> PathBuf {
    PathBuf::from(format!("/dev/{kernel_name}"))
}

/// Returns the device of a partition: the kernel's, if it is in the same place, or one of our own.
fn node_of(partition: &Partition, kernel_name: &str, disk: &Path) -> io::Result<PathBuf> {
    let kernel_partition = format!("{kernel_name}{}", partition.number);
    let sectors = |what: &str| {
        let text = fs::read_to_string(format!("/sys/class/block/{kernel_partition}/{what}")).ok()?;
        text.trim().parse::<u64>().ok()
    };
    let (start_sectors, length_sectors) = (partition.start_bytes / 512, partition.size_bytes / 512);
    if sectors("start") == Some(start_sectors) && sectors("size") == Some(length_sectors) {
        return Ok(PathBuf::from(format!("/dev/{kernel_partition}")));
    }
    let parameters = format!("{} {start_sectors}", number(disk)?);
    let line = Line { start_sectors: 0, sectors: length_sectors, target: "linear", parameters };
    mapper::map(&format!("partition-{kernel_partition}"), &[line])
}
