//! `guestconv convert`: plan, apply, verify, commit; then what was done and what the target must give.

use crate::arguments;
use crate::failure::{DONE, Done};
use crate::job::{Job, Wish};
use crate::output::{BOLD, DIM, GOOD, Output};
use crate::plan::coloured;
use crate::{findings, hardware, timings, undo};
use guestconv::core::plan::Plan;
use guestconv::core::report::Outcome;
use guestconv::core::text::visible;
use guestconv::{ConvertOptions, UndoFile};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Converts the guest and writes what was done.
pub(crate) fn run(arguments: &arguments::Convert, output: &mut Output) -> Done {
    let begun = Instant::now();
    let wish = Wish::read(&arguments.wish)?;
    let mut job = Job::open(&arguments.guest)?;
    let choices = wish.choices(&mut job.guest)?;
    let plan = job.guest.plan(&wish.target, &choices, &wish.options)?;
    // Before anything is done: hardware that cannot be written is an error.
    let format = arguments.hardware;
    let machine = format.map(|format| hardware::text(&job.guest, &plan.hardware, format)).transpose()?;
    let undo = if arguments.no_undo { UndoFile::Leave } else { UndoFile::Keep };
    let options = ConvertOptions { choices, plan: wish.options, undo };
    let outcome = job.guest.convert(&plan, &options)?;
    job.shown.close();
    match machine {
        Some(machine) => output.text(&machine)?,
        None if arguments.json => output.json(&outcome)?,
        None => output.text(&page(&plan, &outcome, &job.guest.undo_files(), begun.elapsed()))?,
    }
    timings::show(&arguments.guest, &job.guest, arguments.json);
    Ok(DONE)
}

fn page(plan: &Plan, outcome: &Outcome, undo_files: &[PathBuf], took: Duration) -> String {
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
    if !undo_files.is_empty() {
        text.push_str("guestconv undo brings back the originals, which are kept in\n");
        text.push_str(&undo::lines(undo_files));
    }
    text.push_str(&coloured(&plan.hardware.to_string()));
    text.push_str(&findings::lines(&plan.findings));
    text
}
