//! An image as a stream: it is hashed while it is read, so that it is read once and never held.

use crate::change::FileHash;
use crate::tree::Hashing;
use std::io::{BufRead, Error, Read, Result};

/// The most bytes of an image: Debian's with all modules and firmware have 100 MB.
pub(super) const CAP_IMAGE_BYTES: u64 = 512 << 20;
const BUFFER_BYTES: usize = 128 << 10;

/// Reads and hashes.
pub(super) struct Hashed<'a> {
    input: &'a mut dyn Read,
    buffer: Vec<u8>,
    from: usize,
    to: usize,
    hashing: Hashing,
}

impl<'a> Hashed<'a> {
    /// Returns a stream of an image.
    pub(super) fn new(input: &'a mut dyn Read) -> Self {
        Self { input, buffer: vec![0; BUFFER_BYTES], from: 0, to: 0, hashing: Hashing::default() }
    }

    /// Returns how many bytes were consumed.
    pub(super) fn offset(&self) -> u64 {
        let ahead = u64::try_from(self.to - self.from).unwrap_or(0);
        self.hashing.size_bytes().saturating_sub(ahead)
    }

    /// Returns the next bytes without consuming them: at least `count`, or fewer at the end.
    pub(super) fn peek(&mut self, count: usize) -> Result<&[u8]> {
        while self.to - self.from < count && self.more(BUFFER_BYTES)? > 0 {}
        Ok(self.ready())
    }

    /// Consumes the first `size_bytes` of the image and returns their hash; `None` if the image ends before.
    pub(super) fn hash_of_first(&mut self, size_bytes: u64) -> Result<Option<String>> {
        while let Some(left) = size_bytes.checked_sub(self.hashing.size_bytes()).filter(|left| *left > 0) {
            self.from = self.to;
            if self.more(usize::try_from(left).unwrap_or(usize::MAX))? == 0 {
                return Ok(None);
            }
        }
        self.from = self.to;
        Ok(Some(self.hashing.clone().finish().blake3))
    }

    /// Reads to the end and returns size and hash of the whole.
    pub(super) fn finish(mut self) -> Result<FileHash> {
        loop {
            self.from = self.to;
            if self.more(BUFFER_BYTES)? == 0 {
                return Ok(self.hashing.finish());
            }
        }
    }

    fn ready(&self) -> &[u8] {
        self.buffer.get(self.from..self.to).unwrap_or_default()
    }

    /// Reads at most so many bytes behind what is ready, which goes to the front; returns how many came.
    fn more(&mut self, at_most: usize) -> Result<usize> {
        self.buffer.copy_within(self.from..self.to, 0);
        (self.from, self.to) = (0, self.to - self.from);
        let end = self.buffer.len().min(self.to.saturating_add(at_most));
        let room = self.buffer.get_mut(self.to..end).unwrap_or_default();
        let count = self.input.read(room)?;
        self.hashing.update(room.get(..count).unwrap_or_default());
        self.to += count;
        if self.hashing.size_bytes() > CAP_IMAGE_BYTES {
            return Err(Error::other(format!("it is larger than {CAP_IMAGE_BYTES} bytes")));
        }
        Ok(count)
    }
}

impl Read for Hashed<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Hashed<'_> {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        self.peek(1)
    }

    fn consume(&mut self, count: usize) {
        self.from = self.from.saturating_add(count).min(self.to);
    }
}
