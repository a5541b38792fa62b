//! Measures what being safe costs a conversion: confinement, undo file and journal on, against all of them off, in turn, each
//! time on a fresh copy of the disk. `cargo run --release --example overhead -- DISK TARGET [RUNS]`, DISK raw and not written.
//!
//! A commit without a journal does not exist: what the journal took is told by the run's own timings, and taken off.
#![allow(clippy::print_stdout, reason = "an example prints")]

use guestconv::core::description::Choices;
use guestconv::core::plan::PlanOptions;
use guestconv::{Confinement, ConvertOptions, DiskSpec, Format, Guest, Options, UndoFile};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (disk, target, runs) = match arguments.as_slice() {
        [disk, target] => (disk, target, 15),
        [disk, target, runs] => (disk, target, runs.parse()?),
        _ => return Err("say DISK TARGET [RUNS]".into()),
    };
    let directory = tempfile::tempdir_in(".")?;
    let (mut on, mut off) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        on.push(converted(disk, target, directory.path(), Confinement::BestEffort, UndoFile::Keep)?.0);
        let (whole, journal) = converted(disk, target, directory.path(), Confinement::Off, UndoFile::Leave)?;
        off.push(whole.saturating_sub(journal));
    }
    on.sort_unstable();
    off.sort_unstable();
    let show = |name: &str, times: &[Duration]| {
        let at = |part: usize| times.get(part).copied().unwrap_or_default().as_secs_f64();
        println!(
            "{name}: minimum {:.3} s, median {:.3} s, maximum {:.3} s",
            at(0),
            at(runs / 2),
            at(runs - 1)
        );
        at(runs / 2)
    };
    let (on, off) = (show("on", &on), show("off", &off));
    println!("overhead of the medians: {:.1} %", (on / off - 1.0) * 100.0);
    Ok(())
}

/// Converts a copy; returns how long it took from opening to the end of the commit, and the journal's part.
fn converted(
    disk: &str,
    target: &str,
    directory: &Path,
    confinement: Confinement,
    undo: UndoFile,
) -> Result<(Duration, Duration)> {
    let copy = directory.join("disk.raw");
    for left in ["disk.raw.guestconv-undo", "disk.raw.guestconv-undo.json"] {
        drop(std::fs::remove_file(directory.join(left)));
    }
    let copied = Command::new("cp").arg("--sparse=always").arg(disk).arg(&copy).status()?;
    let synced = Command::new("sync").status()?;
    if !copied.success() || !synced.success() {
        return Err("the disk cannot be copied".into());
    }
    let begun = Instant::now();
    let spec = DiskSpec { format: Format::Raw, ..DiskSpec::new(&copy) };
    let mut guest = Guest::open(vec![spec], Options { confinement, ..Options::default() })?;
    let plan = guest.plan(target, &Choices::default(), &PlanOptions::default())?;
    guest.convert(&plan, &ConvertOptions { undo, ..ConvertOptions::default() })?;
    let whole = begun.elapsed();
    let timings = guest.timings();
    let journal = timings.parts.iter().filter(|part| part.part == "journal").map(|part| part.duration).sum();
    Ok((whole, journal))
}
