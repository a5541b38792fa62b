//! Runs every command on a case. The disks are the case's own and made for this run alone.

use super::case::{Case, Subject};
use super::judge::{self, Said, Time};
use super::shop::Shop;
use crate::bench::measure::{How, Run, Sampling, measure};
use crate::run;
use anyhow::{Context, Result};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The target that every case is converted for.
pub(super) const TARGET: &str = "kvm";
/// Much longer than a case may take: what runs into it is broken.
const LIMIT: Duration = Duration::from_secs(60);
/// How often memory is looked at.
const SAMPLING: Sampling = Sampling::Every(Duration::from_millis(20));
/// What the file of the host holds that no guest may reach.
pub(super) const CANARY: &str = "canary-of-the-host-7c1e55";

/// What every case is run with.
pub(super) struct Runner {
    program: PathBuf,
    appliance: PathBuf,
    scratch: tempfile::TempDir,
    time: Time,
}

/// What became of a case.
pub(super) struct Outcome {
    /// Each command with what it took.
    pub(super) commands: Vec<Measured>,
    /// What is not as it must be.
    pub(super) violations: Vec<String>,
}

/// One command.
pub(super) struct Measured {
    /// Its name in the table.
    pub(super) name: String,
    /// How it ended: `done`, or an error's code.
    pub(super) end: String,
    pub(super) wall_seconds: f64,
    /// Processor time of all its processes.
    pub(super) cpu_seconds: f64,
    pub(super) memory_bytes: u64,
}

/// Builds a case in a directory, which is made; returns what the commands are given.
pub(super) fn made(case: &Case, directory: &Path) -> Result<Subject> {
    let above = directory.parent().context("a case is in a directory")?;
    let canary = above.join("canary");
    fs::create_dir_all(above)?;
    fs::create_dir(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    fs::create_dir_all(&canary)?;
    let file = canary.join("secret");
    fs::write(&file, format!("{CANARY}\n"))?;
    (case.make)(&Shop::new(directory.to_owned(), file)).with_context(|| format!("cannot make {}", case.name))
}

impl Runner {
    pub(super) fn new(program: PathBuf, appliance: PathBuf, time: Time) -> Result<Self> {
        let scratch = tempfile::Builder::new().prefix("guestconv-hostile-").tempdir()?;
        Ok(Self { program, appliance, scratch, time })
    }

    /// Builds a case, runs every command on it, and judges.
    pub(super) fn run(&self, case: &Case) -> Result<Outcome> {
        let directory = self.scratch.path().join(case.name);
        let subject = made(case, &directory)?;
        let canary = Canary::set(&self.scratch.path().join("canary/secret"))?;
        let work = directory.join("work");
        fs::create_dir(&work)?;
        let mut at_work =
            AtWork { runner: self, case, subject: &subject, work: &work, outcome: Outcome::new() };
        let result = at_work.commands();
        let mut outcome = at_work.outcome;
        outcome.violations.extend(result.err().map(|error| format!("{error:#}")));
        outcome.violations.extend(canary.broken()?);
        fs::remove_dir_all(&directory)?;
        Ok(outcome)
    }
}

impl Outcome {
    fn new() -> Self {
        Self { commands: Vec::new(), violations: Vec::new() }
    }
}

/// A case that is being run.
struct AtWork<'a> {
    runner: &'a Runner,
    case: &'a Case,
    subject: &'a Subject,
    work: &'a Path,
    outcome: Outcome,
}

