//! `mutate`: two thousand images that were sound once, each changed somewhere, and what guestconv makes of each.
//!
//! A mutation is a seed's name and a number ([`mutation`]); what it changes follows from them. Raw disks are looked at several at
//! once, as disks of one guest, since most of a run is its start; where one spoils it for the others, each is looked at alone.
//! What must hold of each: it ends, with a code if it fails; no panic, no signal; memory and time are bounded; nothing is written.

mod mutation;
mod seeds;

use crate::bench::measure::{How, Run, Sampling, measure};
use crate::hostile::judge::{self, Form, Said, Time};
use crate::{dist, run, setup};
use anyhow::{Context, Result, bail};
use mutation::{Numbers, mutate};
use seeds::Seed;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const USAGE: &str = "usage: cargo xtask mutate [--program FILE] [--images N] [SEED:NUMBER…]";
/// How many images a whole run has.
const IMAGES: usize = 2_000;
/// How many disk sets are looked at together.
const TOGETHER: usize = 6;
/// Much longer than the program lets its appliance run without a sign of life.
const LIMIT: Duration = Duration::from_secs(120);
/// How often memory is looked at.
const SAMPLING: Sampling = Sampling::Every(Duration::from_millis(25));

/// One mutation.
struct Mutant<'a> {
    seed: &'static Seed,
    number: u64,
    disks: &'a [PathBuf],
}

/// What is known of all mutations so far.
#[derive(Default)]
struct Tally {
    images: usize,
    runs: usize,
    ends: BTreeMap<String, usize>,
    findings: BTreeMap<String, usize>,
    worst_seconds: f64,
    worst_bytes: u64,
    violations: Vec<String>,
}

/// The task.
pub(crate) fn task(arguments: &[String]) -> Result<()> {
    let (mut program, mut images, mut named) = (None, IMAGES, Vec::new());
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--program" => program = Some(PathBuf::from(words.next().context(USAGE)?)),
            "--images" => images = words.next().context(USAGE)?.parse().context(USAGE)?,
            option if option.starts_with("--") => bail!(USAGE),
            name => named.push(name.to_owned()),
        }
    }
    setup::ensure(&[setup::GUESTS, setup::MATRIX])?;
    let (program, appliance) = dist::tried(program)?;
    let seeds = seeds::made()?;
    let looker = Looker { program, appliance };
    let mut tally = Tally::default();
    if !named.is_empty() {
        for name in &named {
            let mutant = mutant(&seeds, name)?;
            println!("{name}: {}", looker.look(&[mutant], &mut tally)?.join("; "));
        }
        return tally.close();
    }
    let rounds = images.div_ceil(seeds.len());
    let all = (0..rounds).flat_map(|number| {
        seeds.iter().map(move |(seed, disks)| Mutant { seed, number: number as u64, disks })
    });
    let (single, mut several): (Vec<Mutant<'_>>, Vec<Mutant<'_>>) =
        all.take(images).partition(|mutant| mutant.seed.is_image());
    for mutant in single {
        looker.look(&[mutant], &mut tally)?;
    }
    while !several.is_empty() {
        let rest = several.split_off(several.len().min(TOGETHER));
        looker.look(&several, &mut tally)?;
        several = rest;
    }
    tally.close()
}

