//! How the segments of an initramfs and kernel modules are compressed: recognised by their first bytes as the kernel does
//! it (`lib/decompress.c`), and unpacked as a stream that ends where the compressed stream ends.
//!
//! A guest is hostile: windows and dictionaries are capped at what the kernel itself would take.

use crate::formats::lz4_legacy;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Read};

/// How a segment of an initramfs is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// Not at all: plain cpio.
    None,
    /// gzip.
    Gzip,
    /// bzip2.
    Bzip2,
    /// Old lzma.
    Lzma,
    /// xz.
    Xz,
    /// lzop.
    Lzo,
    /// lz4, legacy frame.
    Lz4,
    /// zstd.
    Zstd,
}

/// The most memory that a dictionary may take, in bytes.
const DICTIONARY_CAP_BYTES: u64 = 160 << 20;
/// The largest window of zstd, as a power of two: that of `zstd --ultra -22`.
const ZSTD_WINDOW_LOG: u32 = 27;

/// Returns the compression of data by its first bytes; `None` if it is none that the kernel knows.
pub fn recognised(first: &[u8]) -> Option<Compression> {
    Some(match first {
        [0x1f, 0x8b | 0x9e, ..] => Compression::Gzip,
        [b'B', b'Z', b'h', ..] => Compression::Bzip2,
        [0x5d, 0x00, ..] => Compression::Lzma,
        [0xfd, b'7', ..] => Compression::Xz,
        [0x89, 0x4c, ..] => Compression::Lzo,
        [0x02, 0x21, ..] => Compression::Lz4,
        [0x28, 0xb5, ..] => Compression::Zstd,
        [b'0', b'7', b'0', b'7', b'0', ..] => Compression::None,
        _ => return None,
    })
}

/// Unpacks one compressed stream.
#[non_exhaustive]
pub enum Decoder<'a> {
    /// lz4, which alone must tell what is behind it.
    Lz4(lz4_legacy::Decoder<'a>),
    /// Any other: its end is where its input stands when it is done.
    Other(Box<dyn Read + 'a>),
}

impl<'a> Decoder<'a> {
    /// Returns a decoder of the stream that starts at `input`; `None` if this compression cannot be unpacked here.
    ///
    /// # Errors
    /// If the decompressor cannot be set up.
    pub fn new(
        compression: Compression,
        input: &'a mut dyn BufRead,
        buffers: &'a mut lz4_legacy::Buffers,
    ) -> std::io::Result<Option<Self>> {
        let reader: Box<dyn Read + 'a> = match compression {
            Compression::None => Box::new(input),
            Compression::Gzip => Box::new(flate2::bufread::GzDecoder::new(input)),
            Compression::Bzip2 => Box::new(bzip2::bufread::BzDecoder::new(input)),
            Compression::Lzma => {
                let stream = liblzma::stream::Stream::new_lzma_decoder(DICTIONARY_CAP_BYTES)?;
                Box::new(liblzma::bufread::XzDecoder::new_stream(input, stream))
            }
            Compression::Xz => {
                let stream = liblzma::stream::Stream::new_stream_decoder(DICTIONARY_CAP_BYTES, 0)?;
                Box::new(liblzma::bufread::XzDecoder::new_stream(input, stream))
            }
            Compression::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?.single_frame();
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Box::new(decoder)
            }
            Compression::Lz4 => return Ok(Some(Self::Lz4(lz4_legacy::Decoder::new(input, buffers)))),
            Compression::Lzo => return Ok(None),
        };
        Ok(Some(Self::Other(reader)))
    }
}

impl Read for Decoder<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Lz4(decoder) => decoder.read(into),
            Self::Other(decoder) => decoder.read(into),
        }
    }
}

/// Returns data unpacked whole: a kernel module, whose compression its first bytes tell; plain data comes back as it is.
///
/// # Errors
/// If the data is broken, unpacks to more than `cap_bytes`, or is compressed by what cannot be unpacked here.
pub fn unpacked(data: Vec<u8>, cap_bytes: u64) -> std::io::Result<Vec<u8>> {
    let compression = match recognised(&data) {
        None | Some(Compression::None) => return Ok(data),
        Some(compression) => compression,
    };
    let (mut input, mut buffers) = (data.as_slice(), lz4_legacy::Buffers::default());
    let unsupported = std::io::ErrorKind::Unsupported;
    let decoder = Decoder::new(compression, &mut input, &mut buffers)?.ok_or(unsupported)?;
    let mut out = Vec::new();
    decoder.take(cap_bytes.saturating_add(1)).read_to_end(&mut out)?;
    let size: u64 = out.len().try_into().unwrap_or(u64::MAX);
    if size > cap_bytes { Err(std::io::ErrorKind::FileTooLarge.into()) } else { Ok(out) }
}

