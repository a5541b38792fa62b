//! A disk that is laid out anew: head and tail wait in a file beside its overlay, and the commit makes room for them.

use super::room::Room;
use crate::disks::{Extent, Image, file_extent};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// How much is copied at once.
const PIECE_BYTES: u64 = 1 << 20;

/// What a new layout does to a disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LaidOut {
    /// The file with the head and right behind it the tail; `None`: the layout is undone.
    pub(super) head: Option<PathBuf>,
    /// The room for them.
    pub(super) room: Room,
}

impl LaidOut {
    /// Writes head and tail to their places; returns how many bytes were written. Their holes are left as they are: the
    /// room in front is zeroes, and behind the content nobody looks.
    pub(super) fn fold(&self, target: &Image) -> io::Result<u64> {
        let Some(head) = &self.head else { return Ok(0) };
        let (file, mut written_bytes) = (File::open(head)?, 0);
        for (from, end) in self.data(&file)? {
            let mut at = from;
            while at < end {
                let mut bytes =
                    vec![0; usize::try_from(PIECE_BYTES.min(end - at)).map_err(io::Error::other)?];
                file.read_exact_at(&mut bytes, at)?;
                target.write(&bytes, self.place(at))?;
                at += u64::try_from(bytes.len()).map_err(io::Error::other)?;
            }
            written_bytes += end - from;
        }
        Ok(written_bytes)
    }

    /// Returns the ranges behind the content that will be overwritten, begin and end; nothing is there if the disk grows.
    pub(super) fn overwritten(&self) -> io::Result<Vec<(u64, u64)>> {
        let (head_bytes, content_bytes) = (self.room.head_bytes, self.room.content_bytes);
        // What moves, and what the last cluster of its overlay has behind it.
        let mut ranges = vec![(content_bytes, content_bytes + head_bytes + PIECE_BYTES)];
        if let Some(head) = &self.head {
            let data = self.data(&File::open(head)?)?;
            let tail = data.into_iter().filter(|(from, _)| *from >= head_bytes);
            ranges.extend(tail.map(|(from, end)| (self.place(from), self.place(from) + (end - from))));
        }
        ranges.retain(|(from, _)| *from < self.room.old_size_bytes);
        Ok(ranges)
    }

    /// Returns the ranges of the file that are data; none is both of head and tail.
    fn data(&self, file: &File) -> io::Result<Vec<(u64, u64)>> {
        let (mut at, end, mut data) = (0, file.metadata()?.len(), Vec::new());
        while at < end {
            let limit = if at < self.room.head_bytes { self.room.head_bytes.min(end) } else { end };
            match file_extent(file, at, limit - at)? {
                Extent::Zeroes(length) => at += length,
                Extent::Data(length) => {
                    data.push((at, at + length));
                    at += length;
                }
            }
        }
        Ok(data)
    }

    /// Returns where a place of the file is on the disk.
    fn place(&self, at: u64) -> u64 {
        if at < self.room.head_bytes { at } else { at + self.room.content_bytes }
    }
}
