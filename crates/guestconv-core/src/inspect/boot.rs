//! How the guest is started: by which firmware, and which of its roots by default.

use crate::facts::{Firmware, Root};
use crate::layout::{BootCode, DeviceName, Layout, Partition};

/// Returns the firmware that can start the disks: BIOS by a boot loader's code in a first sector, UEFI by a loader on an
/// EFI system partition.
pub(super) fn firmware(layout: &Layout, roots: &[Root]) -> Firmware {
    let is_loader =
        |code: Option<BootCode>| matches!(code, Some(BootCode::Grub | BootCode::Syslinux | BootCode::Lilo));
    let bios = layout.disks.iter().any(|disk| is_loader(disk.boot_code));
    let partitions = layout.disks.iter().flat_map(|disk| &disk.table).flat_map(|table| &table.partitions);
    let esps: Vec<DeviceName> = partitions
        .filter(|partition| partition.is_esp())
        .map(|partition: &Partition| partition.device.clone())
        .collect();
    let looked = || roots.iter().filter_map(Root::linux).flat_map(|linux| &linux.esp.partitions);
    let has_loader = |esp: &DeviceName| {
        let mut known = looked().filter(|known| known.device == *esp).peekable();
        // A partition that no root mounts was not looked at: that it is there is what is known.
        known.peek().is_none() || known.any(|known| !known.files.is_empty())
    };
    let uefi = esps.iter().any(has_loader);
    match (bios, uefi) {
        (true, true) => Firmware::Both { esps },
        (true, false) => Firmware::Bios,
        (false, true) => Firmware::Uefi { esps },
        (false, false) => Firmware::None,
    }
}

/// Returns the root that the first menu starts by itself, on the first disk that has a menu; `None` if none says.
pub(super) fn default_root(layout: &Layout, roots: &[Root]) -> Option<DeviceName> {
    let mut menus: Vec<(usize, DeviceName)> = Vec::new();
    for root in roots {
        let Some(linux) = root.linux() else { continue };
        let Some(entry) = linux.bootloader.entries.iter().find(|entry| entry.default) else { continue };
        let loader = linux.bootloader.loaders.iter().find(|loader| loader.kind == entry.loader);
        let disk = loader.and_then(|loader| loader.disk.as_ref());
        let place = layout.disks.iter().position(|known| Some(&known.name) == disk);
        let started = entry.root.clone().unwrap_or_else(|| root.device.clone());
        menus.push((place.unwrap_or(usize::MAX), started));
    }
    // Of two menus on one disk the first sector tells which counts; the root found first is taken.
    menus.sort_by_key(|(place, _)| *place);
    let known = |device: &DeviceName| roots.iter().any(|root| root.device == *device);
    menus.into_iter().map(|(_, device)| device).find(known)
}
