//! lz4's legacy frame, in which `lz4 -l` packs initramfs images: the magic `02 21 4c 18`, then chunks, each a
//! little-endian `u32` with the packed size and one lz4 block that unpacks to at most 8 MiB.
//!
//! The frame has no end mark. The kernel (`lib/decompress_unlz4.c`) goes on until the input ends or a size is 0; a second
//! magic in place of a size is skipped. So anything else behind the last chunk is taken for a chunk and fails: what is
//! appended must be chunks of the same stream (`boot.md` A.3).

use std::io::{BufRead, Error, ErrorKind, Read};

/// First bytes of a frame.
pub const MAGIC: [u8; 4] = [0x02, 0x21, 0x4c, 0x18];
/// The most that a chunk unpacks to, in bytes.
pub const CHUNK_BYTES: usize = 8 << 20;
/// The most that a chunk may hold packed, in bytes: lz4 grows what it cannot pack by one in 255.
const PACKED_CAP_BYTES: usize = CHUNK_BYTES + CHUNK_BYTES / 255 + 16;

/// Buffers of a decoder, kept from one stream to the next.
#[derive(Debug, Default)]
pub struct Buffers {
    packed: Vec<u8>,
    unpacked: Vec<u8>,
}

/// What is behind the last chunk of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Nothing, or less than four bytes: where the file ends.
    End,
    /// A size of 0.
    Zero,
    /// Something that is no chunk: the kernel stops here with an error and keeps what it has.
    Junk,
}

/// Unpacks a stream.
pub struct Decoder<'a> {
    input: &'a mut dyn BufRead,
    buffers: &'a mut Buffers,
    from: usize,
    to: usize,
    tail: Option<Tail>,
    over_read: u64,
}

impl<'a> Decoder<'a> {
    /// Returns a decoder of a stream that starts with [`MAGIC`].
    pub fn new(input: &'a mut dyn BufRead, buffers: &'a mut Buffers) -> Self {
        Self { input, buffers, from: 0, to: 0, tail: None, over_read: 0 }
    }

    /// Returns what is behind the last chunk, and how many bytes behind it were read; `None` before the end.
    pub fn tail(&self) -> Option<(Tail, u64)> {
        self.tail.map(|tail| (tail, self.over_read))
    }

    fn next_chunk(&mut self) -> std::io::Result<bool> {
        loop {
            let mut size = [0; 4];
            let got = filled(self.input, &mut size)?;
            if size == MAGIC {
                continue;
            }
            let packed_bytes = usize::try_from(u32::from_le_bytes(size)).map_err(Error::other)?;
            let tail = match (got, packed_bytes) {
                (4, 0) => Some(Tail::Zero),
                (4, size) if size > PACKED_CAP_BYTES => Some(Tail::Junk),
                (4, _) => None,
                _ => Some(Tail::End),
            };
            if let Some(tail) = tail {
                self.tail = Some(tail);
                self.over_read = got.try_into().unwrap_or(4);
                return Ok(false);
            }
            let Buffers { packed, unpacked } = &mut *self.buffers;
            packed.resize(packed.len().max(packed_bytes), 0);
            unpacked.resize(CHUNK_BYTES, 0);
            let block = packed.get_mut(..packed_bytes).ok_or(ErrorKind::InvalidData)?;
            self.input.read_exact(block)?;
            self.from = 0;
            self.to = lz4_flex::block::decompress_into(block, unpacked)
                .map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
            if self.to > 0 {
                return Ok(true);
            }
        }
    }
}

impl Read for Decoder<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.from >= self.to && (self.tail.is_some() || !self.next_chunk()?) {
            return Ok(0);
        }
        let ready = self.buffers.unpacked.get(self.from..self.to).unwrap_or_default();
        let count = ready.len().min(into.len());
        for (target, source) in into.get_mut(..count).into_iter().zip(ready.get(..count)) {
            target.copy_from_slice(source);
        }
        self.from = self.from.saturating_add(count);
        Ok(count)
    }
}

fn filled(input: &mut dyn BufRead, into: &mut [u8; 4]) -> std::io::Result<usize> {
    let mut got = 0;
    for byte in into.iter_mut() {
        let Some(next) = input.fill_buf()?.first().copied() else { break };
        *byte = next;
        input.consume(1);
        got += 1;
    }
    Ok(got)
}

/// Returns data packed as chunks that may follow the last chunk of a stream.
pub fn chunks(data: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    for part in data.chunks(CHUNK_BYTES) {
        let block = lz4_flex::block::compress(part);
        let size = u32::try_from(block.len()).expect("a chunk of 8 MiB packs to less than 4 GiB");
        packed.extend_from_slice(&size.to_le_bytes());
        packed.extend_from_slice(&block);
    }
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    type Unpacked = (Vec<u8>, Option<(Tail, u64)>);

    fn unpacked(mut bytes: &[u8]) -> std::io::Result<Unpacked> {
        let mut buffers = Buffers::default();
        let mut decoder = Decoder::new(&mut bytes, &mut buffers);
        let mut out = Vec::new();
        decoder.read_to_end(&mut out)?;
        Ok((out, decoder.tail()))
    }

    #[test]
    fn chunks_join_the_stream_before_them() {
        let data: Vec<u8> = (0..20_000_000_u32).map(|number| (number / 7).to_le_bytes()[0]).collect();
        let stream = [MAGIC.to_vec(), chunks(&data)].concat();
        assert_eq!(unpacked(&stream).unwrap(), (data.clone(), Some((Tail::End, 0))));
        let more = chunks(b"more");
        let longer = [data, b"more".to_vec()].concat();
        for (what, bytes, tail) in [
            ("more chunks", [stream.clone(), more.clone()].concat(), (Tail::End, 0)),
            ("a second stream", [stream.clone(), MAGIC.to_vec(), more.clone()].concat(), (Tail::End, 0)),
            ("zeros", [stream.clone(), more.clone(), vec![0; 8]].concat(), (Tail::Zero, 4)),
            ("a cpio archive", [stream, more, b"0707010000".to_vec()].concat(), (Tail::Junk, 4)),
        ] {
            assert!(unpacked(&bytes).unwrap() == (longer.clone(), Some(tail)), "{what}");
        }
    }

    #[test]
    fn a_broken_chunk_is_an_error() {
        let stream = [MAGIC.to_vec(), chunks(&[7; 1000])].concat();
        for bytes in [&stream[..stream.len() - 1], &[MAGIC.as_slice(), &[4, 0, 0, 0, 9, 9, 9, 9]].concat()] {
            let kind = unpacked(bytes).unwrap_err().kind();
            assert!(matches!(kind, ErrorKind::UnexpectedEof | ErrorKind::InvalidData), "{kind}");
        }
    }
}
