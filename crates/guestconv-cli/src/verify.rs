//! `guestconv verify`: what a conversion would still do.

use crate::arguments;
use crate::failure::{DONE, Done, MISSING};
use crate::job::{Job, Wish};
use crate::output::{BAD, BOLD, GOOD, Output};
use crate::plan::coloured;
use crate::{findings, timings};
use guestconv::core::report::Report;
use guestconv::core::text::visible;

/// Looks at the guest again and writes what is missing.
pub(crate) fn run(arguments: &arguments::Verify, output: &mut Output) -> Done {
    let wish = Wish::read(&arguments.wish)?;
    let mut job = Job::open(&arguments.guest)?;
    let choices = wish.choices(&mut job.guest)?;
    let report = job.guest.verify(&wish.target, &choices, &wish.options)?;
    job.shown.close();
    match arguments.json {
        true => output.json(&report)?,
        false => output.text(&page(&report))?,
    }
    timings::show(&arguments.guest, &job.guest, arguments.json);
    Ok(if report.is_converted() { DONE } else { MISSING })
}

fn page(report: &Report) -> String {
    let target = visible(&report.target);
    let mut text = String::new();
    for step in &report.missing {
        let (id, why) = (visible(&step.id), visible(&step.why));
        text.push_str(&format!("{BAD}missing{BAD:#} {BOLD}{id}{BOLD:#} {why}\n"));
        for change in &step.changes {
            text.push_str(&coloured(&change.to_string()));
        }
    }
    match report.missing.len() {
        0 => text.push_str(&format!("{GOOD}nothing is missing{GOOD:#}: the guest is ready for {target}\n")),
        1 => text.push_str(&format!("{BAD}not ready{BAD:#} for {target}: 1 step is missing\n")),
        steps => text.push_str(&format!("{BAD}not ready{BAD:#} for {target}: {steps} steps are missing\n")),
    }
    text.push_str(&findings::lines(&report.findings));
    text
}
