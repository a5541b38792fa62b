//! What a person should know, as data with a stable code. The library never prints: it returns findings.

use crate::text::visible;
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

impl Severity {
    /// Returns its name in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Returns findings for people, under a heading, a line for each, the gravest first; nothing if there are none.
pub fn lines(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return String::new();
    }
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let mut text = String::from("\nfindings\n");
    for finding in sorted {
        let subject = finding.subject.as_ref().map(|subject| format!("{}: ", visible(subject)));
        let (subject, said, code) =
            (subject.unwrap_or_default(), visible(&finding.text), visible(&finding.code));
        text.push_str(&format!("  {:<7} {subject}{said} [{code}]\n", finding.severity.name()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_for_people_are_a_line_each_the_gravest_first() {
        let findings = [
            Finding::info("a-b", "it is\nso"),
            Finding::error("c", "it will not boot").about("/dev/sda1"),
            Finding::warning("d", "somebody should look"),
        ];
        assert_eq!(lines(&[]), "");
        assert_eq!(
            lines(&findings),
            "\nfindings\n  error   /dev/sda1: it will not boot [c]\n  warning somebody should look [d]\n  \
             info    it is\\nso [a-b]\n"
        );
    }
}
