//! upstart: a job per terminal, `/etc/init/ttyS0.conf`. RHEL 6 has one job that follows the kernel's consoles,
//! `serial.conf`, and needs nothing.

use super::{Facts, is_serial};
use crate::change::{Before, Change};
use crate::path::guest_path;
use crate::plan::StepDraft;
use crate::text::TextFile;
use crate::tree::{GuestTree, ReadError};

/// Returns the jobs that start a login on serial terminals, one or all.
pub(super) fn jobs(tree: &dyn GuestTree) -> Result<Vec<TextFile>, ReadError> {
    let dir = guest_path("/etc/init");
    let mut jobs = Vec::new();
    for name in tree.list(&dir)? {
        if name.strip_suffix(".conf").is_some_and(|job| is_serial(job) || job == "serial") {
            jobs.extend(tree.text(&dir.join(&name))?);
        }
    }
    Ok(jobs)
}

fn terminal_of(job: &TextFile) -> &str {
    job.path.file_name().trim_end_matches(".conf")
}

/// Moves the login to `terminal`: the job of another is renamed and edited, or a job is added.
pub(super) fn plan(step: &mut StepDraft<'_>, facts: &Facts, terminal: Option<&str>) {
    let mut has =
        facts.jobs.iter().any(|job| terminal_of(job) == "serial" || Some(terminal_of(job)) == terminal);
    let others =
        facts.jobs.iter().filter(|job| is_serial(terminal_of(job)) && Some(terminal_of(job)) != terminal);
    for job in others {
        step.push(Change::Remove { path: job.path.clone(), before: Before::Text(job.text.clone()) });
        if let Some(terminal) = terminal.filter(|_| !has) {
            has = true;
            let path = job.path.parent().join(&format!("{terminal}.conf"));
            step.write(&path, None, &job.text.replace(terminal_of(job), terminal), job.mode);
        }
    }
    if let Some((terminal, getty)) = terminal.zip(facts.getty.as_ref()).filter(|_| !has) {
        let text = format!(
            "# {terminal}: a login on the serial console\n\nstart on stopped rc RUNLEVEL=[2345]\nstop on runlevel \
             [!2345]\n\nrespawn\nexec {getty} -L 115200 {terminal} vt102\n"
        );
        step.write(&guest_path("/etc/init").join(&format!("{terminal}.conf")), None, &text, 0o644);
    }
}
