//! `guestconv undo` and `guestconv discard-undo`: the way back, and its end.

use crate::arguments;
use crate::failure::{DONE, Done};
use crate::job::Job;
use crate::output::{DIM, GOOD, Output};
use crate::timings;
use guestconv::UndoOptions;
use guestconv::core::text::visible;
use std::path::PathBuf;
use std::time::Instant;

/// Undoes a conversion and writes which disks are as they were.
pub(crate) fn run(arguments: &arguments::Undo, output: &mut Output) -> Done {
    let begun = Instant::now();
    let mut job = Job::open(&arguments.guest)?;
    job.guest.undo(&UndoOptions { force: arguments.force })?;
    job.shown.close();
    let took = begun.elapsed().as_secs_f64();
    output.text(&format!("{GOOD}undone{GOOD:#} in {took:.2} s: the disks are what they were\n"))?;
    timings::show(&arguments.guest, &job.guest, false);
    Ok(DONE)
}

/// Removes undo files and writes which.
pub(crate) fn discard(arguments: &arguments::DiscardUndo, output: &mut Output) -> Done {
    let mut job = Job::open(&arguments.guest)?;
    let files = job.guest.undo_files();
    job.guest.discard_undo()?;
    job.shown.close();
    output.text(&format!("{GOOD}removed{GOOD:#}\n{}", lines(&files)))?;
    timings::show(&arguments.guest, &job.guest, false);
    Ok(DONE)
}

/// Returns a line for each undo file.
pub(crate) fn lines(files: &[PathBuf]) -> String {
    files.iter().map(|file| format!("     {DIM}{}{DIM:#}\n", visible(&file.display().to_string()))).collect()
}
