//! Laying out a disk: a partition table and a boot loader for a disk that has neither, as EC2's paravirtual guests and
//! other guests of Xen are, whose kernel the hypervisor finds itself.
//!
//! The old content moves behind a head and becomes partition 1, byte for byte; the head has what BIOS and UEFI need, and a
//! tail has GPT's second copy. Whoever carries it out need not copy: the head is large enough that storage can be told to
//! put it in front (a range inserted into a file, a qcow2 map shifted by whole tables).

mod after;
mod display;
mod missing;
mod needed;
#[cfg(test)]
mod tests;

pub use missing::boot_loader_missing;
pub use needed::needed;

use crate::layout::PartitionTable;
use serde::{Deserialize, Serialize};

/// Size of the head in bytes: the old content begins here.
///
/// One table of a qcow2 map covers this much at QEMU's cluster size, and a divisor of it at smaller ones, so that the map
/// of such an image is shifted by whole tables. It is the usual size of an EFI system partition with its alignment.
pub const HEAD_BYTES: u64 = 512 << 20;

/// Size of the tail in bytes, at the least: GPT's second copy, and what rounds the disk to whole MiB.
pub const TAIL_BYTES: u64 = 1 << 20;

/// A disk's new layout, and what it must be before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LayOut {
    /// Short name of the disk: `sda`.
    pub disk: String,
    /// What must be on it before.
    pub before: Content,
    /// Where the old content begins afterwards, in bytes: [`HEAD_BYTES`].
    pub head_bytes: u64,
    /// Size of the disk afterwards, in bytes.
    pub size_bytes: u64,
    /// The partition table: GPT.
    pub table: PartitionTable,
    /// Volume id of the FAT file system on the EFI system partition, as blkid prints it: `1A2B-3C4D`.
    pub esp_id: String,
    /// What GRUB reads first: it finds the guest's file system and follows the guest's own menu.
    pub grub: GrubImage,
}

/// What is on a disk before it is laid out: a file system on the whole disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Size of what moves, in bytes: the disk, or the file system where the disk cannot grow.
    pub size_bytes: u64,
    /// blkid's name of the file system.
    pub filesystem: String,
    /// Its UUID, as blkid prints it.
    pub uuid: String,
    /// The incompatible features that its superblock names (ext2 to ext4, XFS): GRUB must know each.
    pub features: u32,
}

/// What GRUB 2's images for BIOS and UEFI are made of, beside its own modules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GrubImage {
    /// Where the guest has GRUB's files, in GRUB's words, relative to the file system: `/boot/grub`.
    pub prefix: String,
    /// The configuration that is built in.
    pub config: String,
}
