//! What the block layer says of a guest: disks, partitions, volumes, file systems. The agent fills it; the core reads it.
//!
//! Devices have the names that libguestfs gives them, whatever the guest calls its disks: `/dev/sda1` is partition 1
//! of the first disk, `/dev/VG/LV` a logical volume. `linux::devices` maps the guest's own names to these.

mod stacked;

pub use stacked::{Array, Encrypted, LogicalVolume, VolumeGroup};

use serde::{Deserialize, Serialize};
use std::fmt;

/// The name of a block device in the documents: `/dev/sda`, `/dev/sda1`, `/dev/VG/LV`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct DeviceName(pub String);

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All of a guest's block devices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// The disks in the caller's order.
    pub disks: Vec<Disk>,
    /// LVM2 volume groups that were found.
    #[serde(default)]
    pub volume_groups: Vec<VolumeGroup>,
    /// Linux MD arrays that were found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arrays: Vec<Array>,
    /// Devices that are encrypted with LUKS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub encrypted: Vec<Encrypted>,
    /// Every file system, swap space and container that was recognised, on whatever device.
    #[serde(default)]
    pub filesystems: Vec<Filesystem>,
}

/// Returns the letters of a disk by its place, as Linux names disks: `a` to `z`, `aa` to `zz` and so on.
pub fn disk_letters(index: usize) -> String {
    let last = char::from(b'a' + u8::try_from(index % 26).expect("it is less than 26"));
    match index / 26 {
        0 => last.to_string(),
        before => disk_letters(before - 1) + &last.to_string(),
    }
}

/// One disk of the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Disk {
    /// Short name, unique: `sda`. The caller's, or by order.
    pub name: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// The partition table; `None` if there is none (a file system on the whole disk, or nothing).
    pub table: Option<PartitionTable>,
    /// Which boot loader's code is in the first sector; `None` if none is known there.
    #[serde(default)]
    pub boot_code: Option<BootCode>,
    /// Whether its storage has that size and no other: a block device. The library says it, not the agent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fixed_size: bool,
}

/// Boot code that is recognised in the first sector of a disk or partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum BootCode {
    /// GRUB 2 or GRUB legacy: the text `GRUB` is there.
    Grub,
    /// SYSLINUX's MBR code.
    Syslinux,
    /// LILO.
    Lilo,
    /// Microsoft's.
    Windows,
    /// Some code that is not recognised.
    Unknown,
}

/// A partition table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PartitionTable {
    /// Which kind.
    pub kind: TableKind,
    /// MBR: the 32-bit disk signature as 8 hex digits. GPT: the disk's GUID in lower case.
    pub id: String,
    /// In the order of their numbers.
    pub partitions: Vec<Partition>,
}

/// Kinds of partition tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum TableKind {
    /// Master boot record.
    Mbr,
    /// GUID partition table.
    Gpt,
}

/// One partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// Its name here: `/dev/sda1`.
    pub device: DeviceName,
    /// Its number in the table.
    pub number: u32,
    /// First byte on the disk.
    pub start_bytes: u64,
    /// Size in bytes.
    pub size_bytes: u64,
    /// MBR: type as two hex digits. GPT: type GUID in lower case.
    pub type_id: String,
    /// What `PARTUUID=` says: GPT GUID in lower case, or `SIGNATURE-NN`.
    pub partuuid: Option<String>,
    /// GPT name, what `PARTLABEL=` says.
    pub label: Option<String>,
    /// MBR boot flag, or GPT attribute 2.
    pub bootable: bool,
}

/// GPT type of an EFI system partition.
pub const GPT_ESP: &str = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
/// GPT type of GRUB's BIOS boot partition.
pub const GPT_BIOS_BOOT: &str = "21686148-6449-6e6f-744e-656564454649";

impl Partition {
    /// Returns whether this is an EFI system partition by its type.
    pub fn is_esp(&self) -> bool {
        self.type_id == GPT_ESP || self.type_id == "ef"
    }
}

/// A file system, swap space or container on a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Filesystem {
    /// The device it is on.
    pub device: DeviceName,
    /// blkid's names: `ext4`, `xfs`, `btrfs`, `vfat`, `ntfs`, `swap`, `LVM2_member`, `crypto_LUKS`, `linux_raid_member` …
    pub kind: String,
    /// As blkid prints it.
    pub uuid: Option<String>,
    /// As blkid prints it.
    pub label: Option<String>,
    /// btrfs: its subvolumes by path, `""` left out; empty elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subvolumes: Vec<String>,
    /// btrfs: the subvolume that is mounted if none is named; `None` if it is the top one or not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_subvolume: Option<String>,
    /// Whether its journal had to be replayed (in a throw-away overlay when inspecting).
    #[serde(default)]
    pub dirty: bool,
    /// How much of its device it uses, in bytes, as its superblock says (ext2 to ext4, XFS, btrfs); `None` elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// The bits of its superblock's incompatible features (ext2 to ext4, XFS): who does not know one must not read it;
    /// `None` elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<u32>,
    /// How many bytes are free in it for ordinary users; `None` if it was not mounted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
}

impl Filesystem {
    /// Returns a file system of which nothing more is known.
    pub fn new(device: DeviceName, kind: &str) -> Self {
        Self {
            device,
            kind: kind.to_owned(),
            uuid: None,
            label: None,
            subvolumes: Vec::new(),
            default_subvolume: None,
            dirty: false,
            size_bytes: None,
            features: None,
            free_bytes: None,
        }
    }
}

impl Disk {
    /// Returns a disk that holds nothing that is known.
    pub fn blank(name: &str, size_bytes: u64) -> Self {
        Self { name: name.to_owned(), size_bytes, table: None, boot_code: None, fixed_size: false }
    }
}

impl Layout {
    /// Returns the file system on `device`.
    pub fn filesystem(&self, device: &DeviceName) -> Option<&Filesystem> {
        self.filesystems.iter().find(|filesystem| filesystem.device == *device)
    }

    /// Returns the disk and the partition of that name.
    pub fn partition(&self, device: &DeviceName) -> Option<(&Disk, &Partition)> {
        self.disks.iter().find_map(|disk| {
            let partition = disk.table.as_ref()?.partitions.iter().find(|part| part.device == *device)?;
            Some((disk, partition))
        })
    }
}
