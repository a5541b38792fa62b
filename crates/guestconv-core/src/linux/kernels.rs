//! Installed kernels: from `/boot`, `/lib/modules` and the boot loaders' menus. No package database is needed.

use crate::finding::Finding;
use crate::linux::{Probe, bootloader};
use crate::tree::ReadError;
use serde::{Deserialize, Serialize};

/// One installed kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kernel {
    /// Its version as `uname -r` says it.
    pub version: String,
}

/// Reads the installed kernels, best first.
///
/// # Errors
/// [`ReadError`] if a file that is there cannot be read.
pub fn facts(
    _probe: &Probe<'_>,
    _bootloader: &bootloader::Facts,
    _findings: &mut Vec<Finding>,
) -> Result<Vec<Kernel>, ReadError> {
    Ok(Vec::new())
}
