//! Lines on the standard error that programs read, one JSON object each: what `--progress json` says, and `--timings`
//! beside `--json`.

use serde::Serialize;

/// A line on the standard error: what `--progress json` says, and `--timings` beside `--json`.
#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Event"))]
pub(crate) enum EventDocument<'a> {
    /// A stage began.
    Started {
        /// `recover`, `inspect`, `apply`, `verify`, `commit`, `undo`, `prove`; there may be more.
        stage: &'a str,
    },
    /// A stage went on.
    Progress {
        /// The stage.
        stage: &'a str,
        /// How much is done, in units of its own.
        done: u64,
        /// How much there is to do.
        total: u64,
    },
    /// A stage ended well.
    Finished {
        /// The stage.
        stage: &'a str,
        /// How long it took.
        seconds: f64,
    },
    /// Something was said that may help to find a fault.
    Log {
        /// What was said.
        text: &'a str,
    },
    /// Where the time went and what was read and written, at the end.
    Timings {
        /// The parts of the stages, in order.
        parts: Vec<PartDocument<'a>>,
        /// The disks, in order.
        disks: Vec<DiskDocument<'a>>,
    },
}

/// How long a part of a stage took.
#[derive(Debug, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Part"))]
pub(crate) struct PartDocument<'a> {
    /// The stage that it is a part of.
    pub(crate) stage: &'a str,
    /// Its name.
    pub(crate) part: &'a str,
    /// How long it took.
    pub(crate) seconds: f64,
}

/// What was read from a disk and written to it.
#[derive(Debug, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Disk"))]
pub(crate) struct DiskDocument<'a> {
    /// The disk's id in the description: `sda`.
    pub(crate) disk: &'a str,
    /// Bytes that the appliance read.
    pub(crate) read_bytes: u64,
    /// Bytes that the appliance wrote into overlays.
    pub(crate) written_bytes: u64,
    /// Requests of the appliance.
    pub(crate) requests: u64,
    /// Bytes that the commit wrote into the disk.
    pub(crate) committed_bytes: u64,
}

impl EventDocument<'_> {
    /// Returns the line, with its end.
    pub(crate) fn line(&self) -> String {
        let object = serde_json::to_string(self).expect("numbers and texts are JSON");
        format!("{object}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line() {
        let part = PartDocument { stage: "apply", part: "write", seconds: 0.25 };
        let disk = DiskDocument {
            disk: "sda",
            read_bytes: 1,
            written_bytes: 2,
            requests: 3,
            committed_bytes: u64::MAX,
        };
        for (event, expected) in [
            (EventDocument::Started { stage: "apply" }, r#"{"event":"started","stage":"apply"}"#),
            (
                EventDocument::Progress { stage: "commit", done: 1, total: 2 },
                r#"{"event":"progress","stage":"commit","done":1,"total":2}"#,
            ),
            (
                EventDocument::Finished { stage: "commit", seconds: 1.5 },
                r#"{"event":"finished","stage":"commit","seconds":1.5}"#,
            ),
            (EventDocument::Log { text: "a\n\u{1b}b" }, r#"{"event":"log","text":"a\n\u001bb"}"#),
            (
                EventDocument::Timings { parts: vec![part], disks: vec![disk] },
                r#"{"event":"timings","parts":[{"stage":"apply","part":"write","seconds":0.25}],"disks":[{"disk":"sda","read_bytes":1,"written_bytes":2,"requests":3,"committed_bytes":18446744073709551615}]}"#,
            ),
        ] {
            assert_eq!(event.line(), format!("{expected}\n"));
        }
    }
}
