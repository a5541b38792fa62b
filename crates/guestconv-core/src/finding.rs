//! What a person should know, as data with a stable code. The library never prints: it returns findings.

use serde::{Deserialize, Serialize};

/// Something that a person should know about a guest or a conversion.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Stable, kebab-case: callers may match on it. All codes are listed in `docs/findings.md`.
    pub code: String,
    /// How much it matters.
    pub severity: Severity,
    /// What was found and what follows: one sentence without a full stop.
    pub text: String,
    /// Which root (by device), file or device of the guest it is about; `None` if the guest as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know; nothing to do.
    Info,
    /// Works, but somebody should look.
    Warning,
    /// This part will not work unless somebody acts.
    Error,
}

impl Finding {
    /// Returns a finding for information.
    pub fn info(code: &str, text: impl Into<String>) -> Self {
        Self::new(code, Severity::Info, text)
    }

    /// Returns a finding that somebody should look at.
    pub fn warning(code: &str, text: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, text)
    }

    /// Returns a finding that needs an act.
    pub fn error(code: &str, text: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, text)
    }

    /// Returns the same finding about `subject`.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    fn new(code: &str, severity: Severity, text: impl Into<String>) -> Self {
        Self { code: code.to_owned(), severity, text: text.into(), subject: None }
    }
}
