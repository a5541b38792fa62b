//! Linux MD: what a member of an array says of it.
//!
//! On disk (kernel: `include/uapi/linux/raid/md_p.h`): version 1.1 at the start, 1.2 at 4 KiB, 1.0 within the last 8 to
//! 12 KiB, 0.90 within the last 64 to 128 KiB. Only little-endian numbers are read: 0.90 of a machine with big-endian ones is
//! not found, as Linux does not find it. The kernel checks the rest when the array is started.

use crate::formats::block::{ReadAt, array, le16, le32, le64};
use crate::layout::DeviceName;
use std::io;

/// A member of an array, as its superblock says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The array's UUID.
    pub array: [u8; 16],
    /// The array's name, from version 1: `host:name`; empty if it has none.
    pub name: String,
    /// The number of its device, before version 1.
    pub minor: Option<u32>,
    /// The version of the superblock as the kernel names it: `0.90`, `1.2`.
    pub version: &'static str,
    /// The level: 1 for RAID 1, -1 for linear.
    pub level: i32,
    /// How many members the array has when it is whole.
    pub members: u32,
    /// Counts the changes of the superblock.
    pub events: u64,
    /// Whether the array is being given another shape.
    pub is_reshaping: bool,
    /// Whether it is one of the array's own, and no spare.
    pub is_active: bool,
}

const MAGIC: u32 = 0xa92b_4efc;
/// A feature of version 1: the array is being reshaped.
const RESHAPING: u32 = 4;
/// Roles from here on are no place in the array.
const NO_ROLE: u16 = 0xfd00;

/// How much of the start and of the end of a device superblocks lie in, in bytes.
const HEAD_BYTES: usize = 8 << 10;
const TAIL_BYTES: u64 = 128 << 10;

/// Returns what a device is a member of.
///
/// # Errors
/// The device's error.
pub fn read(device: &dyn ReadAt) -> io::Result<Option<Member>> {
    let head = device.bytes_at(0, HEAD_BYTES)?;
    let from = device.size_bytes().saturating_sub(TAIL_BYTES);
    let tail = device.bytes_at(from, usize::try_from(TAIL_BYTES).unwrap_or(0))?;
    Ok(member(&head, &tail, device.size_bytes()))
}

/// Returns what a device is a member of; `head` and `tail` are its first and last bytes, `size_bytes` its size.
pub fn member(head: &[u8], tail: &[u8], size_bytes: u64) -> Option<Member> {
    let in_tail = |at: u64| {
        let from_end = usize::try_from(size_bytes.checked_sub(at)?).ok()?;
        tail.get(tail.len().checked_sub(from_end)?..)
    };
    let at_1_0 = (size_bytes / 512).checked_sub(16).and_then(|sector| in_tail((sector & !7) * 512));
    let places = [("1.1", Some(head)), ("1.2", head.get(4096..)), ("1.0", at_1_0)];
    let found = places.into_iter().find_map(|(version, bytes)| version_1(bytes?, version));
    found.or_else(|| version_0_90(in_tail((size_bytes & !0xffff).checked_sub(65536)?)?))
}

fn version_1(bytes: &[u8], version: &'static str) -> Option<Member> {
    (le32(bytes, 0)? == MAGIC && le32(bytes, 4)? == 1).then_some(())?;
    let name = bytes.get(32..64)?.split(|byte| *byte == 0).next().unwrap_or_default();
    let number = usize::try_from(le32(bytes, 160)?).ok()?;
    let role = number.checked_mul(2).and_then(|at| le16(bytes, at.checked_add(256)?)).unwrap_or(u16::MAX);
    Some(Member {
        array: array(bytes, 16)?,
        name: String::from_utf8_lossy(name).into_owned(),
        minor: None,
        version,
        level: le32(bytes, 72)?.cast_signed(),
        members: le32(bytes, 92)?,
        events: le64(bytes, 200)?,
        is_reshaping: le32(bytes, 8)? & RESHAPING != 0,
        is_active: role < NO_ROLE,
    })
}

