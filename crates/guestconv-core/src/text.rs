//! Text files of a guest as facts carry them: content included, so that planning needs no second look at the guest.

use crate::change::Change;
use crate::path::GuestPath;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A text file of a guest with its content, in which [`crate::secret`] stands for what nobody should read. `Debug` shows no
/// content: what is no secret by its form may be one.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TextFile {
    /// Where it is in its root.
    pub path: GuestPath,
    /// Its content, byte for byte but for its secrets.
    pub text: String,
    /// Permission bits.
    pub mode: u32,
}

impl TextFile {
    /// Returns a text file of this content.
    pub fn new(path: GuestPath, text: impl Into<String>, mode: u32) -> Self {
        Self { path, text: text.into(), mode }
    }

    /// Returns the change that gives this file the text `after`; `None` if that is what it holds.
    pub fn become_text(&self, after: impl Into<String>) -> Option<Change> {
        let after = after.into();
        (after != self.text).then(|| Change::Write {
            path: self.path.clone(),
            before: Some(self.text.clone()),
            after,
            mode: None,
        })
    }
}

impl fmt::Debug for TextFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TextFile({}, {} bytes)", self.path, self.text.len())
    }
}

/// Returns what a guest says as it may be shown on a terminal: control characters are written out, so that they move no
/// cursor and end no line.
pub fn visible(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}
