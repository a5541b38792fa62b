//! The undo file of a disk whose conversion nobody wants back: a fresh copy takes the disk's place.

use anyhow::{Context, Result};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// Removes the undo file of a disk, if there is one.
pub(crate) fn remove(disk: &Path) -> Result<()> {
    for suffix in [".guestconv-undo.json", ".guestconv-undo"] {
        let mut path = disk.as_os_str().to_owned();
        path.push(suffix);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", Path::new(&path).display()));
            }
            _ => {}
        }
    }
    Ok(())
}
