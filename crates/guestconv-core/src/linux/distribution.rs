//! Which distribution a root is: os-release first, then release files; and what can be told without them.

use crate::linux::Probe;
use crate::tree::ReadError;

/// What a root says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// `ID` of os-release; `unknown` if nothing says.
    pub id: String,
    /// First number of the version.
    pub major: Option<u32>,
    /// Second number of the version.
    pub minor: Option<u32>,
    /// Name for people.
    pub product: String,
    /// libosinfo's short id.
    pub osinfo: Option<String>,
    /// Architecture of its programs.
    pub arch: String,
    /// Host name.
    pub hostname: Option<String>,
}

/// Reads what a root says of itself; `None` if it is no Linux system.
///
/// # Errors
/// [`ReadError`] if a file that is there cannot be read.
pub fn facts(_probe: &Probe<'_>) -> Result<Option<Distribution>, ReadError> {
    Ok(None)
}
