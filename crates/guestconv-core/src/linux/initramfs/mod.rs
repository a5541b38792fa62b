//! Initramfs images.

use crate::finding::Finding;
use crate::linux::Probe;
use crate::plan::{Context, Draft};
use crate::tree::ReadError;
use serde::{Deserialize, Serialize};

/// What is known of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {}

/// Reads what is known of it.
///
/// # Errors
/// [`ReadError`] if a file that is there cannot be read.
pub fn facts(_probe: &Probe<'_>, _findings: &mut Vec<Finding>) -> Result<Facts, ReadError> {
    Ok(Facts {})
}

/// How a segment of an initramfs is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// Not at all: plain cpio.
    None,
    /// gzip.
    Gzip,
    /// bzip2.
    Bzip2,
    /// Old lzma.
    Lzma,
    /// xz.
    Xz,
    /// lzop.
    Lzo,
    /// lz4, legacy frame.
    Lz4,
    /// zstd.
    Zstd,
}

/// Plans what the initramfs images need.
///
/// # Errors
/// [`crate::plan::PlanError`] if no kernel can reach its root on the target.
pub fn plan(
    _context: &Context<'_>,
    _facts: &crate::linux::Facts,
    _draft: &mut Draft,
) -> Result<(), crate::plan::PlanError> {
    Ok(())
}
