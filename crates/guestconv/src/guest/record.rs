//! The record of a conversion, and plans that were kept.

use super::{ConvertOptions, DiskHashes, Guest};
use crate::disks::{Access, Disk, DiskSpec, Format, Image, ImageFormat, open_image};
use crate::error::{Error, Result};
use guestconv_core::plan::Plan;
use guestconv_core::record::{Record, RecordDisk, RecordImage};
use guestconv_core::report::Outcome;
use guestconv_core::tree::hex;
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// How much of a disk is hashed at once.
const CHUNK_BYTES: u64 = 4 << 20;

impl Guest {
    /// Returns the record of the last conversion that ended well by this handle.
    pub fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }

    /// Fails unless a plan that was kept is still what this guest needs: then [`Guest::convert`] carries out what was
    /// reviewed, and nothing else.
    ///
    /// # Errors
    /// As [`Guest::plan`]; `plan-outdated`.
    pub fn require_current(&mut self, plan: &Plan) -> Result<()> {
        let now = self.plan(&plan.target, &plan.wishes.devices, &plan.wishes.options())?;
        Ok(plan.require_same(&now)?)
    }

    /// Returns what the disks are now.
    pub(super) fn images(&self, hashes: DiskHashes) -> Result<Vec<RecordImage>> {
        let image = |disk: &Disk| image(&disk.path, disk.kind.name(), &disk.base, hashes);
        self.disks.iter().map(image).collect()
    }

    /// Returns the record of a conversion that has ended.
    pub(super) fn recorded(
        &self,
        plan: &Plan,
        outcome: &Outcome,
        before: Vec<RecordImage>,
        options: &ConvertOptions,
    ) -> Result<Record> {
        let after = match options.output.is_empty() {
            true => self.images(options.disk_hashes)?,
            false => {
                let outputs = self.disks.iter().zip(&options.output);
                outputs.map(|(disk, path)| new_image(disk, path, options)).collect::<Result<_>>()?
            }
        };
        let disks = self.disks.iter().zip(before.into_iter().zip(after));
        let disks =
            disks.map(|(disk, (before, after))| RecordDisk { name: disk.name.clone(), before, after });
        // A clock before 1970 is no clock.
        let ended = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Record::of(plan, outcome, disks.collect(), ended.as_secs()))
    }
}

fn new_image(disk: &Disk, path: &Path, options: &ConvertOptions) -> Result<RecordImage> {
    let format = options.output_format.unwrap_or(disk.output_format());
    let said = match format {
        ImageFormat::Raw => Format::Raw,
        ImageFormat::Qcow2 => Format::Qcow2,
    };
    let opened = open_image(&DiskSpec { format: said, ..DiskSpec::new(path) }, format, Access::Read)?;
    image(path, format.name(), &opened, options.disk_hashes)
}

fn image(path: &Path, format: &str, image: &Image, hashes: DiskHashes) -> Result<RecordImage> {
    let sha256 = match hashes {
        DiskHashes::Leave => None,
        DiskHashes::Make => Some(sha256(image).map_err(|error| {
            Error::io("disk-hash-failed", format_args!("read {} to hash it", path.display()), error)
        })?),
    };
    let path = path.to_string_lossy().into_owned();
    Ok(RecordImage { path, format: format.to_owned(), size_bytes: image.size(), sha256 })
}

fn sha256(image: &Image) -> std::io::Result<String> {
    let (mut hashing, mut offset) = (Sha256::new(), 0);
    let mut buffer = Vec::new();
    while offset < image.size() {
        let count = CHUNK_BYTES.min(image.size() - offset);
        buffer.resize(usize::try_from(count).map_err(std::io::Error::other)?, 0);
        image.read(&mut buffer, offset)?;
        hashing.update(&buffer);
        offset += count;
    }
    Ok(hex(&hashing.finalize()))
}
