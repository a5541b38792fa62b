//! Why an edited document is refused. Each kind of fault has its own code and names the element, so that a caller can
//! point a person at the place.

use serde::{Deserialize, Serialize};

/// A document that is not obeyed. Nothing has been done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{}{message}", self.place())]
pub struct Refusal {
    /// Stable, kebab-case; all codes are listed in `docs/errors.md`.
    pub code: String,
    /// The element by its path: `/guestconv/devices/network[@id='eth0']`.
    pub element: String,
    /// Where it begins in the document, from 1; 0 if the place has no line.
    pub line: u32,
    /// Where it begins in its line, from 1; 0 if the place has no column.
    pub column: u32,
    /// What is wrong with it and what to do.
    pub message: String,
}

impl Refusal {
    /// Returns the place as it begins a message; nothing if it is the whole document.
    fn place(&self) -> String {
        match self.element.as_str() {
            "/" => String::new(),
            element => format!("{element}, line {}, column {}: ", self.line, self.column),
        }
    }
}
