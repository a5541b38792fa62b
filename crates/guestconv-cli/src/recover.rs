//! `guestconv recover`: what every command does first, and nothing else.

use crate::arguments;
use crate::failure::{DONE, Done};
use crate::job::Job;
use crate::output::{GOOD, Output};
use crate::{timings, undo};
use guestconv::{Finished, Recovery};

/// Repairs what an interrupted conversion left and writes what that was.
pub(crate) fn run(arguments: &arguments::Recover, output: &mut Output) -> Done {
    let job = Job::open(&arguments.guest)?;
    job.shown.close();
    match arguments.json {
        true => output.json(job.guest.recovery())?,
        false => output.text(&page(job.guest.recovery()))?,
    }
    timings::show(&arguments.guest, &job.guest, arguments.json);
    Ok(DONE)
}

fn page(recovery: &Recovery) -> String {
    let mut text = match recovery.finished {
        Some(Finished::Conversion) => {
            format!("{GOOD}finished{GOOD:#}: an interrupted conversion; the disks are converted\n")
        }
        Some(Finished::Undo) => {
            format!(
                "{GOOD}finished{GOOD:#}: an interrupted undo; the disks are what they were before the conversion\n"
            )
        }
        None if recovery.removed.is_empty() => {
            return format!(
                "{GOOD}nothing is to repair{GOOD:#}: no conversion of these disks was interrupted\n"
            );
        }
        None => String::new(),
    };
    if !recovery.removed.is_empty() {
        text.push_str(&format!("{GOOD}removed{GOOD:#}: what a conversion left that had changed no disk\n"));
        text.push_str(&undo::lines(&recovery.removed));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_repaired_is_said() {
        let overlay = vec!["/d.guestconv-overlay".into()];
        for (finished, removed, expected) in [
            (None, vec![], "nothing is to repair: no conversion of these disks was interrupted\n"),
            (
                Some(Finished::Conversion),
                vec![],
                "finished: an interrupted conversion; the disks are converted\n",
            ),
            (
                Some(Finished::Undo),
                vec![],
                "finished: an interrupted undo; the disks are what they were before the conversion\n",
            ),
            (
                None,
                overlay,
                "removed: what a conversion left that had changed no disk\n     /d.guestconv-overlay\n",
            ),
        ] {
            let mut recovery = Recovery::default();
            (recovery.finished, recovery.removed) = (finished, removed);
            assert_eq!(anstream::adapter::strip_str(&page(&recovery)).to_string(), expected);
        }
    }
}
