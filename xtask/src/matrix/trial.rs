//! What becomes of one row: it is inspected, converted and looked at again, by means that are not guestconv's.

use super::build::{self, Listing, Made};
use super::row::{Expect, Row};
use crate::bench::measure::{How, Run, Sampling, measure};
use crate::hostile::judge::{self, Form, Said, Time};
use crate::run;
use anyhow::{Context, Result, bail, ensure};
use guestconv_core::plan::Plan;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What every row is converted for.
const TARGET: [&str; 2] = ["--target", "kvm"];
/// Much longer than a command may take.
const LIMIT: Duration = Duration::from_secs(120);
/// How often memory is looked at.
const SAMPLING: Sampling = Sampling::Every(Duration::from_millis(20));

/// What commands are run with.
pub(super) struct Bench<'a> {
    /// The program.
    pub(super) program: &'a Path,
    /// The directory of the appliance.
    pub(super) appliance: &'a Path,
}

/// What became of a row.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// How the conversion ended: `done`, or a code.
    pub(super) end: String,
    /// The codes of what the inspection found.
    pub(super) findings: Vec<String>,
    /// How many names were compared, and how many of them the plan names.
    pub(super) names: usize,
    pub(super) planned: usize,
    /// What inspection and conversion took, in seconds.
    pub(super) inspect_seconds: f64,
    pub(super) convert_seconds: f64,
    /// The most memory of any command, in bytes.
    pub(super) memory_bytes: u64,
}

/// Tries a row in an empty directory.
///
/// # Errors
/// If what must come of it did not; then with what is different.
pub(super) fn tried(row: &Row, bench: &Bench<'_>, scratch: &Path) -> Result<Outcome> {
    let made = build::made(row)?;
    let work = scratch.join("disks");
    fs::create_dir(&work)?;
    let mut disks = Vec::new();
    for disk in &made.disks {
        let copy = work.join(disk.file_name().context("a disk has a name")?);
        run::run(Command::new("cp").arg("--sparse=always").arg(disk).arg(&copy))?;
        disks.push(copy);
    }
    let mut trial = Trial { row, bench, scratch, disks, outcome: Outcome::default() };
    trial.run(&made)?;
    Ok(trial.outcome)
}

struct Trial<'a> {
    row: &'a Row,
    bench: &'a Bench<'a>,
    scratch: &'a Path,
    disks: Vec<PathBuf>,
    outcome: Outcome,
}

