//! What a guest sees on a disk, read without guestconv: raw files as they are, qcow2 by the map that QEMU's program prints.

use super::super::images::qemu_img;
use super::touched::Touched;
use rustix::fs::{SeekFrom, seek};
use serde::Deserialize;
use serde_json::json;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// How much is compared at once.
const CHUNK_BYTES: u64 = 1 << 20;

/// The content of a disk: pieces without a gap.
#[derive(Clone)]
pub(super) struct Content {
    pieces: Vec<Piece>,
}

#[derive(Clone)]
struct Piece {
    at: u64,
    length: u64,
    from: From,
}

#[derive(Clone)]
enum From {
    Zeroes,
    /// A file and where in it.
    File(Arc<File>, u64),
    /// The same, of a disk as it was built.
    Built(Arc<File>, u64),
    /// Whatever is below an overlay.
    Below,
}

/// The room that a new layout makes, as the record of an undo file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Room {
    head_bytes: u64,
    content_bytes: u64,
    new_size_bytes: u64,
}

/// A range as `qemu-img map --output=json` prints it.
#[derive(Deserialize)]
struct Mapped {
    start: u64,
    length: u64,
    present: bool,
    zero: bool,
    data: bool,
    offset: Option<u64>,
}

impl Content {
    /// Returns the content of a raw file.
    pub(super) fn raw(path: &Path) -> Self {
        let file = Arc::new(File::open(path).unwrap());
        let size = file.metadata().unwrap().len();
        let (mut content, mut at) = (Self { pieces: Vec::new() }, 0);
        while at < size {
            let data = seek(&*file, SeekFrom::Data(at)).unwrap_or(size).min(size);
            content.push(data - at, From::Zeroes);
            let hole = if data < size { seek(&*file, SeekFrom::Hole(data)).unwrap().min(size) } else { size };
            content.push(hole - data, From::File(Arc::clone(&file), data));
            at = hole;
        }
        content
    }

    /// Returns the content of an image in qcow2; where it holds nothing there are zeroes.
    pub(super) fn qcow2(path: &Path) -> Self {
        let mut content = Self::overlay(path);
        content.pieces.iter_mut().filter(|piece| matches!(piece.from, From::Below)).for_each(|piece| {
            piece.from = From::Zeroes;
        });
        content
    }

    /// Returns what an overlay holds.
    fn overlay(path: &Path) -> Self {
        let alone = json!({
            "driver": "qcow2", "backing": null, "file": { "driver": "file", "filename": path, "locking": "off" }
        });
        let told = qemu_img(&["map", "--output=json"], &[Path::new(&format!("json:{alone}"))]);
        let ranges: Vec<Mapped> = serde_json::from_slice(&told).unwrap();
        let file = Arc::new(File::open(path).unwrap());
        let mut content = Self { pieces: Vec::new() };
        for range in ranges {
            assert_eq!(range.start, content.size(), "a map without a gap");
            let from = match (range.present, range.zero, range.data) {
                (false, ..) => From::Below,
                (true, true, _) => From::Zeroes,
                (true, false, true) => From::File(Arc::clone(&file), range.offset.unwrap()),
                (true, false, false) => panic!("{}: neither data nor zeroes", path.display()),
            };
            content.push(range.length, from);
        }
        content
    }

    /// Returns this as that of a disk as it was built.
    pub(super) fn built(mut self) -> Self {
        for piece in &mut self.pieces {
            if let From::File(file, offset) = &piece.from {
                piece.from = From::Built(Arc::clone(file), *offset);
            }
        }
        self
    }

    /// Returns this under an overlay.
    pub(super) fn under(&self, overlay: &Path) -> Self {
        let mut content = Self { pieces: Vec::new() };
        for piece in Self::overlay(overlay).pieces {
            match piece.from {
                From::Below => content.append(self, piece.at, piece.length),
                from => content.push(piece.length, from),
            }
        }
        // An overlay holds whole sectors; a file may end within one.
        content.append(self, content.size(), self.size() - content.size());
        content
    }

    /// Returns this between a head and the tail that is behind it in its file.
    pub(super) fn laid_out(&self, head: &Path, room: Room) -> Self {
        let head = Self::raw(head);
        let mut content = Self { pieces: Vec::new() };
        content.append(&head, 0, room.head_bytes);
        content.append(self, 0, room.content_bytes);
        content.append(&head, room.head_bytes, head.size() - room.head_bytes);
        content.push(room.new_size_bytes - content.size(), From::Zeroes);
        content
    }

    pub(super) fn size(&self) -> u64 {
        self.pieces.last().map_or(0, |piece| piece.at + piece.length)
    }

