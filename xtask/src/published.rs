//! Files that are made from the program's own definitions and checked in, so that whoever reads the checkout sees them.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// A file and what it must hold.
pub(crate) type Made = (PathBuf, String);

/// Writes each file that has changed and prints its name.
pub(crate) fn write(files: &[Made]) -> Result<()> {
    for (path, text) in files {
        if fs::read_to_string(path).is_ok_and(|old| old == *text) {
            continue;
        }
        let directory = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}

/// Asserts that a directory holds these of the files and nothing else.
///
/// # Panics
/// If one is out of date or one too many, with the task that makes them.
#[cfg(test)]
pub(crate) fn assert_current(directory: &Path, files: &[Made], task: &str) {
    let mut expected = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| path.starts_with(directory)) {
        let published = fs::read_to_string(path).unwrap_or_default();
        assert!(published == *text, "{} is out of date; run: cargo xtask {task}", path.display());
        expected.push(path.clone());
    }
    let mut there: Vec<PathBuf> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    there.sort();
    expected.sort();
    assert_eq!(there, expected, "{} holds what cargo xtask {task} makes", directory.display());
}
