//! Findings for people, in colours: a line begins with its severity and ends with its code.

use crate::output::{BAD, BOLD, CAUTION, DIM};
use guestconv::core::finding::{self, Finding, Severity};

/// Returns the findings as lines under a heading; nothing if there are none.
pub(crate) fn lines(findings: &[Finding]) -> String {
    let mut text = String::new();
    for line in finding::lines(findings).lines() {
        text.push_str(&coloured(line));
        text.push('\n');
    }
    text
}

fn coloured(line: &str) -> String {
    let styles = [(Severity::Error, BAD), (Severity::Warning, CAUTION), (Severity::Info, DIM)];
    for (severity, style) in styles {
        let begin = format!("  {:<7}", severity.name());
        if let Some((said, code)) = line.strip_prefix(&begin).and_then(|rest| rest.rsplit_once(" [")) {
            return format!("  {style}{:<7}{style:#}{said} {DIM}[{code}{DIM:#}", severity.name());
        }
    }
    if line.is_empty() { String::new() } else { format!("{BOLD}{line}{BOLD:#}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_change_no_character() {
        let findings = [
            Finding::info("a-b", "it is [so]"),
            Finding::error("c", "it will not boot").about("/dev/sda1"),
            Finding::warning("d", "look"),
        ];
        let text = lines(&findings);
        assert_eq!(anstream::adapter::strip_str(&text).to_string(), finding::lines(&findings));
        assert_eq!([BAD, CAUTION, BOLD].map(|style| text.matches(&style.to_string()).count()), [1, 1, 1]);
        assert_eq!(text.matches(&DIM.to_string()).count(), 4);
        assert_eq!(lines(&[]), "");
    }
}