/// A buffered view of a decoder, over a buffer that outlives it, with a cap on what comes out.
pub struct Unpacked<'a, 'b> {
    decoder: &'a mut Decoder<'b>,
    buffer: &'a mut [u8],
    from: usize,
    to: usize,
    left_bytes: u64,
}

impl<'a, 'b> Unpacked<'a, 'b> {
    /// Returns a view that fails after `cap_bytes`.
    pub fn new(decoder: &'a mut Decoder<'b>, buffer: &'a mut [u8], cap_bytes: u64) -> Self {
        Self { decoder, buffer, from: 0, to: 0, left_bytes: cap_bytes }
    }

    /// Returns how many bytes may still come out.
    pub fn left_bytes(&self) -> u64 {
        self.left_bytes
    }
}

impl Read for Unpacked<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Unpacked<'_, '_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        if self.from >= self.to {
            let count = self.decoder.read(self.buffer)?;
            let size: u64 = count.try_into().unwrap_or(u64::MAX);
            let bomb = || std::io::Error::other("it unpacks to more than is allowed");
            let left = self.left_bytes.checked_sub(size);
            self.left_bytes = left.unwrap_or(0);
            left.ok_or_else(bomb)?;
            (self.from, self.to) = (0, count);
        }
        Ok(self.buffer.get(self.from..self.to).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.from = self.from.saturating_add(count).min(self.to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn packed(compression: Compression, data: &[u8]) -> Vec<u8> {
        match compression {
            Compression::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(data).unwrap();
                encoder.finish().unwrap()
            }
            Compression::Bzip2 => {
                let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
                encoder.write_all(data).unwrap();
                encoder.finish().unwrap()
            }
            Compression::Lzma | Compression::Xz => {
                let stream = if compression == Compression::Xz {
                    liblzma::stream::Stream::new_easy_encoder(0, liblzma::stream::Check::Crc32)
                } else {
                    let options = liblzma::stream::LzmaOptions::new_preset(0).unwrap();
                    liblzma::stream::Stream::new_lzma_encoder(&options)
                };
                let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream.unwrap());
                encoder.write_all(data).unwrap();
                encoder.finish().unwrap()
            }
            Compression::Zstd => zstd::encode_all(data, 1).unwrap(),
            Compression::Lz4 => [lz4_legacy::MAGIC.to_vec(), lz4_legacy::chunks(data)].concat(),
            Compression::None | Compression::Lzo => data.to_vec(),
        }
    }

    const ALL: [Compression; 6] = [
        Compression::Gzip,
        Compression::Bzip2,
        Compression::Lzma,
        Compression::Xz,
        Compression::Lz4,
        Compression::Zstd,
    ];

    #[test]
    fn a_stream_is_recognised_and_ends_where_it_ends() {
        let data = "0707 some text that repeats itself, ".repeat(3000).into_bytes();
        for compression in ALL {
            let stream = packed(compression, &data);
            assert_eq!(recognised(&stream), Some(compression));
            let bytes = [stream, vec![0; 8], b"0707".to_vec()].concat();
            let (mut input, mut buffers) = (bytes.as_slice(), lz4_legacy::Buffers::default());
            let mut decoder = Decoder::new(compression, &mut input, &mut buffers).unwrap().unwrap();
            let mut out = Vec::new();
            decoder.read_to_end(&mut out).unwrap();
            assert!(out == data, "{compression:?}");
            let over_read = match &decoder {
                Decoder::Lz4(decoder) => decoder.tail().unwrap().1,
                Decoder::Other(_) => 0,
            };
            drop(decoder);
            assert_eq!((input.len() as u64 + over_read), 12, "{compression:?}");
        }
    }

    #[test]
    fn a_module_is_unpacked_within_its_cap() {
        let module = b"\x7fELF and more".repeat(100);
        assert_eq!(unpacked(module.clone(), 10).unwrap(), module);
        for compression in ALL {
            let stream = packed(compression, &module);
            assert_eq!(unpacked(stream.clone(), 1300).unwrap(), module, "{compression:?}");
            assert!(unpacked(stream.clone(), 1299).is_err(), "{compression:?}");
            assert!(unpacked(stream[..stream.len() / 2].to_vec(), 1300).is_err(), "{compression:?}");
        }
    }

    #[test]
    fn a_bomb_stops_at_the_cap() {
        let stream = packed(Compression::Zstd, &vec![0; 10 << 20]);
        let (mut input, mut buffers) = (stream.as_slice(), lz4_legacy::Buffers::default());
        let mut decoder = Decoder::new(Compression::Zstd, &mut input, &mut buffers).unwrap().unwrap();
        let mut buffer = vec![0; 65536];
        let mut view = Unpacked::new(&mut decoder, &mut buffer, 1 << 20);
        let error = std::io::copy(&mut view, &mut std::io::sink()).unwrap_err();
        assert_eq!(error.to_string(), "it unpacks to more than is allowed");
    }
}
