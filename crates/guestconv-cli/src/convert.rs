//! `guestconv convert`: plan, apply, verify, commit; then what was done and what the target must give.

use crate::arguments::{self, OutputFormat};
use crate::failure::{DONE, Done};
use crate::job::{Job, Wish};
use crate::output::{BOLD, DIM, GOOD, Output};
use crate::plan::coloured;
use crate::record::RecordFile;
use crate::{findings, hardware, timings, undo};
use guestconv::core::plan::Plan;
use guestconv::core::report::Outcome;
use guestconv::core::text::visible;
use guestconv::{ConvertOptions, DiskHashes, ImageFormat, UndoFile};
use std::time::{Duration, Instant};

/// Converts the guest and writes what was done.
pub(crate) fn run(arguments: &arguments::Convert, output: &mut Output) -> Done {
    let begun = Instant::now();
    let wish = Wish::read(&arguments.wish)?;
    let mut job = Job::open(&arguments.guest)?;
    if arguments.output.is_empty() {
        job.guest.require_in_place()?;
    }
    let plan = wish.plan(&mut job.guest)?;
    // Before anything is done: hardware that cannot be written is an error.
    let format = arguments.hardware;
    let machine = format.map(|format| hardware::text(&job.guest, &plan.hardware, format)).transpose()?;
    let undo = if arguments.no_undo { UndoFile::Leave } else { UndoFile::Keep };
    let output_format = arguments.output_format.map(|format| match format {
        OutputFormat::Raw => ImageFormat::Raw,
        OutputFormat::Qcow2 => ImageFormat::Qcow2,
    });
    let options = ConvertOptions {
        undo,
        output: arguments.output.clone(),
        output_format,
        disk_hashes: if arguments.hash_disks { DiskHashes::Make } else { DiskHashes::Leave },
    };
    let record = arguments.record.as_deref().map(RecordFile::new).transpose()?;
    let outcome = job.guest.convert(&plan, &options)?;
    job.shown.close();
    if let (Some(file), Some(record)) = (record, job.guest.record()) {
        file.write(record)?;
    }
    match machine {
        Some(machine) => output.text(&machine)?,
        None if arguments.json => output.json(&outcome)?,
        None => output.text(&page(&plan, &outcome, &left(arguments, &job), begun.elapsed()))?,
    }
    timings::show(&arguments.guest, &job.guest, arguments.json);
    Ok(DONE)
}

/// Returns what people read of the files that are left.
fn left(arguments: &arguments::Convert, job: &Job) -> String {
    let undo_files = job.guest.undo_files();
    if !arguments.output.is_empty() {
        return format!("the result is in\n{}", undo::lines(&arguments.output));
    }
    if undo_files.is_empty() {
        return String::new();
    }
    format!("guestconv undo brings back the originals, which are kept in\n{}", undo::lines(&undo_files))
}

fn page(plan: &Plan, outcome: &Outcome, left: &str, took: Duration) -> String {
    let mut text = String::new();
    for (step, done) in plan.steps.iter().zip(&outcome.steps) {
        let (id, why) = (visible(&step.id), visible(&step.why));
        text.push_str(&format!("{GOOD}done{GOOD:#} {BOLD}{id}{BOLD:#} {why}\n"));
        for file in &done.files {
            text.push_str(&format!("     {DIM}{}{DIM:#}\n", visible(file.path.as_str())));
        }
    }
    let target = visible(&plan.target);
    let took = took.as_secs_f64();
    match outcome.steps.len() {
        0 => text.push_str(&format!("{GOOD}nothing is to do{GOOD:#}: the guest is ready for {target}\n")),
        1 => text.push_str(&format!("{GOOD}converted{GOOD:#} for {target} in {took:.2} s: 1 step\n")),
        steps => {
            text.push_str(&format!("{GOOD}converted{GOOD:#} for {target} in {took:.2} s: {steps} steps\n"))
        }
    }
    text.push_str(left);
    text.push_str(&coloured(&plan.hardware.to_string()));
    text.push_str(&findings::lines(&plan.findings));
    text
}
