//! How a command ends: exit statuses, and errors as people and programs read them.

use anstream::ColorChoice;
use guestconv::core::text::visible;
use guestconv::{Error, ErrorKind};
use serde::Serialize;
use std::error::Error as _;
use std::io::{self, Write};

/// Exit status: what was asked is done.
pub(crate) const DONE: u8 = 0;
/// Exit status: usage, or the caller's document.
pub(crate) const USAGE: u8 = 2;
/// Exit status: the guest did not boot.
pub(crate) const NOT_PROVED: u8 = 5;
/// Exit status: verify found something missing.
pub(crate) const MISSING: u8 = 6;

/// An error as programs read it: one line on the standard error.
#[derive(Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Error"))]
pub(crate) struct ErrorDocument<'a> {
    /// Stable, kebab-case: callers may match on it. All codes are listed in `docs/errors.md`.
    code: &'a str,
    /// What sort of error it is; the exit status says the same, less finely.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = guestconv::ErrorKind::ALL.map(guestconv::ErrorKind::name))))]
    kind: &'static str,
    /// What failed, where, what to do.
    message: String,
}

/// The exit status of a command, or why it ended early.
pub(crate) type Done = guestconv::Result<u8>;

/// Returns the exit status of an error.
pub(crate) fn status(error: &Error) -> u8 {
    match error.kind() {
        ErrorKind::InvalidArgument => USAGE,
        ErrorKind::Guest => 3,
        ErrorKind::Commit => 4,
        ErrorKind::Verify => MISSING,
        ErrorKind::Disk => 7,
        _ => 1,
    }
}

/// Writes an error to the standard error: a line with its code, then its causes as far as it does not name them; or one
/// JSON object.
pub(crate) fn show(error: &Error, is_json: bool, color: ColorChoice) {
    let mut stream = anstream::AutoStream::new(io::stderr().lock(), color);
    let written = match is_json {
        true => {
            let json = as_json(error).to_string();
            stream.write_all(&[crate::output::plain(json.as_bytes()).as_slice(), b"\n"].concat())
        }
        false => stream.write_all(as_text(error).as_bytes()),
    };
    // The exit status tells the rest if nobody reads it.
    drop(written);
}

fn as_json(error: &Error) -> serde_json::Value {
    let document =
        ErrorDocument { code: error.code(), kind: error.kind().name(), message: error.to_string() };
    serde_json::to_value(document).expect("texts are JSON")
}

fn as_text(error: &Error) -> String {
    let (red, dim) = (crate::output::BAD, crate::output::DIM);
    // What a guest says may be in a message: it must not rule the terminal.
    let said_plainly = visible(&error.to_string());
    let mut text = format!("{red}guestconv:{red:#} {said_plainly} {dim}[{}]{dim:#}\n", visible(error.code()));
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !said.contains(&message) {
            text.push_str(&format!("  {dim}because:{dim:#} {}\n", visible(&message)));
        }
        said.push_str(&message);
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_kind_has_its_status() {
        let statuses = [
            (ErrorKind::InvalidArgument, 2),
            (ErrorKind::Disk, 7),
            (ErrorKind::Guest, 3),
            (ErrorKind::Changed, 1),
            (ErrorKind::Appliance, 1),
            (ErrorKind::Io, 1),
            (ErrorKind::Verify, 6),
            (ErrorKind::Commit, 4),
            (ErrorKind::Cancelled, 1),
            (ErrorKind::Bug, 1),
        ];
        assert_eq!(statuses.map(|(kind, _)| kind), ErrorKind::ALL);
        for (kind, expected) in statuses {
            assert_eq!(status(&Error::new(kind, "code", "message")), expected, "{kind:?}");
        }
    }

    #[test]
    fn what_a_guest_says_does_not_rule_the_terminal() {
        let error = Error::new(ErrorKind::Guest, "code", "the guest says \u{1b}]0;x\u{7}\rdone");
        let text = as_text(&error);
        assert!(text.contains("the guest says \\u{1b}]0;x\\u{7}\\rdone"), "{text:?}");
    }

    #[test]
    fn an_error_shows_its_code_and_each_cause_once() {
        let cause = io::Error::other("no space");
        let error = Error::new(ErrorKind::Io, "overlay-failed", "cannot write /a").caused_by(cause);
        let plain = anstream::adapter::strip_str(&as_text(&error)).to_string();
        assert_eq!(plain, "guestconv: cannot write /a [overlay-failed]\n  because: no space\n");
        assert_eq!(
            as_json(&error),
            json!({ "code": "overlay-failed", "kind": "io", "message": "cannot write /a" })
        );
    }
}
