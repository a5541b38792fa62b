//! Initramfs images.

use crate::finding::Finding;
use crate::linux::Probe;
use crate::plan::{Context, Draft};
use crate::tree::ReadError;
use serde::{Deserialize, Serialize};

pub use crate::formats::compressed::Compression;

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
