//! Which features of a file system a module of GRUB knows, told from its code.
//!
//! The drivers for ext2 to ext4 and XFS refuse a file system with an incompatible feature that they do not know: in C,
//! `if (superblock.incompat & ~KNOWN)`. Which they know depends on more than GRUB's version, since distributions carry fixes
//! back; so the constant is looked for where the compiler put it, in a `test` instruction of `.text`.

use guestconv_core::formats::block::{array, has, le16, le32, le64};
use std::collections::BTreeSet;

/// A file system whose driver checks features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checked {
    /// ext2, ext3 and ext4.
    Ext,
    /// XFS, version 5.
    Xfs,
}

impl Checked {
    /// Features that every driver knows which has such a check.
    fn certain(self) -> u32 {
        match self {
            // filetype and extents: GRUB 1.97.
            Self::Ext => 0x42,
            // ftype: GRUB 2.02.
            Self::Xfs => 0x1,
        }
    }

    /// Bits that no driver will ever take for known: compression, an external journal, what is not assigned.
    fn impossible(self) -> u32 {
        match self {
            Self::Ext => 0xfff0_0029,
            Self::Xfs => 0xffff_0000,
        }
    }

    /// Returns the features that GRUB 2.02 knew: the oldest that is still about.
    pub(super) fn oldest(self) -> u32 {
        match self {
            // filetype, needs_recovery, meta_bg, extents, 64bit, mmp, flex_bg.
            Self::Ext => 0x3d6,
            Self::Xfs => 0x1,
        }
    }

    /// Returns the constant of the check as features that are known: XFS keeps its numbers big-endian, and the compiler turns
    /// the constant.
    fn known(self, constant: [u8; 4]) -> u32 {
        match self {
            Self::Ext => !u32::from_le_bytes(constant),
            Self::Xfs => !u32::from_be_bytes(constant),
        }
    }
}

/// Returns the features that a module knows; `None` if no check, or more than one that it could be, is found.
pub(super) fn known(module: &[u8], checked: Checked) -> Option<u32> {
    let text = text(module)?;
    let mut found = BTreeSet::new();
    for at in 0..text.len() {
        let constant = array::<4>(text, at).filter(|_| ends_in_test(text.get(..at).unwrap_or_default()));
        let Some(known) = constant.map(|constant| checked.known(constant)) else { continue };
        if known & checked.certain() == checked.certain() && known & checked.impossible() == 0 {
            found.insert(known);
        }
    }
    let mut found = found.into_iter();
    found.next().filter(|_| found.next().is_none())
}

/// Returns whether these bytes end in what comes before the constant of a `test` with 32 bits (Intel's manual, volume 2, TEST:
/// `A9 id` and `F7 /0 id`; ModRM and SIB: tables 2-2 and 2-3).
fn ends_in_test(bytes: &[u8]) -> bool {
    let before = |back: usize| bytes.len().checked_sub(back).and_then(|at| bytes.get(at)).copied();
    // Mode, whether the register field says SIB, and how many bytes the operand has.
    let operand = |back: usize, mode: u8, has_sib: bool| {
        before(back) == Some(0xf7)
            && before(back - 1).is_some_and(|modrm| {
                modrm >> 6 == mode && modrm & 0x38 == 0 && (mode == 3 || (modrm & 7 == 4) == has_sib)
            })
    };
    before(1) == Some(0xa9)
        || operand(2, 3, false)
        || operand(2, 0, false)
        || operand(3, 0, true)
        || operand(3, 1, false)
        || operand(4, 1, true)
        || operand(6, 2, false)
        || operand(7, 2, true)
}

/// Returns the code of an ELF file of 32 or 64 bits, little-endian (System V ABI, chapter 4).
fn text(module: &[u8]) -> Option<&[u8]> {
    let is_wide = match module.get(..6)? {
        [0x7f, b'E', b'L', b'F', 1, 1] => false,
        [0x7f, b'E', b'L', b'F', 2, 1] => true,
        _ => return None,
    };
    let word = |at: usize, narrow: usize, wide: usize| {
        let number = if is_wide { le64(module, at + wide)? } else { u64::from(le32(module, at + narrow)?) };
        usize::try_from(number).ok().filter(|number| *number <= module.len())
    };
    let table = word(0, 0x20, 0x28)?;
    let half =
        |narrow: usize, wide: usize| le16(module, if is_wide { wide } else { narrow }).map(usize::from);
    let (size, count, names) = (half(0x2e, 0x3a)?, half(0x30, 0x3c)?, half(0x32, 0x3e)?);
    let section = |number: usize| table + number * size;
    let names = word(section(names), 0x10, 0x18)?;
    let is_text = |at: &usize| {
        let name = le32(module, *at).and_then(|name| usize::try_from(name).ok());
        name.is_some_and(|name| has(module, names + name, b".text\0"))
    };
    let at = (0..count).map(section).find(is_text)?;
    let (offset, length) = (word(at, 0x10, 0x18)?, word(at, 0x14, 0x20)?);
    module.get(offset..offset + length)
}
