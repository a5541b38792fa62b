//! Bytes of a block device, for parsers of what is on disk: [`ReadAt`], and numbers at an offset.
//!
//! Everything here answers `None` for what lies outside: a parser of hostile bytes needs no other check.

use std::io;
use std::sync::LazyLock;

/// A block device or an image in memory.
pub trait ReadAt {
    /// Returns the size in bytes.
    fn size_bytes(&self) -> u64;

    /// Fills `buffer` from `offset`.
    ///
    /// # Errors
    /// The device's error; `UnexpectedEof` beyond the end.
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Returns the bytes from `offset`: `length` of them, or fewer at the end of the device.
    ///
    /// # Errors
    /// The device's error.
    fn bytes_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let left = self.size_bytes().saturating_sub(offset);
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(length);
        let mut bytes = vec![0; length];
        if length > 0 {
            self.read_exact_at(offset, &mut bytes)?;
        }
        Ok(bytes)
    }
}

impl ReadAt for [u8] {
    fn size_bytes(&self) -> u64 {
        u64::try_from(self.len()).unwrap_or(u64::MAX)
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(offset).ok();
        let part = from.and_then(|from| self.get(from..from.checked_add(buffer.len())?));
        buffer.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

impl ReadAt for Vec<u8> {
    fn size_bytes(&self) -> u64 {
        self.as_slice().size_bytes()
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.as_slice().read_exact_at(offset, buffer)
    }
}

/// Returns `N` bytes at an offset; `None` beyond the end.
pub fn array<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..offset.checked_add(N)?)?.try_into().ok()
}

/// Returns a little-endian number of 16 bits.
pub fn le16(bytes: &[u8], offset: usize) -> Option<u16> {
    array(bytes, offset).map(u16::from_le_bytes)
}

/// Returns a little-endian number of 32 bits.
pub fn le32(bytes: &[u8], offset: usize) -> Option<u32> {
    array(bytes, offset).map(u32::from_le_bytes)
}

/// Returns a little-endian number of 64 bits.
pub fn le64(bytes: &[u8], offset: usize) -> Option<u64> {
    array(bytes, offset).map(u64::from_le_bytes)
}

/// Returns a big-endian number of 32 bits.
pub fn be32(bytes: &[u8], offset: usize) -> Option<u32> {
    array(bytes, offset).map(u32::from_be_bytes)
}

/// Returns a big-endian number of 64 bits.
pub fn be64(bytes: &[u8], offset: usize) -> Option<u64> {
    array(bytes, offset).map(u64::from_be_bytes)
}

/// Returns whether `magic` stands at the offset.
pub fn has(bytes: &[u8], offset: usize, magic: &[u8]) -> bool {
    bytes.get(offset..).is_some_and(|rest| rest.starts_with(magic))
}

static CRC_TABLE: LazyLock<[u32; 256]> = LazyLock::new(|| {
    let mut next = 0_u32;
    std::array::from_fn(|_| {
        let entry =
            (0..8).fold(next, |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 });
        next += 1;
        entry
    })
});

/// Returns the CRC-32 (polynomial 0xedb88320) of `bytes` from the state `crc`, without final inversion.
pub fn crc32(crc: u32, bytes: &[u8]) -> u32 {
    let table = &*CRC_TABLE;
    bytes.iter().fold(crc, |crc, byte| {
        let [low, ..] = crc.to_le_bytes();
        (crc >> 8) ^ table.get(usize::from(low ^ byte)).copied().unwrap_or(0)
    })
}

/// Returns bytes as lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns 16 bytes as a UUID in lower case, in the order in which they stand.
pub fn uuid(bytes: [u8; 16]) -> String {
    let hex = hex(&bytes);
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default().to_owned();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}

/// Returns 16 bytes as a GUID in lower case: the first three fields are little-endian, as Microsoft and EFI write them.
pub fn guid(bytes: [u8; 16]) -> String {
    let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
    let [i, j, k, l, m, n, o, p] = rest;
    uuid([d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_outside_are_none() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(le16(&bytes, 6), Some(0x0807));
        assert_eq!(le32(&bytes, 5), None);
        assert_eq!(le64(&bytes, usize::MAX), None);
        assert_eq!(be32(&bytes, 0), Some(0x0102_0304));
        assert_eq!(bytes.as_slice().bytes_at(6, 10).unwrap(), [7, 8]);
        assert_eq!(bytes.as_slice().bytes_at(99, 10).unwrap(), Vec::<u8>::new());
    }

    #[test]
    fn checksums_and_ids_are_as_others_write_them() {
        assert_eq!(!crc32(!0, b"123456789"), 0xcbf4_3926);
        let bytes =
            [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b];
        assert_eq!(guid(bytes), crate::layout::GPT_ESP);
        assert_eq!(uuid(bytes), "28732ac1-1ff8-d211-ba4b-00a0c93ec93b");
    }
}
