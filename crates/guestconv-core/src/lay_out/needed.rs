//! Whether a disk must be laid out, and how. Pure: ids are made from the file system's, so that planning twice says the same.

use super::{Content, GrubImage, HEAD_BYTES, LayOut, TAIL_BYTES};
use crate::facts::{Facts, Firmware, Mount, Root};
use crate::formats::partition_table::partition_device;
use crate::layout::{Disk, GPT_BIOS_BOOT, GPT_ESP, Partition, PartitionTable, TableKind};
use crate::linux::bootloader::{LoaderKind, Role};
use crate::linux::devices;
use crate::path::GuestPath;
use crate::plan::PlanError;
use sha2::{Digest, Sha256};

/// GPT type of a partition with a Linux file system.
const GPT_LINUX: &str = "0fc63daf-8483-4772-8e79-3d69d8477de4";
/// Where GRUB's partition begins: behind the protective MBR, GPT's header and 128 entries.
const BIOS_BOOT_START_BYTES: u64 = 34 * 512;
const MIB: u64 = 1 << 20;
/// Systems that GRUB's images for BIOS and 64-bit UEFI start.
const GRUB_ARCH: [&str; 2] = ["x86_64", "i686"];
/// What GPT's second copy takes at the end of a disk, in bytes.
const SECOND_GPT_BYTES: u64 = 33 * 512;

/// Returns how the disk that the guest starts from is laid out; `None` if it can start as it is.
///
/// A disk is laid out when no boot loader was found on any, and the boot menu lies in a file system on a whole disk: then
/// the hypervisor looked for the kernel itself (pv-grub, pygrub, a kernel of its own).
///
/// # Errors
/// `boot-menu-missing`, `boot-loader-arch`, `filesystem-not-bootable`, `disk-no-room`: the disk needs it, and it cannot be done.
pub fn needed(facts: &Facts) -> Result<Option<LayOut>, PlanError> {
    if facts.firmware != Firmware::None {
        return Ok(None);
    }
    let Some(root) = facts.roots.first() else { return Ok(None) };
    let menu = menu(root);
    let Some(mount) = boot_mount(root) else { return Ok(None) };
    let is_boot_disk = |disk: &&Disk| disk.table.is_none() && devices::whole(disk) == mount.device;
    let Some(disk) = facts.layout.disks.iter().find(is_boot_disk) else { return Ok(None) };
    let Some((kind, menu)) = menu else {
        let message = format!(
            "the system on {} has no boot menu that GRUB can follow (grub.cfg, menu.lst, grub.conf, extlinux.conf), and \
             its disk no boot loader: its kernel may come from the hypervisor; install a kernel and GRUB in the guest first",
            root.device
        );
        return Err(PlanError::new("boot-menu-missing", message));
    };
    if !GRUB_ARCH.contains(&root.arch.as_str()) {
        let message = format!(
            "the disk {} has no boot loader, and one can be given to systems for {} only, not for {}; install GRUB in the \
             guest, on an EFI system partition, while it runs",
            disk.name,
            GRUB_ARCH.join(" and "),
            root.arch
        );
        return Err(PlanError::new("boot-loader-arch", message));
    }
    let content = content(facts, disk)?;
    let size_bytes = match disk.fixed_size {
        true => disk.size_bytes,
        false => content.size_bytes.saturating_add(HEAD_BYTES + TAIL_BYTES).next_multiple_of(MIB),
    };
    let end_bytes = HEAD_BYTES.saturating_add(content.size_bytes);
    if end_bytes.saturating_add(SECOND_GPT_BYTES) > size_bytes {
        let needed = end_bytes.saturating_add(TAIL_BYTES).div_ceil(MIB);
        let message = format!(
            "the disk {} needs a partition table and a boot loader, for which it must have {needed} MiB, and it cannot grow \
             by itself from its {} MiB: make the volume larger, or copy it into an image file and convert that",
            disk.name,
            disk.size_bytes / MIB
        );
        return Err(PlanError::new("disk-no-room", message));
    }
    let own = in_filesystem(menu.as_str(), mount);
    // GRUB's own menu, if the guest gets one later.
    let later = match kind {
        LoaderKind::Extlinux => in_filesystem("/boot/grub/grub.cfg", mount),
        _ => format!("{}/grub.cfg", folder(&own)),
    };
    let prefix = folder(&later).to_owned();
    let config = config(&content.uuid, kind, &own, &later);
    let grub = GrubImage { prefix, config };
    let id = Ids { uuid: &content.uuid, disk: &disk.name };
    Ok(Some(LayOut {
        disk: disk.name.clone(),
        head_bytes: HEAD_BYTES,
        size_bytes,
        table: PartitionTable {
            kind: TableKind::Gpt,
            id: id.guid("disk"),
            partitions: partitions(&disk.name, &id, content.size_bytes),
        },
        esp_id: id.volume("esp"),
        grub,
        before: content,
    }))
}

