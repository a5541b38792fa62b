//! What the kernel says of the health of file systems: damage that it met, journals that it replayed.

use crate::kmsg;
use crate::mount::repair_command;
use guestconv_core::finding::Finding;
use guestconv_core::layout::Filesystem;
use std::ops::Range;

/// How the kernel begins what it says of damage, and the kind of file system that it says it of.
const DAMAGE: [(&str, &str); 7] = [
    ("EXT4-fs error", "ext4"),
    ("XFS", "xfs"),
    ("BTRFS error", "btrfs"),
    ("BTRFS critical", "btrfs"),
    ("): error, fat", "vfat"),
    ("F2FS-fs", "f2fs"),
    ("ERROR: (device", "jfs"),
];

/// File systems that Linux systems are on and the appliance's kernel has not.
const WITHOUT_DRIVER: [&str; 5] = ["reiserfs", "reiser4", "bcachefs", "zfs_member", "ocfs2"];

/// Returns how many journals the kernel says that it has replayed: XFS and JFS tell it only there.
pub(crate) fn recoveries() -> usize {
    let is_recovery =
        |line: &&String| line.contains("Starting recovery") || line.contains("recovery complete");
    kmsg::lines().iter().filter(is_recovery).count()
}

/// Returns what the kernel says of damage that it met and went on: what it skipped looks as if it was not there. `refused` are
/// the lines that it said of what it did not mount, which is told already.
pub(crate) fn damage(refused: &[Range<usize>]) -> Option<Finding> {
    let lines = kmsg::lines();
    let lines: Vec<&String> = lines
        .iter()
        .enumerate()
        .filter(|(number, _)| !refused.iter().any(|range| range.contains(number)))
        // Our own lines name what the guest calls its files.
        .filter(|(_, line)| !line.starts_with("guestconv: "))
        .map(|(_, line)| line)
        .collect();
    let kind_of = |line: &str| DAMAGE.iter().find(|(words, _)| is_damage(line, words)).map(|(_, kind)| *kind);
    let (line, kind) = lines.iter().find_map(|line| Some((line, kind_of(line)?)))?;
    let text = format!(
        "a file system is damaged, and what is beyond the damage looks as if it was not there: {}; mend it with {} before \
             you convert",
        kmsg::told(line),
        repair_command(kind).unwrap_or("its own tool")
    );
    Some(Finding::error("filesystem-damaged", text))
}

fn is_damage(line: &str, words: &str) -> bool {
    let says_so = match words {
        "XFS" => line.contains("orruption"),
        "F2FS-fs" => line.contains("nconsistent") || line.contains("orrupt"),
        _ => true,
    };
    says_so && line.contains(words)
}

/// Returns that a file system cannot be looked at at all, if that is so.
pub(crate) fn without_driver(filesystem: &Filesystem) -> Option<Finding> {
    let kind = WITHOUT_DRIVER.iter().find(|kind| **kind == filesystem.kind)?;
    let text = format!(
        "the appliance's kernel has no {kind}: it is neither looked at nor changed; if the system is on it, copy it to another \
         file system first"
    );
    Some(Finding::warning("filesystem-not-mounted", text).about(filesystem.device.0.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_told_by_what_the_kernel_says() {
        for (line, expected) in [
            ("EXT4-fs error (device vda1): ext4_lookup:1785: inode #2: bad", Some("ext4")),
            ("EXT4-fs (vda1): mounted filesystem r/o", None),
            ("XFS (vda1): Metadata corruption detected at xfs_agf", Some("xfs")),
            ("XFS (vda1): Mounting V5 Filesystem", None),
            ("BTRFS error (device vda): bad tree block start", Some("btrfs")),
            ("BTRFS info (device vda): using crc32c", None),
            ("FAT-fs (vda1): error, fat_get_cluster: invalid", Some("vfat")),
            ("F2FS-fs (vda1): inconsistent node block", Some("f2fs")),
            ("F2FS-fs (vda1): Mounted with checkpoint", None),
        ] {
            let found = DAMAGE.iter().find(|(words, _)| is_damage(line, words)).map(|(_, kind)| *kind);
            assert_eq!(found, expected, "{line}");
        }
    }
}
