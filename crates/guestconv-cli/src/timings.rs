//! `--timings`: where the time went and what was read and written.

use crate::arguments;
use crate::inspect::size;
use crate::table;
use guestconv::Guest;
use std::io::Write;

/// Writes the times to the standard error, if they are wanted.
pub(crate) fn show(arguments: &arguments::Guest, guest: &Guest) {
    if !arguments.timings {
        return;
    }
    let timings = guest.timings();
    let milliseconds = |seconds: f64| format!("{:9.2} ms", seconds * 1000.0);
    let mut rows: Vec<Vec<String>> = Vec::new();
    for timing in &timings.parts {
        let took = milliseconds(timing.duration.as_secs_f64());
        rows.push(vec![timing.stage.name().to_owned(), timing.part.clone(), took]);
    }
    let total: f64 = timings.parts.iter().map(|timing| timing.duration.as_secs_f64()).sum();
    rows.push(vec!["all".to_owned(), String::new(), milliseconds(total)]);
    let mut text = table::lines(&rows, "");
    let disk = |(disk, traffic): (guestconv::OpenedDisk, &guestconv::Traffic)| {
        vec![
            disk.name,
            format!("{} read", size(traffic.read_bytes)),
            format!("{} written to overlays", size(traffic.written_bytes)),
            format!("{} requests", traffic.requests),
            format!("{} committed", size(traffic.committed_bytes)),
        ]
    };
    let disks: Vec<Vec<String>> = guest.disks().into_iter().zip(&timings.disks).map(disk).collect();
    text.push_str(&table::lines(&disks, ""));
    // Times are an extra: if nobody reads them, the command is done all the same.
    drop(std::io::stderr().write_all(text.as_bytes()));
}
