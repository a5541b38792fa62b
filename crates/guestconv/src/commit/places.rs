//! Where the files of a commit are: beside the disk. Nothing can be beside a block device: `/dev` is gone with the next
//! start of the host, so its files are in the directory that the caller says.

use crate::error::{Error, ErrorKind, Result};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// The end of the name of an overlay's file.
const OVERLAY: &str = ".guestconv-overlay";
/// The end of the name of a journal.
const JOURNAL: &str = ".guestconv-commit";
/// The end of the name of an undo file.
const UNDO: &str = ".guestconv-undo";

/// Returns where the overlay of the disk `path` is: beside it, or in the directory of the caller.
///
/// # Errors
/// `overlay-dir-needed` for a block device without such a directory: nothing is beside it.
pub(crate) fn overlay(path: &Path, overlay_dir: Option<&Path>) -> Result<PathBuf> {
    match overlay_dir {
        Some(dir) => Ok(in_directory(path, dir, OVERLAY)),
        None => kept(path, None, OVERLAY),
    }
}

/// Returns where the journal of the disk is.
///
/// # Errors
/// As [`overlay`].
pub(super) fn journal(path: &Path, overlay_dir: Option<&Path>) -> Result<PathBuf> {
    kept(path, overlay_dir, JOURNAL)
}

/// Returns where the undo file of the disk is. It outlives the conversion, so it is beside the disk wherever the overlay was.
///
/// # Errors
/// As [`overlay`].
pub(super) fn undo(path: &Path, overlay_dir: Option<&Path>) -> Result<PathBuf> {
    kept(path, overlay_dir, UNDO)
}

/// Returns where a file of our own can be for a moment, on the file system of the disk.
pub(super) fn trial(path: &Path) -> PathBuf {
    with_suffix(path, ".guestconv-trial")
}

/// Returns where a new image is until it is whole.
pub(super) fn output_draft(path: &Path) -> PathBuf {
    with_suffix(path, ".guestconv-draft")
}

/// Returns where it is written how far the room on the disk is.
pub(super) fn progress(journal: &Path) -> PathBuf {
    with_suffix(journal, "-progress")
}

/// Returns where head and tail of a disk that is laid out are: beside its overlay.
pub(super) fn head(overlay: &Path) -> PathBuf {
    with_suffix(overlay, "-head")
}

/// Returns where the record of an undo file is.
pub(super) fn record(undo: &Path) -> PathBuf {
    with_suffix(undo, ".json")
}

/// Returns where a file is until it is whole.
pub(super) fn draft(path: &Path) -> PathBuf {
    with_suffix(path, "-draft")
}

/// Returns where a conversion that was killed may have left a file that is whole or not, and that nobody needs when no
/// commit is under way.
pub(super) fn leftovers(disk: &Path, overlay_dir: Option<&Path>) -> Vec<PathBuf> {
    let overlays = [None, overlay_dir].map(|dir| overlay(disk, dir).ok());
    let heads = overlays.clone().map(|overlay| overlay.map(|overlay| head(&overlay)));
    let (journal, undo) = (journal(disk, overlay_dir).ok(), undo(disk, overlay_dir).ok());
    let progress = journal.as_deref().map(progress);
    let drafts = [&journal, &progress, &undo].map(|path| path.as_deref().map(draft));
    let record = undo.as_deref().map(|undo| draft(&record(undo)));
    let all = overlays.into_iter().chain(heads).chain(drafts).chain([progress, record, Some(trial(disk))]);
    all.flatten().collect()
}

fn kept(path: &Path, overlay_dir: Option<&Path>, suffix: &str) -> Result<PathBuf> {
    match overlay_dir {
        _ if !is_block_device(path) => Ok(with_suffix(path, suffix)),
        Some(dir) => Ok(in_directory(path, dir, suffix)),
        None => Err(Error::new(
            ErrorKind::InvalidArgument,
            "overlay-dir-needed",
            format!("{} is a block device; say in which directory its overlay may be", path.display()),
        )),
    }
}

/// Disks of the same name from several directories meet there.
fn in_directory(path: &Path, dir: &Path, suffix: &str) -> PathBuf {
    let parts = path.iter().filter_map(OsStr::to_str).filter(|part| *part != "/");
    let mut name = OsString::from(parts.collect::<Vec<_>>().join("+"));
    name.push(suffix);
    dir.join(name)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

/// Returns whether it is a block device.
pub(super) fn is_block_device(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_block_device())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_outlives_a_conversion_is_beside_the_disk() {
        let (disk, dir) = (Path::new("/a/b/disk.img"), Path::new("/tmp"));
        for (place, expected) in [
            (overlay(disk, None), "/a/b/disk.img.guestconv-overlay"),
            (overlay(disk, Some(dir)), "/tmp/a+b+disk.img.guestconv-overlay"),
            (journal(disk, Some(dir)), "/a/b/disk.img.guestconv-commit"),
            (undo(disk, Some(dir)), "/a/b/disk.img.guestconv-undo"),
            (undo(disk, None).map(|undo| record(&undo)), "/a/b/disk.img.guestconv-undo.json"),
            (undo(disk, None).map(|undo| draft(&undo)), "/a/b/disk.img.guestconv-undo-draft"),
        ] {
            assert_eq!(place.unwrap(), Path::new(expected));
        }
    }
}
