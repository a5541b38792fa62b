//! The disks of a guest that is measured, and copies of them.

use crate::{run, undo_file};
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The disks of a guest, and how they are opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Disks {
    /// The images, in the guest's order.
    pub(super) images: Vec<PathBuf>,
    /// Their format as `--format` says it.
    pub(super) format: &'static str,
    /// What else the program is told: keys.
    pub(super) options: &'static [&'static str],
}

impl Disks {
    /// Returns the disks of a test guest.
    pub(super) fn of_guest(name: &str, images: Vec<PathBuf>) -> Disks {
        let options: &[&str] = match name {
            "debian-12-luks" => &["--key", "all:key:guestconv"],
            _ => &[],
        };
        Disks { images, format: "raw", options }
    }

    /// Copies the disks into a directory, holes as holes; what is copied is on the disk before anything is measured, and
    /// still in the page cache.
    pub(super) fn fresh_copy(&self, directory: &Path) -> Result<Disks> {
        let copy = self.in_directory(directory)?;
        for (image, disk) in self.images.iter().zip(&copy.images) {
            undo_file::remove(disk)?;
            run::run(Command::new("cp").args(["--sparse=always", "--reflink=auto"]).arg(image).arg(disk))?;
            let file = File::open(disk).with_context(|| format!("cannot open {}", disk.display()))?;
            file.sync_all().with_context(|| format!("cannot sync {}", disk.display()))?;
        }
        Ok(copy)
    }

    /// Removes the disks and what a conversion left beside them.
    pub(super) fn remove(&self) -> Result<()> {
        for disk in &self.images {
            undo_file::remove(disk)?;
            fs::remove_file(disk).with_context(|| format!("cannot remove {}", disk.display()))?;
        }
        Ok(())
    }

    fn in_directory(&self, directory: &Path) -> Result<Disks> {
        let placed = |image: &PathBuf| Some(directory.join(image.file_name()?));
        let images: Option<Vec<PathBuf>> = self.images.iter().map(placed).collect();
        Ok(Disks { images: images.context("an image has no name")?, ..self.clone() })
    }
}
