//! Where a disk has data, told without reading it: a sparse file knows its holes, a qcow2 image its
//! map, a server what it tells.

use super::{Disk, ImageFormat, Reach};
use imago::Mapping;
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use std::fs::File;
use std::io;

/// What is known of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// So many bytes read as zeroes.
    Zeroes(u64),
    /// So many bytes must be read.
    Data(u64),
}

impl Disk {
    /// Returns what is known of the disk at `offset`, for at most `length` bytes (at least one, all of them on the disk).
    pub(crate) fn extent(&self, offset: u64, length: u64) -> io::Result<Extent> {
        match &self.reach {
            Reach::Served(nbd, _) => return nbd.extent(offset, length),
            Reach::Own(lock) if self.format == ImageFormat::Raw => {
                return of_file(lock.file(), offset, length);
            }
            Reach::Own(_) => {}
        }
        let (mapping, mapped) = self.base.get_mapping(offset, length)?;
        Ok(match mapping {
            Mapping::Zero { .. } => Extent::Zeroes(mapped),
            _ => Extent::Data(mapped),
        })
    }
}

/// Returns what is known of a file at `offset`: on a file system without holes, and on a block device, all is data.
pub(crate) fn of_file(file: &File, offset: u64, length: u64) -> io::Result<Extent> {
    match seek(file, SeekFrom::Data(offset)) {
        Ok(data) if data > offset => return Ok(Extent::Zeroes((data - offset).min(length))),
        Ok(_) => {}
        Err(Errno::NXIO) => return Ok(Extent::Zeroes(length)),
        Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(Extent::Data(length)),
        Err(error) => return Err(error.into()),
    }
    let hole = seek(file, SeekFrom::Hole(offset))?;
    Ok(Extent::Data(hole.saturating_sub(offset).clamp(1, length)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    #[test]
    fn a_sparse_file_knows_its_holes() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(10 << 20).unwrap();
        file.write_all_at(&[1; 4096], 1 << 20).unwrap();
        for (offset, length, expected) in [
            (0, 10 << 20, Extent::Zeroes(1 << 20)),
            (0, 4096, Extent::Zeroes(4096)),
            (1 << 20, 9 << 20, Extent::Data(4096)),
            (2 << 20, 8 << 20, Extent::Zeroes(8 << 20)),
        ] {
            assert_eq!(of_file(&file, offset, length).unwrap(), expected, "{offset} {length}");
        }
    }
}
