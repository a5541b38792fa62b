//! `--timings`: where the time went and what was read and written; a table for people, beside `--json` one JSON object.

use crate::arguments;
use crate::inspect::size;
use crate::table;
use guestconv::{Guest, Timings};
use serde_json::{Value, json};
use std::io::Write;

/// Writes the times to the standard error, if they are wanted.
pub(crate) fn show(arguments: &arguments::Guest, guest: &Guest, is_json: bool) {
    if !arguments.timings {
        return;
    }
    let timings = guest.timings();
    let disks: Vec<String> = guest.disks().into_iter().map(|disk| disk.name).collect();
    let text = match is_json {
        true => format!("{}\n", as_json(&timings, &disks)),
        false => as_text(&timings, &disks),
    };
    // Times are an extra: if nobody reads them, the command is done all the same.
    drop(std::io::stderr().write_all(text.as_bytes()));
}

/// Returns the times as one object of the kind that `--progress json` writes.
fn as_json(timings: &Timings, disks: &[String]) -> Value {
    let parts = timings.parts.iter().map(|timing| {
        json!({
            "stage": timing.stage.name(),
            "part": timing.part,
            "seconds": timing.duration.as_secs_f64(),
        })
    });
    let disks = disks.iter().zip(&timings.disks).map(|(disk, traffic)| {
        json!({
            "disk": disk,
            "read_bytes": traffic.read_bytes,
            "written_bytes": traffic.written_bytes,
            "requests": traffic.requests,
            "committed_bytes": traffic.committed_bytes,
        })
    });
    json!({
        "event": "timings",
        "parts": parts.collect::<Vec<_>>(),
        "disks": disks.collect::<Vec<_>>(),
    })
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
