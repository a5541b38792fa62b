//! Reads an image as the kernel unpacks it: segment after segment, each compressed in its own way.

use super::Image;
use super::merged::Merged;
use super::stream::Hashed;
use crate::formats::compressed::{Compression, Decoder, Unpacked, recognised};
use crate::formats::lz4_legacy::{self, Tail};
use crate::path::GuestPath;
use std::io::{BufRead, Read};

/// The most that an image unpacks to, in bytes: with all modules and firmware it is a third of this. What is packed by xz
/// or lzma counts twice, by bzip2 four times: as much longer it takes.
const CAP_UNPACKED_BYTES: u64 = 1 << 30;
/// The most that all images of a root unpack to, counted so.
const CAP_ALL_UNPACKED_BYTES: u64 = 4 << 30;
/// The most bytes of names and texts that are kept of all images of a root.
const CAP_KEPT_BYTES: u64 = 16 << 20;
/// How many bytes tell what a segment is.
const MAGIC_BYTES: usize = 6;

/// What is left of what all images of a root may take.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    unpacked_bytes: u64,
    kept_bytes: u64,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { unpacked_bytes: CAP_ALL_UNPACKED_BYTES, kept_bytes: CAP_KEPT_BYTES }
    }
}

impl Allowance {
    /// Counts an image that was read before as it was counted then: a second look reads what the first read, and no more.
    fn known(&mut self, image: &Image) {
        self.unpacked_bytes = self.unpacked_bytes.saturating_sub(image.unpacked_bytes);
    }

    fn kept(&mut self, image: Image) -> Result<Image, String> {
        let texts = image.texts.iter().map(|text| text.path.len() + text.text.len());
        let bytes: usize = image.modules.iter().map(String::len).chain(texts).sum();
        let left = self.kept_bytes.checked_sub(u64::try_from(bytes).unwrap_or(u64::MAX));
        self.kept_bytes = left.ok_or("the images of the guest have too many names")?;
        Ok(image)
    }
}

/// Reads an image that belongs to the kernel of that version.
pub(super) fn scan(
    path: &GuestPath,
    kernel: &str,
    image: &mut dyn Read,
    allowance: &mut Allowance,
) -> Result<Image, String> {
    let mut merged = Merged::default();
    let mut image = Hashed::new(image);
    let end = segments(&mut image, Compression::None, &mut merged, allowance)?;
    let file = image.finish().map_err(text)?;
    let module_dir = merged.module_dir(kernel);
    allowance.kept(merged.image(path, kernel, &module_dir, file, end)?)
}

/// Reads an image that is one of those that were read before or begins with it: then only what was appended is unpacked.
/// `None` if it is another. What was appended is taken at its word: it names no file through a link of the old part.
pub(super) fn grown(
    known: &[Image],
    path: &GuestPath,
    kernel: &str,
    image: &mut dyn Read,
    allowance: &mut Allowance,
) -> Result<Option<Image>, String> {
    let is_it = |known: &&Image| known.path == *path && known.kernel == kernel;
    let mut candidates: Vec<&Image> = known.iter().filter(is_it).collect();
    candidates.sort_by_key(|known| known.file.size_bytes);
    let mut image = Hashed::new(image);
    for before in candidates {
        let Some(hash) = image.hash_of_first(before.file.size_bytes).map_err(text)? else { return Ok(None) };
        if hash != before.file.blake3 {
            continue;
        }
        if image.peek(1).map_err(text)?.is_empty() {
            allowance.known(before);
            return allowance.kept(before.clone()).map(Some);
        }
        if before.tail == Compression::Lz4 || before.is_closed {
            // What follows is part of its stream, or is not read at all.
            return Ok(None);
        }
        allowance.known(before);
        let mut merged = Merged::of(before);
        let mut end = segments(&mut image, before.tail, &mut merged, allowance)?;
        end.unpacked_bytes += before.unpacked_bytes;
        let file = image.finish().map_err(text)?;
        let module_dir = before.module_dir.trim_start_matches('/');
        return allowance.kept(merged.image(path, kernel, module_dir, file, end)?).map(Some);
    }
    Ok(None)
}

/// How an image ends.
#[derive(Clone, Copy)]
pub(super) struct End {
    /// How the last segment is compressed.
    pub(super) tail: Compression,
    /// Whether something is behind it that is no segment.
    pub(super) is_closed: bool,
    /// What its segments unpacked to, as it is counted.
    pub(super) unpacked_bytes: u64,
}

/// Reads every segment that is left; the compression is that of the last, `tail` if there is none.
fn segments(
    image: &mut Hashed<'_>,
    mut tail: Compression,
    merged: &mut Merged,
    allowance: &mut Allowance,
) -> Result<End, String> {
    let mut left_of_image = CAP_UNPACKED_BYTES;
    let mut unpacked_bytes = 0;
    let mut buffers = lz4_legacy::Buffers::default();
    let mut buffer = vec![0; 128 << 10];
    loop {
        let first = after_nul(image).map_err(text)?;
        if first.is_empty() {
            return Ok(End { tail, is_closed: false, unpacked_bytes });
        }
        let Some(compression) = recognised(first) else {
            // The kernel stops here too, and keeps what it has.
            return if merged.is_empty() {
                Err("it is no archive".to_owned())
            } else {
                Ok(End { tail, is_closed: true, unpacked_bytes })
            };
        };
        let start = image.offset();
        if compression == Compression::None {
            merged.read(image, start)?;
        } else {
            let decoder = Decoder::new(compression, image, &mut buffers).map_err(text)?;
            let mut decoder = decoder.ok_or("it is compressed by lzo, which is not read")?;
            let weight = weight(compression);
            let cap_bytes = left_of_image.min(allowance.unpacked_bytes) / weight;
            let mut unpacked = Unpacked::new(&mut decoder, &mut buffer, cap_bytes);
            let result = merged.read(&mut unpacked, 0).and_then(|()| drain(&mut unpacked).map_err(text));
            let taken = (cap_bytes - unpacked.left_bytes()) * weight;
            left_of_image = left_of_image.saturating_sub(taken);
            unpacked_bytes += taken;
            allowance.unpacked_bytes = allowance.unpacked_bytes.saturating_sub(taken);
            result?;
            if let Decoder::Lz4(lz4) = &decoder
                && lz4.tail().is_some_and(|(tail, _)| tail != Tail::End)
            {
                return Err("there is something behind its lz4 stream".to_owned());
            }
        }
        if image.offset() == start {
            return Err("it does not end".to_owned());
        }
        tail = compression;
    }
}

/// Returns how many times longer than others a decompressor takes for a byte.
fn weight(compression: Compression) -> u64 {
    match compression {
        Compression::Xz | Compression::Lzma => 2,
        Compression::Bzip2 => 4,
        _ => 1,
    }
}

/// Skips NUL bytes and returns what follows, enough to recognise it.
fn after_nul<'a>(image: &'a mut Hashed<'_>) -> std::io::Result<&'a [u8]> {
    loop {
        let ready = image.fill_buf()?;
        let count = ready.iter().take_while(|byte| **byte == 0).count();
        if count == 0 {
            return image.peek(MAGIC_BYTES);
        }
        image.consume(count);
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

fn drain(input: &mut dyn BufRead) -> std::io::Result<()> {
    loop {
        let count = input.fill_buf()?.len();
        if count == 0 {
            return Ok(());
        }
        input.consume(count);
    }
}
