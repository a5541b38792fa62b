//! A conversion that leaves its source alone: the result is a new image per disk, whole and sparse, written under the name
//! of a draft and renamed when all are. A draft is locked while it is written, so that what a killed conversion left is
//! known, and written over by the next one.

use super::fold::{Held, held};
use super::laid_out::LaidOut;
use super::{Overlays, own, places};
use crate::disks::{Disk, Extent, Image, ImageFormat, new_image};
use crate::error::{Error, ErrorKind, Result};
use crate::observe::{Event, Observer, Stage};
use rustix::fs::{RenameFlags, renameat_with, statvfs};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How much is read at once; what is zeroes in a piece of a part of it is not written.
const CHUNK_BYTES: u64 = 1 << 20;
/// The unit of what is written.
const BLOCK_BYTES: usize = 64 << 10;
/// What maps and tables of a new image take at the most, beside its data.
const METADATA_BYTES: u64 = 64 << 20;

/// The new images of a conversion; their drafts go with this unless they got their names.
#[derive(Debug)]
pub(crate) struct Output {
    paths: Vec<PathBuf>,
    drafts: Vec<File>,
}

impl Output {
    /// Makes a draft for each disk. Nothing that is there already is touched.
    ///
    /// # Errors
    /// `output-count`, `output-exists`, `output-in-use`, `image-failed`, `space-missing`.
    pub(crate) fn new(disks: &[Disk], paths: &[PathBuf]) -> Result<Self> {
        if paths.len() != disks.len() {
            let message =
                format!("{} disks need as many outputs, not {}: name one for each", disks.len(), paths.len());
            return Err(Error::new(ErrorKind::InvalidArgument, "output-count", message));
        }
        let mut output = Self { paths: Vec::new(), drafts: Vec::new() };
        for path in paths {
            let path = std::path::absolute(path).map_err(|error| failed(path, error))?;
            if fs::symlink_metadata(&path).is_ok() || output.paths.contains(&path) {
                return Err(exists(&path));
            }
            let draft = draft(&path)?;
            output.paths.push(path);
            output.drafts.push(draft);
        }
        require_space(disks, &output.paths)?;
        Ok(output)
    }

    /// Returns where the overlays are meanwhile: beside the new images. What a killed conversion left there is removed.
    pub(super) fn overlay_paths(&self) -> Result<Vec<PathBuf>> {
        let paths = self.paths.iter().map(|path| places::overlay(path, None)).collect::<Result<Vec<_>>>()?;
        for path in paths.iter().flat_map(|path| [path.clone(), places::head(path)]) {
            own::remove(&path).map_err(|error| failed(&path, error))?;
        }
        Ok(paths)
    }

