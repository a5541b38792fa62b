//! A disk that has partitions and no boot loader: pv-grub and pygrub start such guests, too. It is not laid out anew, so a
//! person is told.

use super::needed::boot_mount;
use crate::facts::{Facts, Firmware};
use crate::finding::Finding;

/// Returns the finding that the disk that the guest would start from has partitions and no code in its first sector, and
/// UEFI has no loader either; `None` if something starts the guest, or may.
pub fn boot_loader_missing(facts: &Facts) -> Option<Finding> {
    if facts.firmware != Firmware::None {
        return None;
    }
    let mount = boot_mount(facts.roots.first()?)?;
    let names = facts.layout.disks_of(&mount.device);
    let is_empty = |name: &&&str| {
        let disk = facts.layout.disks.iter().find(|disk| disk.name == **name);
        disk.is_some_and(|disk| disk.table.is_some() && disk.boot_code.is_none())
    };
    // Of an array's disks one may have the boot loader of all.
    let disk = names.first().filter(|_| names.iter().all(|name| is_empty(&name)))?;
    let text = "the disk has partitions and no boot loader, so that no firmware can start it: its hypervisor found the kernel \
                by itself; install GRUB in the guest before converting, or give the target kernel and initramfs";
    Some(Finding::error("boot-loader-missing", text).about(*disk))
}
