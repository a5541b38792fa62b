//! `--timings`: where the time went and what was read and written; a table for people, beside `--json` one JSON object.

use crate::arguments;
use crate::event::{DiskDocument, EventDocument, PartDocument};
use crate::inspect::size;
use crate::table;
use guestconv::{Guest, Timings};
use std::io::Write;

/// Writes the times to the standard error, if they are wanted.
pub(crate) fn show(arguments: &arguments::Guest, guest: &Guest, is_json: bool) {
    if !arguments.timings {
        return;
    }
    let timings = guest.timings();
    let disks: Vec<String> = guest.disks().into_iter().map(|disk| disk.name).collect();
    let text = match is_json {
        true => as_document(&timings, &disks).line(),
        false => as_text(&timings, &disks),
    };
    // Times are an extra: if nobody reads them, the command is done all the same.
    drop(std::io::stderr().write_all(text.as_bytes()));
}

/// Returns the times as a line of the kind that `--progress json` writes.
fn as_document<'a>(timings: &'a Timings, disks: &'a [String]) -> EventDocument<'a> {
    let parts = timings.parts.iter().map(|timing| PartDocument {
        stage: timing.stage.name(),
        part: &timing.part,
        seconds: timing.duration.as_secs_f64(),
    });
    let disks = disks.iter().zip(&timings.disks).map(|(disk, traffic)| DiskDocument {
        disk,
        read_bytes: traffic.read_bytes,
        written_bytes: traffic.written_bytes,
        requests: traffic.requests,
        committed_bytes: traffic.committed_bytes,
    });
    EventDocument::Timings { parts: parts.collect(), disks: disks.collect() }
}

fn as_text(timings: &Timings, disks: &[String]) -> String {
    let milliseconds = |seconds: f64| format!("{:9.2} ms", seconds * 1000.0);
    let mut rows: Vec<Vec<String>> = Vec::new();
    for timing in &timings.parts {
        let took = milliseconds(timing.duration.as_secs_f64());
        rows.push(vec![timing.stage.name().to_owned(), timing.part.clone(), took]);
    }
    let total: f64 = timings.parts.iter().map(|timing| timing.duration.as_secs_f64()).sum();
    rows.push(vec!["all".to_owned(), String::new(), milliseconds(total)]);
    let mut text = table::lines(&rows, "");
    let disk = |(disk, traffic): (&String, &guestconv::Traffic)| {
        vec![
            disk.clone(),
            format!("{} read", size(traffic.read_bytes)),
            format!("{} written to overlays", size(traffic.written_bytes)),
            format!("{} requests", traffic.requests),
            format!("{} committed", size(traffic.committed_bytes)),
        ]
    };
    let disks: Vec<Vec<String>> = disks.iter().zip(&timings.disks).map(disk).collect();
    text.push_str(&table::lines(&disks, ""));
    text
}
