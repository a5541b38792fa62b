//! Appending to an initramfs: the core builds the segment from the guest's modules, and it is put behind the file's end,
//! in its place: `/boot` has rarely room for a second one.

use super::files::{Files, changed, unreadable};
use guestconv_core::change::{FileHash, InitramfsAppend};
use guestconv_core::linux::initramfs::segment;
use guestconv_core::report::Failure;
use guestconv_core::tree::{GuestTree, hashing};

/// The most bytes of a kernel module or of an index of modules.
const CAP_MODULE_BYTES: u64 = 64 << 20;

/// Appends a segment; returns what the file holds now.
pub(super) fn append(files: &Files, append: &InitramfsAppend) -> Result<FileHash, Failure> {
    let path = &append.path;
    let there = hashing(files.tree(), path).map_err(unreadable)?;
    let there = there.filter(|there| there.clone().finish() == append.before);
    let mut now =
        there.ok_or_else(|| changed(path, "it is not the initramfs that it was when it was looked at"))?;
    let segment = segment::build(append, &mut |module| {
        Ok(files.tree().read(module, CAP_MODULE_BYTES)?.unwrap_or_default())
    })?;
    files.extend(path, &segment)?;
    now.update(&segment);
    Ok(now.finish())
}