    /// Returns in words how another differs; `None` if the guest sees the same. The other's file was a copy of that of the
    /// disk as it was built, and `touched` was written since; `None`: nobody knows what was.
    pub(super) fn difference(&self, other: &Self, touched: Option<&Touched>) -> Option<String> {
        let written = touched.map(Touched::ranges);
        if self.size() != other.size() {
            return Some(format!("{} bytes, not {}", other.size(), self.size()));
        }
        let (mut at, mut left, mut right) = (0, Vec::new(), Vec::new());
        let (mut ours, mut theirs) = (self.pieces.iter().peekable(), other.pieces.iter().peekable());
        while let (Some(one), Some(two)) = (ours.peek(), theirs.peek()) {
            let mut end = (one.at + one.length).min(two.at + two.length);
            let compared = match (&one.from, &two.from, &written) {
                (From::Zeroes, From::Zeroes, _) => None,
                (From::Built(_, built), From::File(_, is), Some(written))
                    if built + (at - one.at) + touched.map_or(0, |touched| touched.shift)
                        == is + (at - two.at) =>
                {
                    untouched(is + (at - two.at), written).map_or(Some(end), |bytes| {
                        end = end.min(at.saturating_add(bytes));
                        None
                    })
                }
                _ => Some(end),
            };
            let length = if compared.is_none() { end - at } else { (end - at).min(CHUNK_BYTES) };
            if compared.is_some() {
                one.read(at, length, &mut left);
                two.read(at, length, &mut right);
                if left != right {
                    let here = left.iter().zip(&right).position(|(one, two)| one != two).unwrap_or_default();
                    return Some(format!("other bytes at {}", at + u64::try_from(here).unwrap()));
                }
            }
            at += length;
            ours.next_if(|piece| piece.at + piece.length == at);
            theirs.next_if(|piece| piece.at + piece.length == at);
        }
        None
    }

    fn push(&mut self, length: u64, from: From) {
        if length > 0 {
            self.pieces.push(Piece { at: self.size(), length, from });
        }
    }

    fn append(&mut self, other: &Self, at: u64, length: u64) {
        let end = at + length;
        for piece in &other.pieces {
            let (start, stop) = (piece.at.max(at), (piece.at + piece.length).min(end));
            if start < stop {
                let from = match &piece.from {
                    From::File(file, offset) => From::File(Arc::clone(file), offset + (start - piece.at)),
                    From::Built(file, offset) => From::Built(Arc::clone(file), offset + (start - piece.at)),
                    from => from.clone(),
                };
                self.push(stop - start, from);
            }
        }
    }
}

/// Returns for how many bytes from `at` on nothing was written; `None` if something was there.
fn untouched(at: u64, written: &[(u64, u64)]) -> Option<u64> {
    let next = written.get(written.partition_point(|(_, end)| *end <= at));
    match next {
        Some((begin, _)) if *begin <= at => None,
        Some((begin, _)) => Some(begin - at),
        None => Some(u64::MAX),
    }
}

impl Piece {
    fn read(&self, at: u64, length: u64, bytes: &mut Vec<u8>) {
        bytes.clear();
        bytes.resize(usize::try_from(length).unwrap(), 0);
        match &self.from {
            From::Zeroes => {}
            From::File(file, offset) | From::Built(file, offset) => {
                file.read_exact_at(bytes, offset + (at - self.at)).unwrap();
            }
            From::Below => panic!("an overlay without what is below it is no content"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::images::make_qcow2;
    use super::*;
    use std::fs;

    #[test]
    fn an_overlay_lies_above_and_a_head_in_front() {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| directory.path().join(name);
        let (base, above, head) = (place("base"), place("above"), place("head"));
        fs::write(&base, vec![1; 256 << 10]).unwrap();
        fs::write(&head, vec![3; 96 << 10]).unwrap();
        let mut bytes = vec![1; 256 << 10];
        assert!(Content::raw(&base).difference(&Content::raw(&base), None).is_none());

        let options = ["create", "-q", "-f", "qcow2", "-F", "raw", "-b"];
        qemu_img(&options, &[&base, &above]);
        let write = ["-f", "qcow2", "-c", "write -q -P 2 64k 64k", "-c", "write -q -z 192k 64k"];
        let written = std::process::Command::new("qemu-io").args(write).arg(&above).status().unwrap();
        assert!(written.success());
        bytes[64 << 10..128 << 10].fill(2);
        bytes[192 << 10..].fill(0);
        let expected = place("expected");
        fs::write(&expected, &bytes).unwrap();
        let overlaid = Content::raw(&base).under(&above);
        assert_eq!(overlaid.difference(&Content::raw(&expected), None), None);
        assert_eq!(Content::raw(&base).difference(&overlaid, None), Some("other bytes at 65536".to_owned()));
        let qcow2 = place("qcow2");
        make_qcow2(&expected, &qcow2);
        assert_eq!(overlaid.difference(&Content::qcow2(&qcow2), None), None);

        let room = Room { head_bytes: 64 << 10, content_bytes: 256 << 10, new_size_bytes: 360 << 10 };
        let laid_out = overlaid.laid_out(&head, room);
        let whole = [vec![3; 64 << 10], bytes, vec![3; 32 << 10], vec![0; 8 << 10]].concat();
        fs::write(&expected, whole).unwrap();
        assert_eq!(laid_out.difference(&Content::raw(&expected), None), None);
        assert_eq!(laid_out.difference(&overlaid, None), Some("262144 bytes, not 368640".to_owned()));
    }
}
