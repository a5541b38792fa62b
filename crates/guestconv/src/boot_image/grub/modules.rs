//! Which of GRUB's modules go into the images. Many: a guest's menu may name any that its own GRUB had, and a module of the
//! guest's GRUB does not fit into ours. What GRUB does not have is left out, unless it cannot do without.

use super::{Part, Platform, missing};
use crate::error::Result;

/// Where the configuration is on the memory disk, below [`PREFIX`].
pub(super) const MENU: &str = "boot/grub/grub.cfg";
/// Where GRUB looks for its configuration first.
pub(super) const PREFIX: &str = "(memdisk)/boot/grub";

/// Without these it does not come to the guest's menu, or cannot start a kernel.
const ESSENTIAL: &[&str] = &[
    "boot",
    "configfile",
    "echo",
    "linux",
    "memdisk",
    "normal",
    "part_gpt",
    "search",
    "search_fs_uuid",
    "serial",
    "tar",
    "terminal",
    "test",
];
/// What GRUB has on BIOS alone.
const ESSENTIAL_BIOS: &[&str] = &["biosdisk", "linux16"];
/// What follows a menu of another boot loader, by the command in the configuration.
const FOLLOWERS: &[(&str, &str)] =
    &[("legacy_configfile", "legacycfg"), ("syslinux_configfile", "syslinuxcfg")];
/// What menus use.
const USUAL: &[&str] = &[
    "all_video",
    "blscfg",
    "btrfs",
    "cat",
    "chain",
    "cpuid",
    "date",
    "diskfilter",
    "eval",
    "ext2",
    "fat",
    "font",
    "gettext",
    "gzio",
    "halt",
    "help",
    "increment",
    "iso9660",
    "jpeg",
    "keystatus",
    "legacycfg",
    "loadenv",
    "loopback",
    "ls",
    "lvm",
    "lzopio",
    "mdraid09",
    "mdraid1x",
    "minicmd",
    "part_msdos",
    "password",
    "password_pbkdf2",
    "png",
    "probe",
    "read",
    "reboot",
    "regexp",
    "search_fs_file",
    "search_label",
    "sleep",
    "syslinuxcfg",
    "terminfo",
    "tga",
    "true",
    "version",
    "video",
    "xfs",
    "xzio",
    "zstd",
];
const USUAL_BIOS: &[&str] = &["drivemap", "ntldr", "vbe", "vga", "video_bochs", "video_cirrus"];
/// `linux16` and `linuxefi` are not among these, though there are such modules: the first starts kernels as BIOS would, the
/// second asks Secure Boot's shim. Our configuration makes both names mean `linux`.
/// Not its `fwsetup`: menus of GRUB 2.12 ask `fwsetup --is-supported`, and older ones take that for the wish itself and reset
/// the machine into its settings.
const USUAL_UEFI: &[&str] = &["efi_gop", "efi_uga"];

/// Returns the module that reads a file system by blkid's name; `None` if GRUB has none that we know.
pub(super) fn of_filesystem(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "ext2" | "ext3" | "ext4" => "ext2",
        "xfs" => "xfs",
        "btrfs" => "btrfs",
        "reiserfs" => "reiserfs",
        "jfs" => "jfs",
        _ => return None,
    })
}

/// Returns what goes into the image for one platform of a guest with such a file system.
///
/// # Errors
/// `grub-missing` if GRUB does not have what is essential.
pub(super) fn wanted(part: &Part, filesystem: &str, config: &str) -> Result<Vec<&'static str>> {
    let (essential, usual) = match part.platform {
        Platform::Bios => (ESSENTIAL_BIOS, USUAL_BIOS),
        Platform::Uefi => (&[] as &[_], USUAL_UEFI),
    };
    let followers =
        FOLLOWERS.iter().filter(|(command, _)| config.contains(command)).map(|(_, module)| *module);
    let mut wanted: Vec<&str> = ESSENTIAL.iter().chain(essential).copied().collect();
    wanted.extend(followers.chain(of_filesystem(filesystem)));
    let is_there = |name: &&str| part.dir.join(format!("{name}.mod")).is_file();
    if let Some(name) = wanted.iter().find(|name| !is_there(name)) {
        return Err(missing(&format!("GRUB in {} has no module {name}", part.dir.display())));
    }
    wanted.extend(USUAL.iter().chain(usual).copied().filter(is_there));
    wanted.sort_unstable();
    wanted.dedup();
    Ok(wanted)
}
