//! Devices that are made of others: volumes of a group, arrays, and what an encrypted device holds when it is open.

use super::{DeviceName, Filesystem, Layout};
use serde::{Deserialize, Serialize};

/// An LVM2 volume group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct VolumeGroup {
    /// Its name.
    pub name: String,
    /// Its LVM UUID.
    pub uuid: String,
    /// The devices of its physical volumes.
    pub physical_volumes: Vec<DeviceName>,
    /// Its logical volumes; their device is `/dev/VG/LV`.
    pub logical_volumes: Vec<LogicalVolume>,
}

/// An LVM2 logical volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LogicalVolume {
    /// `/dev/VG/LV`.
    pub device: DeviceName,
    /// Its name.
    pub name: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Segment types in use: `linear`, `striped`, …
    pub segment_types: Vec<String>,
}

/// A Linux MD array.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Array {
    /// `/dev/md0` by its number or numeric name, `/dev/md/NAME`, or `/dev/md/UUID` if it has neither.
    pub device: DeviceName,
    /// Its UUID, as blkid prints that of its members.
    pub uuid: String,
    /// Its name with that of its host: `host:0`; `None` before version 1 of the metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// As mdadm names it: `raid1`.
    pub level: String,
    /// The version of its superblocks: `1.2`.
    pub metadata: String,
    /// The devices of its members that are there.
    pub members: Vec<DeviceName>,
    /// How many members it has when it is whole, spares left out.
    pub whole_members: u32,
}

/// A device that is encrypted with LUKS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Encrypted {
    /// The device.
    pub device: DeviceName,
    /// The version of LUKS: 1 or 2.
    pub version: u32,
    /// As blkid prints it.
    pub uuid: String,
    /// What opens it beside passphrases, by the names of its tokens: `clevis`, `systemd-tpm2`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<String>,
    /// The device with its content, `/dev/mapper/luks-UUID`; `None` while it is closed.
    pub opened: Option<DeviceName>,
    /// What the guest's systems call that device, by their crypttab: `sda5_crypt`, below `/dev/mapper`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

impl Layout {
    /// Returns the devices that a device is made of: the members of an array, the physical volumes of its group, the
    /// encrypted device; none for a disk or a partition.
    pub fn below(&self, device: &DeviceName) -> &[DeviceName] {
        let group = self
            .volume_groups
            .iter()
            .find(|group| group.logical_volumes.iter().any(|volume| volume.device == *device));
        let array = self.arrays.iter().find(|array| array.device == *device);
        let encrypted = self.encrypted.iter().find(|encrypted| encrypted.opened.as_ref() == Some(device));
        let of_group = group.map(|group| group.physical_volumes.as_slice());
        let of_array = || array.map(|array| array.members.as_slice());
        let of_encrypted = || encrypted.map(|encrypted| std::slice::from_ref(&encrypted.device));
        of_group.or_else(of_array).or_else(of_encrypted).unwrap_or_default()
    }

    /// Returns the devices of the btrfs on a device, that with it: all have its UUID, so that to the kernel copies of it are
    /// no others. None if there is no btrfs.
    pub fn same_btrfs(&self, device: &DeviceName) -> Vec<&DeviceName> {
        let Some(uuid) =
            self.filesystem(device).filter(|found| found.kind == "btrfs").map(|found| &found.uuid)
        else {
            return Vec::new();
        };
        let is_same = |found: &&Filesystem| found.kind == "btrfs" && found.uuid == *uuid && uuid.is_some();
        self.filesystems.iter().filter(is_same).map(|found| &found.device).collect()
    }

    /// Returns the names of the disks that hold a device, directly or below what it is made of; each once, in order.
    pub fn disks_of(&self, device: &DeviceName) -> Vec<&str> {
        let mut names = Vec::new();
        // What was looked at is not again: a hostile layout may lead back to itself.
        let mut looked_at = vec![device];
        let mut at = 0;
        while let Some(next) = looked_at.get(at).copied() {
            at += 1;
            let whole = self.disks.iter().find(|disk| next.0 == format!("/dev/{}", disk.name));
            let part = || self.partition(next).map(|(disk, _)| disk);
            names.extend(whole.or_else(part).map(|disk| disk.name.as_str()));
            let below = self.below(next).iter().chain(self.same_btrfs(next));
            let below: Vec<&DeviceName> = below.filter(|device| !looked_at.contains(device)).collect();
            looked_at.extend(below);
        }
        names.sort_unstable();
        names.dedup();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{Disk, Partition, PartitionTable, TableKind};

    #[test]
    fn a_device_lies_on_the_disks_of_all_that_it_is_made_of() {
        let device = |name: &str| DeviceName(format!("/dev/{name}"));
        let disk = |name: &str| {
            let partition = Partition {
                device: device(&format!("{name}1")),
                number: 1,
                start_bytes: 0,
                size_bytes: 0,
                type_id: "fd".into(),
                partuuid: None,
                label: None,
                bootable: false,
            };
            let table =
                PartitionTable { kind: TableKind::Mbr, id: "00000001".into(), partitions: vec![partition] };
            Disk { table: Some(table), ..Disk::blank(name, 1 << 20) }
        };
        let array = Array {
            device: device("md0"),
            uuid: "u".into(),
            name: None,
            level: "raid1".into(),
            metadata: "0.90".into(),
            members: vec![device("sda1"), device("sdb1")],
            whole_members: 2,
        };
        let encrypted = Encrypted {
            device: device("md0"),
            version: 2,
            uuid: "l".into(),
            tokens: Vec::new(),
            opened: Some(device("mapper/luks-l")),
            names: Vec::new(),
        };
        let volume = LogicalVolume {
            device: device("vg/root"),
            name: "root".into(),
            size_bytes: 1,
            segment_types: Vec::new(),
        };
        let group = VolumeGroup {
            name: "vg".into(),
            uuid: "g".into(),
            // The second is hostile: the group lies on itself.
            physical_volumes: vec![device("mapper/luks-l"), device("vg/root"), device("sdd")],
            logical_volumes: vec![volume],
        };
        let layout = Layout {
            disks: vec![
                disk("sda"),
                disk("sdb"),
                Disk::blank("sdc", 1 << 20),
                Disk::blank("sdd", 1 << 20),
                Disk::blank("sde", 1 << 20),
            ],
            arrays: vec![array],
            encrypted: vec![encrypted],
            volume_groups: vec![group],
            filesystems: [("sde", "f"), ("sdc", "f"), ("mapper/x", "f"), ("sdb1", "e")]
                .map(|(on, uuid)| Filesystem {
                    uuid: Some(uuid.into()),
                    ..Filesystem::new(device(on), "btrfs")
                })
                .into(),
        };
        for (name, disks) in [
            ("vg/root", ["sda", "sdb", "sdd"].as_slice()),
            ("mapper/luks-l", &["sda", "sdb"]),
            ("md0", &["sda", "sdb"]),
            ("sdb1", &["sdb"]),
            ("sdc", &["sdc", "sde"]),
            ("vg/other", &[]),
            ("mapper/x", &["sdc", "sde"]),
        ] {
            assert_eq!(layout.disks_of(&device(name)), disks, "{name}");
        }
    }
}