impl AtWork<'_> {
    /// Every command, the reading ones first.
    fn commands(&mut self) -> Result<()> {
        let before = Disks::keep(self.subject, self.work)?;
        let target = ["--target", TARGET];
        let human = self.command("inspect", "inspect", &["--color", "never"])?;
        self.must_end("inspect", &human, self.case.expect.inspect);
        let facts = self.command("inspect --json", "inspect", &["--json", "--initramfs"])?;
        let xml = self.command("inspect --xml", "inspect", &["--xml", "--target", TARGET])?;
        self.command("describe --json", "inspect", &["--json", "--target", TARGET])?;
        let description = match &self.subject.description {
            Some(given) => given.clone(),
            None => {
                let file = self.work.join("description.xml");
                fs::write(&file, &xml.stdout)?;
                file
            }
        };
        let is_described = self.subject.description.is_some() || xml.end == judge::DONE;
        let described = ["--description", description.to_str().context("the scratch directory is UTF-8")?];
        let wish: Vec<&str> = match is_described {
            true => [target, described].concat(),
            false => target.to_vec(),
        };
        self.command("plan", "plan", &[&wish[..], &["--color", "never"]].concat())?;
        let plan = self.command("plan --json", "plan", &[&wish[..], &["--json"]].concat())?;
        self.command("plan --hardware", "plan", &[&wish[..], &["--hardware", "libvirt"]].concat())?;
        self.command("verify", "verify", &[&wish[..], &["--color", "never"]].concat())?;
        self.command("verify --json", "verify", &[&wish[..], &["--json"]].concat())?;
        let said: Vec<String> = [&facts, &plan].iter().flat_map(|said| judge::findings(said)).collect();
        for code in self.case.expect.findings.iter().filter(|code| !said.iter().any(|said| said == *code)) {
            self.violation(format!("there is no finding {code}, but: {}", said.join(" ")));
        }
        self.outcome.violations.extend(before.changed("what only reads")?);

        let outputs: Vec<PathBuf> =
            (0..self.subject.disks.len()).map(|n| self.work.join(format!("out{n}"))).collect();
        let mut arguments = wish.clone();
        for output in &outputs {
            arguments.extend(["--output", output.to_str().context("the scratch directory is UTF-8")?]);
        }
        let copied = self.command("convert --output", "convert", &arguments)?;
        self.must_end("convert --output", &copied, self.case.expect.copied);
        self.outcome.violations.extend(before.changed("convert --output")?);
        for output in &outputs {
            match (copied.end == judge::DONE, output.exists()) {
                (true, true) => fs::remove_file(output)?,
                (false, false) => {}
                (_, there) => {
                    self.violation(format!("convert --output: {} is there: {there}", output.display()))
                }
            }
        }

        let converted = self.command("convert", "convert", &[&wish[..], &["--color", "never"]].concat())?;
        self.must_end("convert", &converted, self.case.expect.convert);
        if converted.end != judge::DONE {
            self.outcome.violations.extend(before.changed("a convert that failed")?);
            self.command("undo", "undo", &[])?;
        } else {
            let again = self.command("verify again", "verify", &[&wish[..], &["--json"]].concat())?;
            self.must_end("verify again", &again, judge::DONE);
            self.command("undo", "undo", &[])?;
        }
        self.outcome.violations.extend(before.changed("undo")?);
        Ok(())
    }

    /// Runs one command, and judges what can be told of any.
    fn command(&mut self, name: &str, subcommand: &str, arguments: &[&str]) -> Result<Said> {
        let mut command = Command::new(&self.runner.program);
        command.arg(subcommand).args(&self.subject.disks).args(&self.subject.arguments).args(arguments);
        if subcommand != "undo" {
            command.args(&self.subject.wishes);
        }
        command.env("GUESTCONV_APPLIANCE", &self.runner.appliance).current_dir(self.work);
        let how = How { sampling: SAMPLING, limit: LIMIT, scratch: &self.runner.scratch.path().join("said") };
        let run: Run = measure(&mut command, &how)?;
        let peak = run.peak.unwrap_or_default();
        let said = Said::of(&run);
        self.outcome.commands.push(Measured {
            name: name.to_owned(),
            end: said.end.clone(),
            wall_seconds: run.wall_seconds,
            cpu_seconds: run.cpu_seconds,
            memory_bytes: peak.memory_bytes,
        });
        let is_json = arguments.contains(&"--json");
        let is_xml = arguments.contains(&"--xml") || arguments.contains(&"--hardware");
        let shown = || run::shown_as(&command);
        let found = judge::violations(&run, &said, judge::Form::of(is_json, is_xml), self.runner.time);
        self.outcome.violations.extend(found.into_iter().map(|what| format!("{name}: {what} [{}]", shown())));
        // Twelve commands that do not end would take all day.
        anyhow::ensure!(!run.timed_out, "{name} did not end; the other commands are left out");
        Ok(said)
    }

    fn must_end(&mut self, name: &str, said: &Said, expected: &str) {
        if said.end != expected {
            let words = said.stderr.lines().next().unwrap_or_default();
            self.violation(format!("{name} ends with {}, not {expected}: {words:.400}", said.end));
        }
    }

    fn violation(&mut self, what: String) {
        self.outcome.violations.push(what);
    }
}

/// The file that no guest may reach.
struct Canary {
    file: PathBuf,
}

impl Canary {
    /// Makes sure that any access shows: with a last access before the last change, reading updates it (`relatime`).
    fn set(file: &Path) -> Result<Self> {
        let long_ago = Timespec { tv_sec: 1, tv_nsec: 0 };
        let later = Timespec { tv_sec: 1_000_000, tv_nsec: 0 };
        utimensat(
            CWD,
            file,
            &Timestamps { last_access: long_ago, last_modification: later },
            AtFlags::empty(),
        )?;
        Ok(Self { file: file.to_owned() })
    }

    fn broken(&self) -> Result<Vec<String>> {
        let mut broken = Vec::new();
        let there = fs::metadata(&self.file).context("the canary is gone")?;
        if there.atime() != 1 {
            broken.push("a file of the host was read".to_owned());
        }
        if there.mtime() != 1_000_000 || fs::read_to_string(&self.file)? != format!("{CANARY}\n") {
            broken.push("a file of the host was written".to_owned());
        }
        let above = self.file.parent().context("the canary is in a directory")?;
        if fs::read_dir(above)?.count() != 1 {
            broken.push(format!("something was made in {}", above.display()));
        }
        Ok(broken)
    }
}

/// The disks and the directory of a case as they were.
struct Disks {
    kept: Vec<(PathBuf, PathBuf)>,
    directory: PathBuf,
    names: Vec<String>,
}

impl Disks {
    fn keep(subject: &Subject, work: &Path) -> Result<Self> {
        let mut kept = Vec::new();
        for (number, disk) in subject.disks.iter().enumerate() {
            let copy = work.join(format!("kept{number}"));
            run::run(Command::new("cp").arg("--sparse=always").arg(disk).arg(&copy))?;
            kept.push((disk.clone(), copy));
        }
        let directory = work.parent().context("a case is in a directory")?.to_owned();
        let names = names(&directory)?;
        Ok(Self { kept, directory, names })
    }

    /// Says which disks differ from what they were, and what came or went beside them.
    fn changed(&self, after: &str) -> Result<Vec<String>> {
        let mut changed = Vec::new();
        for (disk, kept) in &self.kept {
            if !judge::are_identical(disk, kept)? {
                changed.push(format!("{after} changed {}", disk.display()));
            }
        }
        let names = names(&self.directory)?;
        if names != self.names {
            changed.push(format!("{after} left other files: {names:?}"));
        }
        Ok(changed)
    }
}

fn names(directory: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