/// Returns the mutation of that name, `SEED:NUMBER`.
fn mutant<'a>(seeds: &'a [(&'static Seed, Vec<PathBuf>)], name: &str) -> Result<Mutant<'a>> {
    let (seed, number) = name.split_once(':').context(USAGE)?;
    let (seed, disks) = seeds
        .iter()
        .find(|(known, _)| known.name == seed)
        .with_context(|| format!("no seed is called {seed}"))?;
    Ok(Mutant { seed, number: number.parse().context(USAGE)?, disks })
}

/// The program that looks at mutants.
struct Looker {
    program: PathBuf,
    appliance: PathBuf,
}

impl Looker {
    /// Looks at mutants, together if they are several; returns what was done to each, and how it ended.
    fn look(&self, mutants: &[Mutant<'_>], tally: &mut Tally) -> Result<Vec<String>> {
        let scratch = tempfile::Builder::new().prefix("guestconv-mutate-").tempdir_in("/var/tmp")?;
        let (mut disks, mut told) = (Vec::new(), Vec::new());
        for mutant in mutants {
            let (copies, what) = mutated(mutant, scratch.path())?;
            disks.extend(copies);
            told.push(format!("{}:{} ({what})", mutant.seed.name, mutant.number));
        }
        let before = written(&disks)?;
        let (run, said) = self.run(&disks, mutants, &scratch.path().join("said"))?;
        let named = || told.join(" + ");
        if written(&disks)? != before {
            tally.violations.push(format!("{}: it was written", named()));
        }
        tally.runs += 1;
        tally.worst_seconds = tally.worst_seconds.max(run.wall_seconds);
        tally.worst_bytes = tally.worst_bytes.max(run.peak.unwrap_or_default().memory_bytes);
        let found = judge::violations(&run, &said, Form::Json, Time::Any);
        let is_alone = mutants.len() == 1;
        tally.violations.extend(found.into_iter().map(|what| format!("{}: {what}", named())));
        if !is_alone && said.end != judge::DONE {
            for mutant in mutants {
                let alone = Mutant { seed: mutant.seed, number: mutant.number, disks: mutant.disks };
                self.look(&[alone], tally)?;
            }
            return Ok(told);
        }
        tally.images += mutants.len();
        *tally.ends.entry(said.end.clone()).or_default() += mutants.len();
        for code in judge::findings(&said) {
            *tally.findings.entry(code).or_default() += 1;
        }
        told.push(said.end);
        Ok(told)
    }

    fn run(&self, disks: &[PathBuf], mutants: &[Mutant<'_>], scratch: &Path) -> Result<(Run, Said)> {
        let mut command = Command::new(&self.program);
        command.arg("inspect").args(disks).args(["--json", "--initramfs", "--key", "all:key:guestconv"]);
        if mutants.iter().all(|mutant| !mutant.seed.is_image()) {
            command.args(["--format", "raw"]);
        }
        command.env("GUESTCONV_APPLIANCE", &self.appliance);
        let run = measure(&mut command, &How { sampling: SAMPLING, limit: LIMIT, scratch })?;
        let said = Said::of(&run);
        Ok((run, said))
    }
}

/// Returns changed copies of a seed's disks in a directory, and what was done.
fn mutated(mutant: &Mutant<'_>, directory: &Path) -> Result<(Vec<PathBuf>, String)> {
    let mut copies = Vec::new();
    for disk in mutant.disks {
        let copy = directory.join(disk.file_name().context("a disk has a name")?);
        run::run(Command::new("cp").arg(disk).arg(&copy))?;
        copies.push(copy);
    }
    let done = mutate(&copies, &mut Numbers::of(mutant.seed.name, mutant.number))?;
    Ok((copies, done))
}

/// Returns when each disk was written or changed otherwise: the kernel notes it, and nobody can set it back.
fn written(disks: &[PathBuf]) -> Result<Vec<(i64, i64)>> {
    let when = |disk: &PathBuf| {
        let there = fs::metadata(disk)?;
        Ok((there.ctime(), there.ctime_nsec()))
    };
    disks.iter().map(when).collect()
}

impl Tally {
    /// Prints what became of all.
    ///
    /// # Errors
    /// If anything was not as it must be.
    fn close(self) -> Result<()> {
        let shown = |counts: &BTreeMap<String, usize>| {
            let mut counts: Vec<_> = counts.iter().collect();
            counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            counts.iter().map(|(what, count)| format!("{what} {count}")).collect::<Vec<_>>().join(", ")
        };
        println!("ends: {}", shown(&self.ends));
        println!("findings: {}", shown(&self.findings));
        println!(
            "{} images in {} runs: at most {:.2} s and {} MiB; {} violations",
            self.images,
            self.runs,
            self.worst_seconds,
            self.worst_bytes >> 20,
            self.violations.len()
        );
        self.violations.iter().for_each(|violation| println!("    VIOLATION {violation}"));
        if self.violations.is_empty() { Ok(()) } else { bail!("{} violations", self.violations.len()) }
    }
}