    /// Writes the new images and gives them their names.
    ///
    /// # Errors
    /// `image-failed`, `output-exists`: the source is as it was.
    pub(crate) fn write(
        self,
        disks: &[Disk],
        overlays: &Overlays,
        format: Option<ImageFormat>,
        observer: &dyn Observer,
    ) -> Result<()> {
        let sources = disks.iter().zip(overlays.images.iter().zip(&overlays.heads));
        for ((path, draft), (disk, (overlay, head))) in self.paths.iter().zip(&self.drafts).zip(sources) {
            let laid_out = head.as_ref().map(|head| &head.laid_out);
            let told = |done, total| observer.event(&Event::Progress { stage: Stage::Commit, done, total });
            let format = format.unwrap_or(disk.output_format());
            write(draft, path, format, disk, overlay, laid_out, &told)
                .map_err(|error| failed(path, error))?;
        }
        for (index, path) in self.paths.iter().enumerate() {
            if let Err(error) = name(path) {
                // All or none: those before it have no use without it.
                self.paths.iter().take(index).for_each(|named| drop(fs::remove_file(named)));
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // What cannot be removed now is written over by the next one.
        self.paths.iter().for_each(|path| drop(fs::remove_file(places::output_draft(path))));
    }
}

/// Returns the locked draft of a new image.
fn draft(path: &Path) -> Result<File> {
    let place = places::output_draft(path);
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    let draft = options.open(&place).map_err(|error| failed(path, error))?;
    // It may have got its name, or have gone, before it was locked.
    let is_ours = draft.try_lock().is_ok()
        && draft.metadata().and_then(|own| Ok(own.ino() == fs::metadata(&place)?.ino())).unwrap_or(false);
    if !is_ours {
        let message = format!("another conversion writes {}; name another output", path.display());
        return Err(Error::new(ErrorKind::InvalidArgument, "output-in-use", message));
    }
    Ok(draft)
}

fn write(
    draft: &File,
    path: &Path,
    format: ImageFormat,
    disk: &Disk,
    overlay: &Image,
    laid_out: Option<&LaidOut>,
    told: &dyn Fn(u64, u64),
) -> io::Result<()> {
    // A raw disk may end within a sector, which no overlay holds: then it is as long as before.
    let size_bytes = laid_out.map_or(disk.base.size(), |laid_out| laid_out.room.new_size_bytes);
    draft.set_len(0)?;
    let image = new_image(&places::output_draft(path), format, size_bytes)?;
    let (start, content_bytes) = match laid_out {
        Some(laid_out) => (laid_out.room.head_bytes, laid_out.room.content_bytes),
        None => (0, overlay.size()),
    };
    let mut offset = 0;
    while offset < content_bytes {
        told(offset, content_bytes);
        let (held, length) = held(overlay, offset)?;
        let length = length.min(content_bytes - offset);
        offset += match held {
            Held::Zeroes => length,
            Held::Nothing => match disk.extent(offset, length)? {
                Extent::Zeroes(zeroes) => zeroes,
                Extent::Data(data) => copy(overlay, &image, offset, start, data.min(length))?,
            },
            Held::Data => copy(overlay, &image, offset, start, length)?,
        };
    }
    if !size_bytes.is_multiple_of(512) && laid_out.is_none() {
        let mut rest = vec![0; usize::try_from(size_bytes % 512).map_err(io::Error::other)?];
        disk.base.read(&mut rest, overlay.size())?;
        image.write(&rest, overlay.size())?;
    }
    if let Some(laid_out) = laid_out {
        laid_out.fold(&image)?;
    }
    image.flush()?;
    image.sync()
}

/// Copies what is not zeroes; returns how far it came.
fn copy(overlay: &Image, target: &Image, offset: u64, start: u64, length: u64) -> io::Result<u64> {
    let length = length.min(CHUNK_BYTES);
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    overlay.read(&mut bytes, offset)?;
    let mut at = start + offset;
    for block in bytes.chunks(BLOCK_BYTES) {
        if block.iter().any(|byte| *byte != 0) {
            target.write(block, at)?;
        }
        at += u64::try_from(block.len()).map_err(io::Error::other)?;
    }
    Ok(length)
}

/// Gives a new image its name, unless somebody took that meanwhile.
fn name(path: &Path) -> Result<()> {
    let here = rustix::fs::CWD;
    let renamed = renameat_with(here, places::output_draft(path), here, path, RenameFlags::NOREPLACE);
    match renamed {
        Err(Errno::EXIST) => return Err(exists(path)),
        // File systems that cannot say it so (NFS, FAT).
        Err(Errno::INVAL | Errno::NOSYS) if fs::symlink_metadata(path).is_err() => {
            fs::rename(places::output_draft(path), path).map_err(|error| failed(path, error))?;
        }
        other => other.map_err(|error| failed(path, error.into()))?,
    }
    own::sync_directory(path).map_err(|error| failed(path, error))
}

/// Fails if the data of all disks does not fit where the first output is.
fn require_space(disks: &[Disk], paths: &[PathBuf]) -> Result<()> {
    let Some(first) = paths.first() else { return Ok(()) };
    let directory = first.parent().unwrap_or(Path::new("/"));
    let is_together = paths.iter().all(|path| path.parent() == first.parent());
    if !is_together {
        return Ok(()); // several file systems: each says it when it is full, and nothing is lost by that
    }
    let mut needed_bytes = METADATA_BYTES;
    for disk in disks {
        needed_bytes += data_bytes(disk).map_err(|error| failed(first, error))?;
    }
    let there = statvfs(directory).map_err(|error| failed(first, error.into()))?;
    let free_bytes = there.f_bavail.saturating_mul(there.f_frsize);
    if free_bytes >= needed_bytes {
        return Ok(());
    }
    let message = format!(
        "{} has {free_bytes} bytes free, and the new images need {needed_bytes}; write them elsewhere",
        directory.display()
    );
    Err(Error::new(ErrorKind::Io, "space-missing", message))
}

fn data_bytes(disk: &Disk) -> io::Result<u64> {
    let (mut offset, mut bytes) = (0, 0);
    while offset < disk.base.size() {
        offset += match disk.extent(offset, disk.base.size() - offset)? {
            Extent::Zeroes(length) => length,
            Extent::Data(length) => {
                bytes += length;
                length
            }
        };
    }
    Ok(bytes)
}

fn exists(path: &Path) -> Error {
    let message = format!("{} is there already; name a new file, or remove it", path.display());
    Error::new(ErrorKind::InvalidArgument, "output-exists", message)
}

fn failed(path: &Path, error: io::Error) -> Error {
    Error::io("image-failed", format_args!("write the new image {}", path.display()), error)
}
