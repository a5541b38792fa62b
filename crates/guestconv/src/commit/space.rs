//! Whether the host has the room that a conversion in place needs, told before anything is written: for overlays, for undo
//! files, and for disks that grow where they had holes.

use super::{UndoFile, places};
use crate::disks::Disk;
use crate::error::{Error, ErrorKind, Result};
use rustix::fs::statvfs;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Journals, records, maps of images.
const METADATA_BYTES: u64 = 4 << 20;

/// What is kept on one file system.
#[derive(Debug, Default, PartialEq, Eq)]
struct Use {
    /// One of its directories, for people.
    directory: PathBuf,
    has_overlays: bool,
    has_undo_files: bool,
    has_disks: bool,
}

impl Use {
    /// Each kind may have to hold all that is written.
    fn needed_bytes(&self, written_bytes: u64) -> u64 {
        let kinds = [self.has_overlays, self.has_undo_files, self.has_disks];
        let kinds = kinds.into_iter().filter(|is_there| *is_there).count();
        u64::try_from(kinds).unwrap_or(u64::MAX).saturating_mul(written_bytes).saturating_add(METADATA_BYTES)
    }
}

/// Fails if a file system of the host has not the room for a conversion that writes so much.
///
/// # Errors
/// `space-missing`; the errors of the places.
pub(crate) fn require_space(
    disks: &[Disk],
    overlay_dir: Option<&Path>,
    undo: UndoFile,
    written_bytes: u64,
) -> Result<()> {
    for used in uses(disks, overlay_dir, undo)?.values() {
        let there = statvfs(&used.directory).map_err(|error| looked(&used.directory, error.into()))?;
        require_bytes(used, written_bytes, there.f_bavail.saturating_mul(there.f_frsize))?;
    }
    Ok(())
}

/// Returns what each file system, by its device number, is used for.
fn uses(disks: &[Disk], overlay_dir: Option<&Path>, undo: UndoFile) -> Result<BTreeMap<u64, Use>> {
    let mut uses: BTreeMap<u64, Use> = BTreeMap::new();
    let mut note = |file: &Path, tell: fn(&mut Use)| -> Result<()> {
        let directory =
            file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let device = fs::metadata(directory).map_err(|error| looked(directory, error))?.dev();
        let there = uses.entry(device).or_default();
        there.directory = directory.to_owned();
        tell(there);
        Ok(())
    };
    for disk in disks {
        note(&places::overlay(&disk.path, overlay_dir)?, |there| there.has_overlays = true)?;
        if undo == UndoFile::Keep {
            note(&places::undo(&disk.path, overlay_dir)?, |there| there.has_undo_files = true)?;
        }
        if !disk.is_block_device() {
            note(&disk.path, |there| there.has_disks = true)?;
        }
    }
    Ok(uses)
}

fn require_bytes(used: &Use, written_bytes: u64, free_bytes: u64) -> Result<()> {
    let needed_bytes = used.needed_bytes(written_bytes);
    if free_bytes >= needed_bytes {
        return Ok(());
    }
    let message = format!(
        "the file system of {} has {free_bytes} bytes free, and a conversion may need {needed_bytes} there; free some, put \
         overlays elsewhere (--overlay-dir), or write the result into a new image elsewhere (--output)",
        used.directory.display()
    );
    Err(Error::new(ErrorKind::Io, "space-missing", message))
}

fn looked(directory: &Path, error: std::io::Error) -> Error {
    Error::io("overlay-failed", format_args!("look at the directory {}", directory.display()), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_must_have_room_for_all_that_is_kept_there() {
        let used = |has_overlays, has_undo_files, has_disks| Use {
            directory: "/images".into(),
            has_overlays,
            has_undo_files,
            has_disks,
        };
        let mib = 1 << 20;
        for (used, written_bytes, needed_bytes) in [
            (used(true, true, true), 10 * mib, 34 * mib),
            (used(false, true, true), 10 * mib, 24 * mib),
            (used(true, false, false), 10 * mib, 14 * mib),
            (used(true, true, true), u64::MAX, u64::MAX),
        ] {
            assert_eq!(used.needed_bytes(written_bytes), needed_bytes);
            assert!(require_bytes(&used, written_bytes, needed_bytes).is_ok());
            let error = require_bytes(&used, written_bytes, needed_bytes - 1).unwrap_err();
            assert_eq!(error.code(), "space-missing", "{error}");
        }
    }

    #[test]
    fn what_is_on_one_file_system_counts_together() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("disk");
        fs::write(&path, [0; 4096]).unwrap();
        let disks = crate::disks::open(&[crate::DiskSpec::new(&path)]).unwrap();
        for undo in [UndoFile::Keep, UndoFile::Leave] {
            let found = uses(&disks, None, undo).unwrap();
            let expected = Use {
                directory: fs::canonicalize(dir.path()).unwrap(),
                has_overlays: true,
                has_undo_files: undo == UndoFile::Keep,
                has_disks: true,
            };
            assert_eq!(found.into_values().collect::<Vec<_>>(), [expected]);
        }
    }
}