impl Trial<'_> {
    fn run(&mut self, made: &Made) -> Result<()> {
        let (took, facts) = self.command("inspect", &["--json"])?;
        self.outcome.inspect_seconds = took;
        self.outcome.findings = judge::findings(&facts);
        match self.row.expect {
            Expect::Refused(code, findings) => self.refused(made, code, findings),
            Expect::Converted(findings) => {
                self.has(findings)?;
                self.converted(made, None)
            }
            Expect::Copied => self.copied(made),
        }
    }

    fn refused(&mut self, made: &Made, code: &str, findings: &[&str]) -> Result<()> {
        self.has(findings)?;
        let (_, said) = self.command("convert", &TARGET)?;
        ensure!(said.end == code, "it is refused with {}, not {code}: {}", said.end, said.stderr.trim());
        self.outcome.end = said.end;
        self.is_as_made(made)
    }

    fn copied(&mut self, made: &Made) -> Result<()> {
        let (_, said) = self.command("convert", &TARGET)?;
        ensure!(said.end == "output-needed", "in place it ends with {}: {}", said.end, said.stderr.trim());
        let output = self.scratch.join("output.raw");
        self.converted(made, Some(&output))?;
        self.is_as_made(made)
    }

    fn converted(&mut self, made: &Made, output: Option<&Path>) -> Result<()> {
        let (_, planned) = self.command("plan", &[&TARGET[..], &["--json"]].concat())?;
        ensure!(
            planned.end == judge::DONE,
            "it is not planned for: {} {}",
            planned.end,
            planned.stderr.trim()
        );
        let plan: Plan = serde_json::from_str(&planned.stdout).context("the plan cannot be read")?;
        ensure!(!plan.steps.is_empty(), "it plans to nothing");
        let mut arguments: Vec<&str> = TARGET.to_vec();
        let shown = output.map(|output| output.display().to_string());
        if let Some(output) = &shown {
            arguments.extend(["--output", output, "--output-format", "raw"]);
        }
        let (took, said) = self.command("convert", &arguments)?;
        ensure!(said.end == judge::DONE, "it is not converted: {} {}", said.end, said.stderr.trim());
        (self.outcome.end, self.outcome.convert_seconds) = (said.end, took);
        if let Some(output) = output {
            self.disks = vec![output.to_owned()];
        }
        let (_, again) = self.command("plan", &[&TARGET[..], &["--json"]].concat())?;
        let again: Plan = serde_json::from_str(&again.stdout).context("the second plan cannot be read")?;
        ensure!(again.steps.is_empty(), "converted, it plans to {} steps", again.steps.len());
        if output.is_none() {
            self.undone(made)?;
        }
        let after = build::looked_at(self.row, &self.raw()?, self.scratch)?;
        self.compare(&made.listing, &after, &named(&plan))
    }

    /// Undoes, compares the disks bit for bit, and converts again.
    fn undone(&mut self, made: &Made) -> Result<()> {
        let (_, said) = self.command("undo", &[])?;
        ensure!(said.end == judge::DONE, "it is not undone: {} {}", said.end, said.stderr.trim());
        match self.row.image {
            "" => self.is_as_made(made)?,
            // A qcow2 keeps the clusters that it got; what the guest sees is what it was.
            _ => self.holds_as_made(made)?,
        }
        let (_, said) = self.command("convert", &TARGET)?;
        ensure!(said.end == judge::DONE, "undone, it is not converted: {} {}", said.end, said.stderr.trim());
        Ok(())
    }

    fn compare(&mut self, before: &Listing, after: &Listing, planned: &BTreeSet<String>) -> Result<()> {
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let differs = |name: &&&String| before.get(**name) != after.get(**name);
        let is_planned = |name: &&String| planned.contains(*name);
        let differing: Vec<&String> = names.iter().filter(differs).copied().collect();
        (self.outcome.names, self.outcome.planned) =
            (names.len(), differing.iter().filter(|name| is_planned(name)).count());
        let nothing = "nothing\n".to_owned();
        let shown: Vec<String> = differing
            .iter()
            .filter(|name| !is_planned(name))
            .take(5)
            .map(|name| {
                let said = |listing: &Listing| listing.get(*name).unwrap_or(&nothing).clone();
                format!("{name}:\n{}--- afterwards\n{}", said(before), said(after))
            })
            .collect();
        ensure!(shown.is_empty(), "what the plan does not name is not as it was:\n{}", shown.join("\n"));
        ensure!(before.len() > 200, "only {} names were listed", before.len());
        ensure!(self.outcome.planned > 0, "nothing has changed");
        Ok(())
    }

    fn has(&self, expected: &[&str]) -> Result<()> {
        let found = &self.outcome.findings;
        match expected.iter().find(|code| !found.iter().any(|found| found == *code)) {
            Some(code) => bail!("there is no finding {code}, but: {}", found.join(" ")),
            None => Ok(()),
        }
    }

    fn is_as_made(&self, made: &Made) -> Result<()> {
        for (disk, as_made) in self.disks_in_place().iter().zip(&made.disks) {
            ensure!(judge::are_identical(disk, as_made)?, "{} was written", disk.display());
        }
        Ok(())
    }

    fn holds_as_made(&self, made: &Made) -> Result<()> {
        for (disk, as_made) in self.disks_in_place().iter().zip(&made.disks) {
            run::run(Command::new("qemu-img").arg("compare").arg(disk).arg(as_made))?;
        }
        Ok(())
    }

    fn disks_in_place(&self) -> Vec<PathBuf> {
        let place = self.scratch.join("disks");
        build::names(self.row).map(|name| place.join(name)).collect()
    }

    /// Returns the disks as raw images.
    fn raw(&self) -> Result<Vec<PathBuf>> {
        if self.row.image.is_empty()
            || self.disks.iter().all(|disk| disk.extension().is_some_and(|end| end == "raw"))
        {
            return Ok(self.disks.clone());
        }
        let mut raw = Vec::new();
        for (number, disk) in self.disks.iter().enumerate() {
            let to = self.scratch.join(format!("raw-{number}.raw"));
            run::run(Command::new("qemu-img").args(["convert", "-O", "raw"]).arg(disk).arg(&to))?;
            raw.push(to);
        }
        Ok(raw)
    }

    /// Runs one command over the disks; returns what it took and what it said.
    fn command(&mut self, subcommand: &str, arguments: &[&str]) -> Result<(f64, Said)> {
        let mut command = Command::new(self.bench.program);
        command
            .arg(subcommand)
            .args(&self.disks)
            .args(arguments)
            .env("GUESTCONV_APPLIANCE", self.bench.appliance);
        if self.disks.iter().all(|disk| disk.extension().is_some_and(|end| end == "raw")) {
            command.args(["--format", "raw"]);
        }
        if let Some(key) = self.row.key {
            command.args(["--key", key]);
        }
        let how = How { sampling: SAMPLING, limit: LIMIT, scratch: &self.scratch.join("said") };
        let run: Run = measure(&mut command, &how)?;
        let said = Said::of(&run);
        let form = Form::of(arguments.contains(&"--json"), false);
        let violations = judge::violations(&run, &said, form, Time::Any);
        ensure!(violations.is_empty(), "{}: {}", run::shown_as(&command), violations.join("; "));
        self.outcome.memory_bytes = self.outcome.memory_bytes.max(run.peak.unwrap_or_default().memory_bytes);
        Ok((run.wall_seconds, said))
    }
}

/// Returns what a plan names, and the directories above, as the listing names them.
fn named(plan: &Plan) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for change in plan.steps.iter().flat_map(|step| &step.changes) {
        let Some(mut path) = change.path().cloned() else { continue };
        while path.as_str() != "/" {
            names.insert(path.as_str().trim_start_matches('/').to_owned());
            path = path.parent();
        }
        names.insert(String::new());
    }
    names
}