/// Returns the mount that holds the menu, or would hold it.
pub(super) fn boot_mount(root: &Root) -> Option<&Mount> {
    let place = menu(root).map_or_else(|| boot_folder(root), |(_, path)| path);
    root.mount_of(&place)
}

/// Returns the menu that the guest starts by: what kind, and the file.
fn menu(root: &Root) -> Option<(LoaderKind, GuestPath)> {
    let loaders = root.linux().map(|linux| linux.bootloader.loaders.as_slice()).unwrap_or_default();
    loaders.iter().find_map(|loader| {
        let can_follow =
            matches!(loader.kind, LoaderKind::Grub2 | LoaderKind::GrubLegacy | LoaderKind::Extlinux);
        let menu = loader.configs.iter().find(|config| config.role == Role::Menu).filter(|_| can_follow)?;
        Some((loader.kind, menu.file.path.clone()))
    })
}

fn boot_folder(root: &Root) -> GuestPath {
    let boot = root.mounts.iter().find(|mount| mount.mountpoint.as_str() == "/boot");
    boot.map_or_else(GuestPath::root, |mount| mount.mountpoint.clone())
}

/// Returns what moves: the whole disk, or where that cannot grow, its file system.
fn content(facts: &Facts, disk: &Disk) -> Result<Content, PlanError> {
    let device = devices::whole(disk);
    let unfit = |why: &str| {
        let message = format!(
            "the disk {} needs a boot loader, and GRUB cannot start from what is on it: {why}; copy the system to a disk \
             with a partition table and a boot loader",
            disk.name
        );
        PlanError::new("filesystem-not-bootable", message)
    };
    let found = facts.layout.filesystem(&device).ok_or_else(|| unfit("no file system was recognised"))?;
    if !["ext2", "ext3", "ext4", "xfs", "btrfs"].contains(&found.kind.as_str()) {
        return Err(unfit(&format!("a file system of type {}", found.kind)));
    }
    let uuid = found.uuid.clone().ok_or_else(|| unfit("a file system without UUID"))?;
    let size_bytes = match disk.fixed_size {
        // A file system that does not tell its size may end anywhere.
        true => found.size_bytes.unwrap_or(disk.size_bytes).next_multiple_of(MIB),
        false => disk.size_bytes / 512 * 512,
    };
    let features = found.features.unwrap_or_default();
    Ok(Content { size_bytes, filesystem: found.kind.clone(), uuid, features })
}

/// The old content is number 1, as it was called at EC2; the others have the numbers that cloud images give them.
fn partitions(disk: &str, id: &Ids<'_>, content_bytes: u64) -> Vec<Partition> {
    let rows = [
        (1, HEAD_BYTES, content_bytes, GPT_LINUX, "root"),
        (14, BIOS_BOOT_START_BYTES, MIB - BIOS_BOOT_START_BYTES, GPT_BIOS_BOOT, "bios-boot"),
        (15, MIB, HEAD_BYTES - MIB, GPT_ESP, "esp"),
    ];
    let partition =
        |(number, start_bytes, size_bytes, type_id, role): (u32, u64, u64, &str, &str)| Partition {
            device: partition_device(disk, number),
            number,
            start_bytes,
            size_bytes,
            type_id: type_id.to_owned(),
            partuuid: Some(id.guid(role)),
            label: None,
            bootable: false,
        };
    rows.into_iter().map(partition).collect()
}

