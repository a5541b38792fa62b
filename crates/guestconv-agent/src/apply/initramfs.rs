//! Appending to an initramfs: the core builds the segment from the guest's modules, and it is put behind the file's end.

use super::files::{Files, changed, unreadable};
use crate::start::failure;
use guestconv_core::change::InitramfsAppend;
use guestconv_core::report::Failure;
use guestconv_core::tree::hash;

/// Appends a segment.
pub(super) fn append(files: &Files, append: &InitramfsAppend) -> Result<(), Failure> {
    if hash(files.tree(), &append.path).map_err(unreadable)?.as_ref() != Some(&append.before) {
        return Err(changed(&append.path, "it is not the initramfs that it was when it was looked at"));
    }
    Err(failure("request-failed", "this agent cannot append to an initramfs"))
}
