//! A disk as the appliance sees it: one image, or for a disk that is laid out, parts of several one behind the other.

use super::image::Image;
use super::overlay;
use super::zeroes::write_zeroes;
use crate::error::Result;
use imago::io_buffers::{IoVector, IoVectorMut};
use std::io;

/// Parts of images, one behind the other.
#[derive(Clone, Debug)]
pub(crate) struct View {
    parts: Vec<Part>,
}

/// A part of an image.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) image: Image,
    /// Where it begins in the image, in bytes.
    pub(crate) from: u64,
    /// Its length in bytes: whole sectors.
    pub(crate) length: u64,
}

impl View {
    /// Returns the view of a whole image, in whole sectors.
    pub(crate) fn of(image: &Image) -> Self {
        Self { parts: vec![Part { image: Image::clone(image), from: 0, length: image.size() / 512 * 512 }] }
    }

    /// Returns the view of parts one behind the other.
    pub(crate) fn joined(parts: Vec<Part>) -> Self {
        Self { parts }
    }

    /// Returns the size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.parts.iter().map(|part| part.length).sum()
    }

    /// Returns the same view above throw-away overlays.
    pub(crate) fn throw_away(&self) -> Result<Self> {
        let above = |part: &Part| Ok(Part { image: overlay::throw_away(&part.image)?, ..part.clone() });
        Ok(Self { parts: self.parts.iter().map(above).collect::<Result<_>>()? })
    }

    pub(super) fn readv(&self, mut vector: IoVectorMut<'_>, offset: u64) -> io::Result<()> {
        for (image, at, length) in self.spans(offset, vector.len())? {
            let (head, rest) = vector.split_at(length);
            image.readv(head, at)?;
            vector = rest;
        }
        Ok(())
    }

    pub(super) fn writev(&self, mut vector: IoVector<'_>, offset: u64) -> io::Result<()> {
        for (image, at, length) in self.spans(offset, vector.len())? {
            let (head, rest) = vector.split_at(length);
            image.writev(head, at)?;
            vector = rest;
        }
        Ok(())
    }

    pub(super) fn write_zeroes(&self, offset: u64, length: u64) -> io::Result<()> {
        self.spans(offset, length)?
            .into_iter()
            .try_for_each(|(image, at, length)| write_zeroes(image, at, length))
    }

    pub(super) fn flush(&self) -> io::Result<()> {
        self.parts.iter().try_for_each(|part| part.image.flush())
    }

    /// Returns where a range lies: image, offset in it, length.
    fn spans(&self, offset: u64, length: u64) -> io::Result<Vec<(&Image, u64, u64)>> {
        let (mut spans, mut start, end) = (Vec::with_capacity(1), 0, offset.saturating_add(length));
        for part in &self.parts {
            let (from, to) = (offset.max(start), end.min(start + part.length));
            if from < to {
                spans.push((&part.image, part.from + (from - start), to - from));
            }
            start += part.length;
        }
        if end > start {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a request beyond the end of the disk"));
        }
        Ok(spans)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disks;
    use crate::testing;

    #[test]
    fn parts_lie_one_behind_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let specs = [testing::disk(dir.path(), "a", 131_072), testing::disk(dir.path(), "b", 65_536)];
        let disks = disks::open(&specs).unwrap();
        let [a, b] = [&disks[0].base, &disks[1].base];
        let part = |image: &Image, from, length| Part { image: Image::clone(image), from, length };
        let view = View::joined(vec![part(a, 0, 32768), part(b, 0, 65536), part(a, 32768, 98304)]);
        let view = view.throw_away().unwrap();
        let noise = testing::noise(131_072);
        let mut model = [&noise[..32768], &noise[..65536], &noise[32768..]].concat();
        assert_eq!(view.size(), 196_608);
        let content = |offset: usize, length: usize| {
            let mut bytes = vec![0; length];
            let mut vector = IoVectorMut::new();
            let (head, tail) = bytes.split_at_mut(length / 3);
            vector.push(head);
            vector.push(tail);
            view.readv(vector, offset as u64).map(|()| bytes)
        };
        assert!(content(0, 196_608).unwrap() == model);
        let new = [7; 80_000];
        view.writev(IoVector::from(&new[..]), 16_384).unwrap();
        view.write_zeroes(81_920, 32_768).unwrap();
        model[16_384..96_384].fill(7);
        model[81_920..114_688].fill(0);
        for (offset, length) in [(0, 196_608), (512, 1024), (32_000, 70_000), (98_304, 512), (196_096, 512)] {
            assert!(content(offset, length).unwrap() == model[offset..offset + length], "{offset}");
        }
        assert_eq!(content(196_096, 1024).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
