//! Findings for people, the gravest first.

use crate::output::{BAD, BOLD, CAUTION, DIM};
use guestconv::core::finding::{Finding, Severity};
use guestconv::core::text::visible;

/// Returns the findings as lines under a heading; nothing if there are none.
pub(crate) fn lines(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return String::new();
    }
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let mut text = format!("\n{BOLD}findings{BOLD:#}\n");
    for finding in sorted {
        let (style, word) = match finding.severity {
            Severity::Error => (BAD, "error"),
            Severity::Warning => (CAUTION, "warning"),
            Severity::Info => (DIM, "info"),
        };
        let subject = finding.subject.as_ref().map(|subject| format!("{}: ", visible(subject)));
        text.push_str(&format!(
            "  {style}{word:<7}{style:#} {}{} {DIM}[{}]{DIM:#}\n",
            subject.unwrap_or_default(),
            visible(&finding.text),
            visible(&finding.code)
        ));
    }
    text
}
