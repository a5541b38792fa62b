//! `guestconv plan`: every change as a diff with its reason, and the hardware that the target must give.

use crate::arguments;
use crate::failure::{DONE, Done};
use crate::job::{Job, Wish};
use crate::output::{BAD, BOLD, DIM, GOOD, MARK, Output};
use crate::{findings, hardware, timings};

/// Plans and writes the plan.
pub(crate) fn run(arguments: &arguments::Plan, output: &mut Output) -> Done {
    let wish = Wish::read(&arguments.wish)?;
    let mut job = Job::open(&arguments.guest)?;
    let plan = wish.plan(&mut job.guest)?;
    job.shown.close();
    match arguments.hardware {
        Some(format) => output.text(&hardware::text(&job.guest, &plan.hardware, format)?)?,
        None if arguments.json => output.text(&plan.to_document())?,
        None => output.text(&(coloured(&plan.to_string()) + &findings::lines(&plan.findings)))?,
    }
    timings::show(&arguments.guest, &job.guest, arguments.json);
    Ok(DONE)
}

/// Returns a displayed plan in colours: its lines are told by how they begin.
pub(crate) fn coloured(plan: &str) -> String {
    let mut text = String::new();
    for line in plan.lines() {
        let style = match line {
            line if line.starts_with("# ") && !line.starts_with("#  ") => BOLD,
            line if line.starts_with('#') => DIM,
            line if line.starts_with("+++") || line.starts_with("---") => BOLD,
            line if line.starts_with('+') => GOOD,
            line if line.starts_with('-') => BAD,
            line if line.starts_with("@@") => MARK,
            line => {
                text.push_str(line);
                text.push('\n');
                continue;
            }
        };
        text.push_str(&format!("{style}{line}{style:#}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_change_no_character() {
        let plan = "# a/b: why\n#   module x\n--- /a\n+++ /a\n@@ -1 +1 @@\n-x\n+y\n z\n\n";
        let text = coloured(plan);
        assert_eq!(anstream::adapter::strip_str(&text).to_string(), plan);
        assert_eq!(text.matches("\u{1b}[32m").count(), 1);
        assert_eq!(text.matches("\u{1b}[31m").count(), 1);
    }
}