fn version_0_90(bytes: &[u8]) -> Option<Member> {
    let word = |number: usize| le32(bytes, number * 4);
    (word(0)? == MAGIC && word(1)? == 0).then_some(())?;
    let (first, rest): ([u8; 4], [u8; 12]) = (array(bytes, 20)?, array(bytes, 52)?);
    let minor_version = word(2)?;
    Some(Member {
        array: [first.as_slice(), &rest].concat().try_into().ok()?,
        name: String::new(),
        minor: Some(word(11)?),
        version: "0.90",
        level: word(7)?.cast_signed(),
        members: word(10)?,
        events: u64::from(word(39)?) | u64::from(word(40)?) << 32,
        is_reshaping: minor_version == 91,
        is_active: word(995)? < word(10)?,
    })
}

impl Member {
    /// Returns the device of the array as the guest's udev names it: by its number, or by its name without the host.
    pub fn device(&self) -> Option<DeviceName> {
        if let Some(minor) = self.minor {
            return Some(DeviceName(format!("/dev/md{minor}")));
        }
        let name = self.name.rsplit(':').next().unwrap_or_default();
        let is_plain = !name.is_empty()
            && !name.starts_with('.')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'));
        let is_number = name.bytes().all(|byte| byte.is_ascii_digit()) && name.len() <= 3;
        is_plain.then(|| DeviceName(format!("/dev/md{}{name}", if is_number { "" } else { "/" })))
    }

    /// Returns the level as `mdadm` names it.
    pub fn level_name(&self) -> String {
        match self.level {
            -1 => "linear".into(),
            -4 => "multipath".into(),
            level => format!("raid{level}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn superblock_1(name: &str, role: u16) -> Vec<u8> {
        let mut bytes = vec![0; 1024];
        let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
        put(0, &MAGIC.to_le_bytes());
        put(4, &1u32.to_le_bytes());
        put(16, &[7; 16]);
        put(32, name.as_bytes());
        put(72, &1u32.to_le_bytes());
        put(92, &2u32.to_le_bytes());
        put(160, &1u32.to_le_bytes());
        put(200, &9u64.to_le_bytes());
        put(256, &[0xff, 0xff]);
        put(258, &role.to_le_bytes());
        bytes
    }

    #[test]
    fn members_are_found_where_each_version_has_its_superblock() {
        let size: usize = 1 << 20;
        let member_at = |at: usize, bytes: &[u8]| {
            let mut device = vec![0; size];
            device[at..at + bytes.len()].copy_from_slice(bytes);
            member(&device[..72 << 10], &device[size - (128 << 10)..], size as u64)
        };
        let expected = |version: &'static str, is_active: bool| Member {
            array: [7; 16],
            name: "host:0".into(),
            minor: None,
            version,
            level: 1,
            members: 2,
            events: 9,
            is_reshaping: false,
            is_active,
        };
        assert_eq!(member_at(0, &superblock_1("host:0", 1)), Some(expected("1.1", true)));
        assert_eq!(member_at(4096, &superblock_1("host:0", 0xffff)), Some(expected("1.2", false)));
        assert_eq!(member_at(size - 8192, &superblock_1("host:0", 1)), Some(expected("1.0", true)));
        let mut old = vec![0; 4096];
        for (word, value) in
            [(0, MAGIC), (1, 0), (2, 90), (5, 1), (7, 5), (10, 3), (11, 4), (13, 2), (39, 8), (995, 2)]
        {
            old[word * 4..word * 4 + 4].copy_from_slice(&value.to_le_bytes());
        }
        let found = member_at(size - 65536, &old).unwrap();
        assert_eq!((found.version, found.level, found.members, found.events), ("0.90", 5, 3, 8));
        assert_eq!((found.is_active, found.is_reshaping), (true, false));
        assert_eq!(found.array[..8], [1, 0, 0, 0, 2, 0, 0, 0]);
        assert_eq!(found.device(), Some(DeviceName("/dev/md4".into())));
        assert_eq!(found.level_name(), "raid5");
        assert_eq!(member_at(8192, &superblock_1("host:0", 1)), None);
    }

    #[test]
    fn arrays_have_the_names_that_udev_gives() {
        for (name, device) in [
            ("host:0", Some("/dev/md0")),
            ("host:root", Some("/dev/md/root")),
            ("boot", Some("/dev/md/boot")),
            ("host:a/b", None),
            ("host:..", None),
            ("", None),
        ] {
            let found = version_1(&superblock_1(name, 0), "1.2").unwrap();
            assert_eq!(found.device(), device.map(|device| DeviceName(device.into())), "{name:?}");
        }
    }
}
