//! The file that `convert --record` writes. It is made before the conversion begins, so that a place where it cannot be is
//! told in time, and goes if the conversion fails.

use guestconv::core::record::Record;
use guestconv::{Error, ErrorKind, Result};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A record's file, empty until it is written.
pub(crate) struct RecordFile {
    path: PathBuf,
    file: File,
    is_written: bool,
}

impl RecordFile {
    /// Makes the file.
    ///
    /// # Errors
    /// `record-failed` if something has that name, or it cannot be made.
    pub(crate) fn new(path: &Path) -> Result<Self> {
        let file = File::create_new(path).map_err(|error| {
            let message = format!(
                "cannot make the record {}: {error}; name a new file in a directory that is there",
                path.display()
            );
            Error::new(ErrorKind::InvalidArgument, "record-failed", message).caused_by(error)
        })?;
        Ok(Self { path: path.to_owned(), file, is_written: false })
    }

    /// Writes the record, durably.
    ///
    /// # Errors
    /// `record-failed`: the conversion is done all the same.
    pub(crate) fn write(mut self, record: &Record) -> Result<()> {
        let written = serde_json::to_vec_pretty(record).map_err(io::Error::from).and_then(|mut text| {
            text.push(b'\n');
            self.file.write_all(&text)?;
            self.file.sync_all()
        });
        written.map_err(|error| {
            let message = format!(
                "the guest is converted, and its record {} cannot be written: {error}",
                self.path.display()
            );
            Error::new(ErrorKind::Io, "record-failed", message).caused_by(error)
        })?;
        self.is_written = true;
        Ok(())
    }
}

impl Drop for RecordFile {
    fn drop(&mut self) {
        if !self.is_written {
            // It is empty, or half a record: of no use to anybody.
            drop(fs::remove_file(&self.path));
        }
    }
}
