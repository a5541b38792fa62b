//! Reads an image as the kernel unpacks it: segment after segment, each compressed in its own way.

use super::Image;
use super::merged::Merged;
use super::stream::Hashed;
use crate::formats::compressed::{Compression, Decoder, Unpacked, recognised};
use crate::formats::lz4_legacy::{self, Tail};
use crate::path::GuestPath;
use std::io::{BufRead, Read};

/// The most that an image unpacks to, in bytes.
const CAP_UNPACKED_BYTES: u64 = 2 << 30;
/// How many bytes tell what a segment is.
const MAGIC_BYTES: usize = 6;

/// Reads an image that belongs to the kernel of that version.
pub(super) fn scan(path: &GuestPath, kernel: &str, image: &mut dyn Read) -> Result<Image, String> {
    let mut merged = Merged::default();
    let mut image = Hashed::new(image);
    let tail = segments(&mut image, Compression::None, &mut merged)?;
    let file = image.finish().map_err(text)?;
    let module_dir = merged.module_dir(kernel);
    Ok(merged.image(path, kernel, &module_dir, file, tail))
}

/// Reads an image that is one of those that were read before or begins with it: then only what was appended is unpacked.
/// `None` if it is another. What was appended is taken at its word: it names no file through a link of the old part.
pub(super) fn grown(
    known: &[Image],
    path: &GuestPath,
    kernel: &str,
    image: &mut dyn Read,
) -> Result<Option<Image>, String> {
    let is_it = |known: &&Image| known.path == *path && known.kernel == kernel;
    let mut candidates: Vec<&Image> = known.iter().filter(is_it).collect();
    candidates.sort_by_key(|known| known.file.size_bytes);
    let mut image = Hashed::new(image);
    for before in candidates {
        let Some(hash) = image.hash_of_first(before.file.size_bytes).map_err(text)? else { return Ok(None) };
        if hash != before.file.sha256 {
            continue;
        }
        if image.peek(1).map_err(text)?.is_empty() {
            return Ok(Some(before.clone()));
        }
        if before.tail == Compression::Lz4 {
            // What follows is part of its stream.
            return Ok(None);
        }
        let mut merged = Merged::of(before);
        let tail = segments(&mut image, before.tail, &mut merged)?;
        let file = image.finish().map_err(text)?;
        return Ok(Some(merged.image(path, kernel, before.module_dir.trim_start_matches('/'), file, tail)));
    }
    Ok(None)
}

/// Reads every segment that is left; returns the compression of the last, `tail` if there is none.
fn segments(
    image: &mut Hashed<'_>,
    mut tail: Compression,
    merged: &mut Merged,
) -> Result<Compression, String> {
    let mut buffers = lz4_legacy::Buffers::default();
    let mut buffer = vec![0; 128 << 10];
    loop {
        let first = after_nul(image).map_err(text)?;
        if first.is_empty() {
            return Ok(tail);
        }
        let Some(compression) = recognised(first) else {
            // The kernel stops here too, and keeps what it has.
            return if merged.is_empty() { Err("it is no archive".to_owned()) } else { Ok(tail) };
        };
        let start = image.offset();
        if compression == Compression::None {
            merged.read(image, start)?;
        } else {
            let decoder = Decoder::new(compression, image, &mut buffers).map_err(text)?;
            let mut decoder = decoder.ok_or("it is compressed by lzo, which is not read")?;
            let mut unpacked = Unpacked::new(&mut decoder, &mut buffer, CAP_UNPACKED_BYTES);
            merged.read(&mut unpacked, 0)?;
            drain(&mut unpacked).map_err(text)?;
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