/// Returns a path relative to the file system that is mounted there, as GRUB has it: from the top of a btrfs, whatever
/// subvolume is its default.
fn in_filesystem(path: &str, mount: &Mount) -> String {
    let mountpoint = mount.mountpoint.as_str().trim_end_matches('/');
    let below = path.strip_prefix(mountpoint).unwrap_or(path);
    let subvolume = mount.subvolume.as_deref().unwrap_or_default().trim_matches('/');
    if subvolume.is_empty() { below.to_owned() } else { format!("/{subvolume}{below}") }
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// GRUB's first configuration. It finds the guest's file system by its UUID and follows the menu that is there: whatever
/// tool of the guest writes that, a new kernel is in it. A `grub.cfg` that comes later wins, as it would with GRUB's own.
///
/// It speaks on the screen and on the first serial port, where there is one: a menu that knew a Xen console says neither. UEFI
/// does so by itself. The place of the file system is a hint, for a machine that has a copy of it on another disk, too.
/// Names of commands that only one of GRUB's platforms has (`linux16` on BIOS, `linuxefi` on RHEL's UEFI) are given to both: a
/// command that is there wins over a function of its name. GRUB reads functions outside of `if` alone.
fn config(uuid: &str, kind: LoaderKind, menu: &str, later: &str) -> String {
    let own = match kind {
        LoaderKind::GrubLegacy => format!("legacy_configfile ($root){menu}"),
        LoaderKind::Extlinux => format!("syslinux_configfile -s ($root){menu}"),
        _ => format!("configfile ($root){menu}"),
    };
    let follow = if later == menu {
        format!("{own}\n")
    } else {
        format!("if [ -e ($root){later} ]; then\n  configfile ($root){later}\nelse\n  {own}\nfi\n")
    };
    format!(
        "if [ \"$grub_platform\" = pc ]; then\n  \
           if serial --unit=0 --speed=115200; then\n    \
             terminal_input --append serial\n    \
             terminal_output --append serial\n  \
           fi\n\
         fi\n\
         search.fs_uuid {uuid} root hd0,gpt1\n\
         set prefix=($root){prefix}\n\
         function linux16 {{ linux \"$@\"; }}\n\
         function initrd16 {{ initrd \"$@\"; }}\n\
         function linuxefi {{ linux \"$@\"; }}\n\
         function initrdefi {{ initrd \"$@\"; }}\n\
         {follow}",
        prefix = folder(later)
    )
}

/// Ids that are made from the file system's UUID.
struct Ids<'a> {
    uuid: &'a str,
    disk: &'a str,
}

impl Ids<'_> {
    fn hash(&self, role: &str) -> [u8; 32] {
        Sha256::digest(format!("guestconv lay-out {} {} {role}", self.uuid, self.disk)).into()
    }

    /// Returns a UUID of version 8 (RFC 9562), in lower case.
    fn guid(&self, role: &str) -> String {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(self.hash(role).first_chunk::<16>().expect("a SHA-256 has 32 bytes"));
        let number = u128::from_be_bytes(bytes) & !(0xf << 76 | 0x3 << 62) | 0x8 << 76 | 0x2 << 62;
        let hex = format!("{number:032x}");
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| hex.get(range).unwrap_or_default());
        parts.join("-")
    }

    /// Returns the id of a FAT volume, as blkid prints it.
    fn volume(&self, role: &str) -> String {
        let [a, b, c, d, ..] = self.hash(role);
        format!("{a:02X}{b:02X}-{c:02X}{d:02X}")
    }
}
