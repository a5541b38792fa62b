//! VHD (Microsoft's "Virtual Hard Disk Image Format Specification", 1.0): a footer of 512 bytes at the end of the file, and a
//! copy of it in front of a disk that grows. QEMU reads only the copy, and not what kind of disk it is: one that holds
//! what differs from its parent it would open as if all else were zeroes.

use crate::disks::bytes::up_to_end;
use guestconv_core::formats::block::{be32, be64};
use std::fs::File;
use std::io;

/// How long the footer is.
pub(crate) const FOOTER_BYTES: u64 = 512;
const MAGIC: &[u8] = b"conectix";
const CHECKSUM_AT: usize = 64;

/// What kind of disk it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The bytes of the disk, so many, and the footer.
    Fixed(u64),
    /// Blocks, as they are written.
    Dynamic,
    /// Blocks that differ from a parent.
    Differencing,
}

/// Returns what is said at the end of a file of that length; `None` if there is no footer.
pub(crate) fn at_end(file: &File, length: u64) -> io::Result<Option<Kind>> {
    let Some(at) = length.checked_sub(FOOTER_BYTES) else { return Ok(None) };
    Ok(kind(&up_to_end(file, at, FOOTER_BYTES)?))
}

/// Returns what a footer says; `None` if it is none.
fn kind(footer: &[u8]) -> Option<Kind> {
    let sum = |bytes: &[u8]| bytes.iter().fold(0u32, |sum, byte| sum.wrapping_add(u32::from(*byte)));
    let without = sum(footer.get(..CHECKSUM_AT)?).wrapping_add(sum(footer.get(CHECKSUM_AT + 4..)?));
    let is_whole = u64::try_from(footer.len()) == Ok(FOOTER_BYTES);
    let is_footer = is_whole && footer.starts_with(MAGIC) && be32(footer, CHECKSUM_AT)? == !without;
    match be32(footer, 60).filter(|_| is_footer)? {
        2 => Some(Kind::Fixed(be64(footer, 48)?)),
        3 => Some(Kind::Dynamic),
        4 => Some(Kind::Differencing),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn footer(kind: u32) -> Vec<u8> {
        let mut footer =
            [MAGIC, &[0; 40], &(1u64 << 20).to_be_bytes(), &[0; 4], &kind.to_be_bytes()].concat();
        footer.resize(512, 0);
        let sum = footer.iter().map(|byte| u32::from(*byte)).sum::<u32>();
        footer[CHECKSUM_AT..CHECKSUM_AT + 4].copy_from_slice(&(!sum).to_be_bytes());
        footer
    }

    #[test]
    fn the_footer_says_what_kind_it_is() {
        for (number, expected) in [
            (2, Some(Kind::Fixed(1 << 20))),
            (3, Some(Kind::Dynamic)),
            (4, Some(Kind::Differencing)),
            (0, None),
        ] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&[vec![1; 100], footer(number)].concat()).unwrap();
            assert_eq!(at_end(&file, 612).unwrap(), expected, "{number}");
            assert_eq!(at_end(&file, 600).unwrap(), None, "{number}");
        }
        let mut wrong = footer(2);
        wrong[CHECKSUM_AT] ^= 1;
        assert_eq!(kind(&wrong), None);
        assert_eq!(kind(&footer(2)[..100]), None);
    }
}
