//! Devices that hold other devices: encryption, arrays, volume groups, pools.

use super::Superblock;
use crate::formats::block::{ReadAt, has, le64};
use crate::formats::{lvm2, md};
use std::io;

/// LUKS and BitLocker.
pub(super) fn crypto(head: &[u8]) -> Option<Superblock> {
    if has(head, 3, b"-FVE-FS-") {
        return Some(Superblock::new("BitLocker"));
    }
    has(head, 0, b"LUKS\xba\xbe").then_some(())?;
    let uuid = head.get(168..208)?.split(|byte| *byte == 0).next()?;
    let found = Superblock::new("crypto_LUKS").id(String::from_utf8_lossy(uuid).into_owned());
    Some(if has(head, 6, &[0, 2]) { found.label(head.get(24..72)?) } else { found })
}

/// Linux MD.
pub(super) fn md(head: &[u8], tail: &[u8], size_bytes: u64) -> Option<Superblock> {
    let member = md::member(head, tail, size_bytes)?;
    Some(Superblock::new("linux_raid_member").uuid(Some(member.array)).label_text(&member.name))
}

/// Arrays of controllers' firmware: DDF and Intel.
pub(super) fn raid(tail: &[u8]) -> Option<Superblock> {
    let from_end = |bytes: usize| tail.get(tail.len().checked_sub(bytes)?..);
    if has(from_end(512)?, 0, &[0xde, 0x11, 0xde, 0x11]) {
        return Some(Superblock::new("ddf_raid_member"));
    }
    has(from_end(1024)?, 0, b"Intel Raid ISM Cfg Sig. ").then(|| Superblock::new("isw_raid_member"))
}

/// LVM2 and other volume managers.
pub(super) fn volume(head: &[u8]) -> Option<Superblock> {
    if let Some(label) = lvm2::label(head) {
        return Some(Superblock::new("LVM2_member").id(label.uuid));
    }
    if head.starts_with(b"dmvdo001") {
        return Some(Superblock::new("vdo"));
    }
    has(head, 516, b"!Stra0tis\x86\xff\x02^\x41rh").then(|| Superblock::new("stratis"))
}

/// ZFS: uberblocks at 128 KiB in either byte order; the name of the pool is not read.
pub(super) fn zfs(device: &dyn ReadAt) -> io::Result<Option<Superblock>> {
    const MAGIC: u64 = 0x00ba_b10c;
    let ring = device.bytes_at(128 << 10, 128 << 10)?;
    let is_block =
        |block: &[u8]| le64(block, 0).is_some_and(|magic| magic == MAGIC || magic.swap_bytes() == MAGIC);
    let count = ring.chunks(1024).filter(|block| is_block(block)).count();
    Ok((count >= 4).then(|| Superblock::new("zfs_member")))
}
