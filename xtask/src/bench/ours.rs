//! guestconv's own commands on a guest, and whether they did what they are measured for.

use super::disks::Disks;
use super::measure::{How, Run, Sampling, measure};
use super::parts::Timings;
use crate::run;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// What every guest is converted for: the same target as the peer's.
pub(super) const TARGET: &str = "kvm";
/// The card of the target, for the guest's one interface.
const NIC: &str = "52:54:00:12:34:56";
/// Longer than the program's own limits.
const LIMIT: Duration = Duration::from_secs(600);
/// Often enough for what takes a tenth of a second.
const SAMPLING: Sampling = Sampling::Every(Duration::from_millis(2));

/// A command of guestconv that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    /// What the guest is.
    Inspect,
    /// What would be done.
    Plan,
    /// It is done.
    Convert,
    /// It is asked for again: nothing is to do.
    ConvertAgain,
    /// It is taken back.
    Undo,
}

impl Job {
    /// Returns its name in tables.
    pub(super) fn name(self) -> &'static str {
        match self {
            Job::Inspect => "inspect",
            Job::Plan => "plan",
            Job::Convert => "convert",
            Job::ConvertAgain => "convert again",
            Job::Undo => "undo",
        }
    }

    /// Does it need disks that no other run has written?
    pub(super) fn writes(self) -> bool {
        matches!(self, Job::Convert | Job::Undo)
    }

    /// Does it look at the guest, and tell where its time goes?
    pub(super) fn looks(self) -> bool {
        self != Job::Undo
    }

    fn subcommand(self) -> &'static str {
        match self {
            Job::Inspect => "inspect",
            Job::Plan => "plan",
            Job::Convert | Job::ConvertAgain => "convert",
            Job::Undo => "undo",
        }
    }

    /// Fails if the run did not do what it is measured for.
    fn check(self, stdout: &str) -> Result<()> {
        #[derive(Deserialize)]
        struct Said {
            #[serde(default)]
            roots: Vec<serde::de::IgnoredAny>,
            #[serde(default)]
            steps: Vec<serde::de::IgnoredAny>,
        }
        if !self.looks() {
            // It fails if it did not do it.
            return Ok(());
        }
        let said: Said = serde_json::from_str(stdout).context("its output is no document of ours")?;
        match self {
            Job::Inspect if said.roots.is_empty() => bail!("it found no system"),
            Job::Plan | Job::Convert if said.steps.is_empty() => bail!("it found nothing to do"),
            Job::ConvertAgain if !said.steps.is_empty() => bail!("it found something to do again"),
            _ => Ok(()),
        }
    }
}

/// The program, and where it works.
pub(super) struct Guestconv {
    /// The program.
    pub(super) program: PathBuf,
    /// The appliance's directory.
    pub(super) appliance: PathBuf,
    /// A directory for what it says.
    pub(super) scratch: PathBuf,
}

/// A run of guestconv, with what it says of itself.
pub(super) struct OurRun {
    /// From outside.
    pub(super) run: Run,
    /// From inside.
    pub(super) timings: Timings,
}

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Its time; nothing disturbs it.
    Time,
    /// Its memory; its time does not count.
    Memory,
}

impl Guestconv {
    /// Does the job on the disks, once.
    ///
    /// # Errors
    /// If it fails, or does not do what it is measured for.
    pub(super) fn run(&self, job: Job, disks: &Disks, purpose: Purpose) -> Result<OurRun> {
        let mut command = Command::new(&self.program);
        command.env("GUESTCONV_APPLIANCE", &self.appliance).arg(job.subcommand()).args(&disks.images);
        command.args(["--format", disks.format, "--progress", "none"]);
        if job.looks() {
            command.args(["--json", "--timings"]).args(disks.options);
        }
        // Without a target inspection gives all that it has found.
        if job.looks() && job != Job::Inspect {
            command.args(["--target", TARGET, "--nic", NIC]);
        }
        let sampling = match purpose {
            Purpose::Time => Sampling::None,
            Purpose::Memory => SAMPLING,
        };
        let run = measure(&mut command, &How { sampling, limit: LIMIT, scratch: &self.scratch })?;
        let failed = || run::shown_as(&command);
        if !run.status.success() {
            bail!("{} ended with {}: {}", failed(), run.status, run.stderr.trim());
        }
        job.check(&run.stdout).with_context(failed)?;
        let timings = match job.looks() {
            true => Timings::read(&run.stderr).with_context(failed)?,
            false => Timings::default(),
        };
        Ok(OurRun { run, timings })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_did_not_do_its_job_is_told() {
        let (nothing, something) = (r#"{"roots":[],"steps":[]}"#, r#"{"roots":[{}],"steps":[{}],"more":1}"#);
        for (job, stdout, expected) in [
            (Job::Inspect, something, ""),
            (Job::Inspect, nothing, "it found no system"),
            (Job::Plan, something, ""),
            (Job::Plan, nothing, "it found nothing to do"),
            (Job::Convert, something, ""),
            (Job::Convert, nothing, "it found nothing to do"),
            (Job::ConvertAgain, nothing, ""),
            (Job::ConvertAgain, something, "it found something to do again"),
            (Job::Plan, "", "its output is no document of ours"),
            (Job::Undo, "undone", ""),
        ] {
            let said = job.check(stdout).err().map(|error| error.to_string()).unwrap_or_default();
            assert_eq!(said, expected, "{job:?} {stdout}");
        }
    }
}
