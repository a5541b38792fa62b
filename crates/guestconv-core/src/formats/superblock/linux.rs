//! File systems of Linux, and swap.

use super::{Superblock, utf16};
use crate::formats::block::{array, has, le16, le32, le64};

/// ext2, ext3, ext4 and external journals: told apart by features, as the kernel's drivers are.
pub(super) fn ext(head: &[u8]) -> Option<Superblock> {
    let bytes = head.get(1024..2048).filter(|bytes| has(bytes, 56, &[0x53, 0xef]))?;
    let (compat, incompat, read_only) = (le32(bytes, 92)?, le32(bytes, 96)?, le32(bytes, 100)?);
    let (has_journal, needs_recovery, is_journal) = (compat & 4 != 0, incompat & 4 != 0, incompat & 8 != 0);
    // All that ext3's driver understands: filetype, needs_recovery, meta_bg; sparse_super, large_file, btree_dir.
    let beyond_ext3 = incompat & !0x16 != 0 || read_only & !7 != 0;
    let kind = match (is_journal, beyond_ext3, has_journal) {
        (true, _, _) => "jbd",
        (_, true, _) => "ext4",
        (_, _, true) => "ext3",
        _ => "ext2",
    };
    let found = Superblock::new(kind).uuid(array(bytes, 104)).label(bytes.get(120..136)?);
    let is_64bit = incompat & 0x80 != 0;
    let high = if is_64bit { u64::from(le32(bytes, 0x150)?) } else { 0 };
    let blocks = high << 32 | u64::from(le32(bytes, 4)?);
    let size_bytes = 1024u64.checked_shl(le32(bytes, 24)?).and_then(|block| block.checked_mul(blocks));
    Some(Superblock { dirty: needs_recovery, size_bytes, features: Some(incompat & !4), ..found })
}

pub(super) fn xfs(head: &[u8]) -> Option<Superblock> {
    has(head, 0, b"XFSB").then_some(())?;
    let found = Superblock::new("xfs").uuid(array(head, 32)).label(head.get(108..120)?);
    let block_bytes = u64::from(u32::from_be_bytes(array(head, 4)?));
    let size_bytes = u64::from_be_bytes(array(head, 8)?).checked_mul(block_bytes);
    // Version 5 has feature words, older ones have bits that every reader knows.
    let is_v5 = u16::from_be_bytes(array(head, 100)?) & 0xf == 5;
    let features = if is_v5 { u32::from_be_bytes(array(head, 216)?) } else { 0 };
    Some(Superblock { size_bytes, features: Some(features), ..found })
}

pub(super) fn btrfs(head: &[u8]) -> Option<Superblock> {
    let bytes = head.get(65536..).filter(|bytes| has(bytes, 0x40, b"_BHRfS_M"))?;
    let found = Superblock::new("btrfs").uuid(array(bytes, 0x20)).label(bytes.get(0x12b..0x22b)?);
    // A log tree holds what was synced since the last commit: mounting replays it.
    Some(Superblock {
        dirty: le64(bytes, 0x60)? != 0,
        devices: le64(bytes, 0x88)?,
        size_bytes: le64(bytes, 0x70),
        ..found
    })
}

pub(super) fn f2fs(head: &[u8]) -> Option<Superblock> {
    let bytes = head.get(1024..).filter(|bytes| le32(bytes, 0) == Some(0xf2f5_2010))?;
    Some(Superblock::new("f2fs").uuid(array(bytes, 108)).label_text(&utf16(bytes.get(124..1148)?)))
}

pub(super) fn jfs(head: &[u8]) -> Option<Superblock> {
    let bytes = head.get(32768..).filter(|bytes| bytes.starts_with(b"JFS1"))?;
    Some(Superblock::new("jfs").uuid(array(bytes, 136)).label(bytes.get(152..168)?))
}

pub(super) fn reiserfs(head: &[u8]) -> Option<Superblock> {
    let found = [65536, 8192].iter().find_map(|at| {
        let bytes = head.get(*at..)?;
        let is =
            [b"ReIsErFs\0".as_slice(), b"ReIsEr2Fs", b"ReIsEr3Fs"].iter().any(|magic| has(bytes, 52, magic));
        is.then_some(bytes)
    });
    if let Some(bytes) = found {
        return Some(Superblock::new("reiserfs").uuid(array(bytes, 84)).label(bytes.get(100..116)?));
    }
    has(head, 65536, b"ReIsEr4").then(|| Superblock::new("reiser4").uuid(array(head, 65536 + 20)))
}

pub(super) fn squashfs(head: &[u8]) -> Option<Superblock> {
    (head.starts_with(b"hsqs") && le16(head, 28)? >= 4).then(|| Superblock::new("squashfs"))
}

pub(super) fn erofs(head: &[u8]) -> Option<Superblock> {
    let bytes = head.get(1024..).filter(|bytes| le32(bytes, 0) == Some(0xe0f5_e1e2))?;
    Some(Superblock::new("erofs").uuid(array(bytes, 48)).label(bytes.get(64..80)?))
}

pub(super) fn nilfs2(head: &[u8]) -> Option<Superblock> {
    let bytes =
        head.get(1024..).filter(|bytes| le16(bytes, 6) == Some(0x3434) && le32(bytes, 0) == Some(2))?;
    Some(Superblock::new("nilfs2").uuid(array(bytes, 152)).label(bytes.get(168..248)?))
}

pub(super) fn bcachefs(head: &[u8]) -> Option<Superblock> {
    let bytes = head.get(4096..)?;
    let magic = |end: &[u8]| has(bytes, 24, &[0xc6, 0x85, 0x73, 0xf6]) && has(bytes, 28, end);
    if magic(&[0x4e, 0x1a, 0x45, 0xca]) {
        return Some(Superblock::new("bcache").uuid(array(bytes, 40)));
    }
    magic(&[0x66, 0xce, 0x90, 0xa9])
        .then_some(())
        .and_then(|()| Some(Superblock::new("bcachefs").uuid(array(bytes, 56)).label(bytes.get(72..104)?)))
}

/// Swap for any page size; a hibernated system's image in it is blkid's `swsuspend`.
pub(super) fn swap(head: &[u8]) -> Option<Superblock> {
    [4096, 8192, 16384, 32768, 65536].iter().find_map(|page| {
        let magic: [u8; 10] = array(head, page - 10)?;
        let sleeping = [b"S1SUSPEND".as_slice(), b"S2SUSPEND", b"ULSUSPEND", b"LINHIB0001"];
        let kind = match &magic {
            b"SWAPSPACE2" if le32(head, 1024) == Some(1) => "swap",
            b"SWAP-SPACE" => return Some(Superblock::new("swap")),
            magic if sleeping.iter().any(|text| magic.starts_with(text)) => "swsuspend",
            _ => return None,
        };
        Some(Superblock::new(kind).uuid(array(head, 1036)).label(head.get(1052..1068)?))
    })
}
