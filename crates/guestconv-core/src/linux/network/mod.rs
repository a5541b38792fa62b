//! Network interfaces.

use crate::finding::Finding;
use crate::linux::Probe;
use crate::plan::{Context, Draft};
use crate::tree::ReadError;
use serde::{Deserialize, Serialize};

/// What is known of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The interfaces that the guest configures or names, in the order in which the source numbered them.
    #[serde(default)]
    pub interfaces: Vec<Interface>,
}

/// A network interface that the guest knows by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interface {
    /// Its name in the guest: `eth0`.
    pub name: String,
    /// The MAC address that the guest's files say it has, lower case with colons; `None` if they say none.
    pub mac: Option<String>,
}

/// Reads what is known of it.
///
/// # Errors
/// [`ReadError`] if a file that is there cannot be read.
pub fn facts(_probe: &Probe<'_>, _findings: &mut Vec<Finding>) -> Result<Facts, ReadError> {
    Ok(Facts::default())
}

/// Plans what it needs.
pub fn plan(_context: &Context<'_>, _facts: &Facts, _draft: &mut Draft) {}
