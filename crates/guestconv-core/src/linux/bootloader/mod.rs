//! Boot loaders.

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

/// Plans what it needs.
pub fn plan(_context: &Context<'_>, _facts: &Facts, _draft: &mut Draft) {}
