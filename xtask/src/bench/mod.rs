//! `cargo xtask bench`: guestconv beside the programs that do the same with libguestfs, in one run, on the same machine, on
//! copies of the same guests. Prints tables with ratios and, if nothing was left out, writes `docs/benchmarks.md`.
//!
//! It fails if a run of guestconv fails, never because of a time: times are for people to judge.

mod figures;
mod machine;
pub(crate) mod measure;
mod ours;
mod parts;
mod peers;
pub(crate) mod processes;
mod report;
mod subject;
mod table;

use crate::{appliance, checkout, dist, guest, run, undo_file};
use anyhow::{Context, Result, bail};
use figures::Spread;
use machine::Machine;
use measure::{Peak, Run};
use ours::{Guestconv, Job, OurRun, Purpose};
use parts::Part;
use peers::{Accelerator, Outcome, Peer, Peers};
use processes::Traffic;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use subject::{Cost, OurFigures, PeerFigures, Subject};

const USAGE: &str = "usage: cargo xtask bench [--guest NAME]… [--runs N] [--peer-runs N] [--without-peers]";

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Wish {
    /// The guests; none: all.
    guests: Vec<String>,
    /// Runs of each of our commands.
    runs: usize,
    /// Runs of each peer, which take minutes.
    peer_runs: usize,
    with_peers: bool,
}

/// The task.
pub(crate) fn task(arguments: &[String]) -> Result<()> {
    let wish = wish(arguments)?;
    let scratch = checkout().join("target/bench");
    fs::create_dir_all(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
    let bench = Bench {
        guestconv: Guestconv {
            program: dist::program()?,
            appliance: appliance::directory()?,
            scratch: scratch.clone(),
        },
        peers: if wish.with_peers { Some(Peers::ready(&scratch)?) } else { None },
        wish,
        scratch,
    };
    let guests = if bench.wish.guests.is_empty() { guest::all()? } else { bench.wish.guests.clone() };
    let mut measured = Vec::new();
    for name in guests {
        match guest::make(&name)?.as_slice() {
            [image] => measured.push((name, image.clone())),
            images => eprintln!("{name} has {} disks; only guests with one are measured", images.len()),
        }
    }
    let mut machine = Machine::look(&bench.guestconv.appliance)?;
    machine.add("runs", bench.runs());
    if let Some(peers) = &bench.peers {
        machine.add("peers", machine::packages(&peers::PACKAGES)?);
        machine.add("peers run on", peers_run_on(peers.accelerator).to_owned());
    }
    let subjects = measured.iter().map(|(name, image)| bench.subject(name, image));
    let subjects = subjects.collect::<Result<Vec<Subject>>>()?;
    let gap = bench.wish.gap();
    let document = report::document(&machine, &subjects, gap.as_deref());
    print!("{document}");
    if gap.is_none() {
        let file = checkout().join("docs/benchmarks.md");
        fs::write(&file, &document).with_context(|| format!("cannot write {}", file.display()))?;
        eprintln!("written to {}", file.display());
    }
    match subjects.iter().flat_map(|subject| &subject.ours).filter(|(_, figures)| figures.is_err()).count() {
        0 => Ok(()),
        failed => bail!("{failed} of guestconv's commands failed"),
    }
}

fn peers_run_on(accelerator: Accelerator) -> &'static str {
    match accelerator {
        Accelerator::Kvm => "KVM",
        Accelerator::Tcg => {
            "QEMU's emulation (TCG), since KVM does not run on this machine. With KVM they take less time, and the ratios \
             are smaller; guestconv has no use for KVM"
        }
    }
}

/// All that measuring needs.
struct Bench {
    wish: Wish,
    guestconv: Guestconv,
    peers: Option<Peers>,
    /// For copies of disks, and what programs say.
    scratch: PathBuf,
}

impl Bench {
    fn runs(&self) -> String {
        let (ours, theirs) = (self.wish.runs, self.wish.peer_runs);
        match self.peers {
            Some(_) => format!("{ours} of each command of guestconv, {theirs} of each peer"),
            None => format!("{ours} of each command of guestconv"),
        }
    }

    /// Measures everything on one guest.
    fn subject(&self, name: &str, image: &Path) -> Result<Subject> {
        let disk = self.scratch.join("disk.raw");
        let mut ours = Vec::new();
        for job in [Job::Inspect, Job::Plan, Job::Convert, Job::ConvertAgain] {
            eprintln!("{name}: guestconv {}", job.name());
            // The disk stays converted after a conversion, for the one after it.
            if matches!(job, Job::Inspect | Job::Convert) {
                fresh_copy(image, &disk)?;
            }
            let figures = self.our_figures(job, image, &disk).map_err(|error| format!("{error:#}"));
            if let Err(error) = &figures {
                eprintln!("{name}: {error}");
            }
            ours.push((job, figures));
        }
        let mut theirs = Vec::new();
        for peer in [Peer::Inspector, Peer::InPlace].into_iter().filter(|_| self.peers.is_some()) {
            eprintln!("{name}: {}", peer.name());
            theirs.push((peer, self.peer_figures(peer, image, &disk)?));
        }
        fs::remove_file(&disk).with_context(|| format!("cannot remove {}", disk.display()))?;
        Ok(Subject { name: name.to_owned(), ours, peers: theirs })
    }

    fn our_figures(&self, job: Job, image: &Path, disk: &Path) -> Result<OurFigures> {
        // The first run warms the caches too.
        let peak =
            self.guestconv.run(job, disk, Purpose::Memory)?.run.peak.context("memory was not sampled")?;
        let mut runs = Vec::new();
        for _ in 0..self.wish.runs {
            if job.writes() {
                fresh_copy(image, disk)?;
            }
            runs.push(self.guestconv.run(job, disk, Purpose::Time)?);
        }
        let cost = cost(runs.iter().map(|OurRun { run, .. }| run), peak)?;
        let from_median = |run: &&OurRun| (run.run.wall_seconds - cost.wall.median).abs();
        let nearest = |one: &&OurRun, other: &&OurRun| from_median(one).total_cmp(&from_median(other));
        let typical = runs.iter().min_by(nearest).context("there are no runs")?;
        Ok(OurFigures {
            cost,
            typical_seconds: typical.run.wall_seconds,
            parts: Part::ALL.map(|part| typical.timings.seconds(part)),
            disks: typical.timings.disks(),
        })
    }

    fn peer_figures(&self, peer: Peer, image: &Path, disk: &Path) -> Result<PeerFigures> {
        let peers = self.peers.as_ref().context("the peers are not there")?;
        let mut runs = Vec::new();
        for _ in 0..self.wish.peer_runs {
            fresh_copy(image, disk)?;
            match peers.run(peer, disk)? {
                Outcome::Done(run) => runs.push(run),
                Outcome::Failed(said) => return Ok(PeerFigures::Failed(said)),
            }
        }
        let peaks = runs.iter().filter_map(|run| run.peak);
        let peak = peaks.max_by_key(|peak| peak.memory_bytes).context("memory was not sampled")?;
        Ok(PeerFigures::Done(cost(runs.iter(), peak)?))
    }
}

fn cost<'a>(runs: impl Iterator<Item = &'a Run> + Clone, peak: Peak) -> Result<Cost> {
    let none = "there are no runs";
    // Bytes hardly differ between runs; the largest is no flattery.
    let most = |bytes: fn(&Run) -> u64| runs.clone().map(bytes).max().unwrap_or_default();
    Ok(Cost {
        wall: Spread::of(runs.clone().map(|run| run.wall_seconds)).context(none)?,
        cpu_seconds: median(runs.clone().map(|run| run.cpu_seconds)).context(none)?,
        traffic: Traffic {
            read_bytes: most(|run| run.traffic.read_bytes),
            written_bytes: most(|run| run.traffic.written_bytes),
        },
        peak,
    })
}

fn median(figures: impl Iterator<Item = f64>) -> Option<f64> {
    Spread::of(figures).map(|spread| spread.median)
}

/// Copies the image, holes as holes; what is copied is on the disk before anything is measured, and still in the page
/// cache.
fn fresh_copy(image: &Path, disk: &Path) -> Result<()> {
    undo_file::remove(disk)?;
    run::run(Command::new("cp").args(["--sparse=always", "--reflink=auto"]).arg(image).arg(disk))?;
    let file = File::open(disk).with_context(|| format!("cannot open {}", disk.display()))?;
    file.sync_all().with_context(|| format!("cannot sync {}", disk.display()))
}

impl Wish {
    /// Returns what a whole benchmark has and this has not; `None`: it is whole.
    fn gap(&self) -> Option<String> {
        let gaps = [(!self.guests.is_empty(), "not all guests"), (!self.with_peers, "without the peers")];
        let gaps: Vec<&str> = gaps.into_iter().filter(|(is_one, _)| *is_one).map(|(_, text)| text).collect();
        (!gaps.is_empty()).then(|| gaps.join(", "))
    }
}

fn wish(arguments: &[String]) -> Result<Wish> {
    let mut wish = Wish { guests: Vec::new(), runs: 5, peer_runs: 1, with_peers: true };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} wants a value\n{USAGE}"));
        match argument.as_str() {
            "--guest" => wish.guests.push(value()?.clone()),
            "--runs" => wish.runs = count(value()?)?,
            "--peer-runs" => wish.peer_runs = count(value()?)?,
            "--without-peers" => wish.with_peers = false,
            _ => bail!("no option is called {argument}\n{USAGE}"),
        }
    }
    Ok(wish)
}

fn count(text: &str) -> Result<usize> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.with_context(|| format!("{text:?} is no number of runs\n{USAGE}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(words: &[&str]) -> Result<Wish> {
        wish(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn what_is_left_out_is_a_gap() {
        let whole = Wish { guests: vec![], runs: 5, peer_runs: 1, with_peers: true };
        for (words, expected, gap) in [
            (&[][..], Wish { ..whole }, None),
            (
                &["--runs", "9", "--peer-runs", "3"],
                Wish { runs: 9, peer_runs: 3, guests: vec![], ..whole },
                None,
            ),
            (
                &["--without-peers"],
                Wish { with_peers: false, guests: vec![], ..whole },
                Some("without the peers"),
            ),
            (
                &["--guest", "a", "--guest", "b"],
                Wish { guests: vec!["a".into(), "b".into()], ..whole },
                Some("not all guests"),
            ),
            (
                &["--guest", "a", "--without-peers"],
                Wish { guests: vec!["a".into()], with_peers: false, ..whole },
                Some("not all guests, without the peers"),
            ),
        ] {
            let wish = asked(words).unwrap();
            assert_eq!(wish.gap().as_deref(), gap, "{words:?}");
            assert_eq!(wish, expected, "{words:?}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (words, expected) in [
            (&["--frob"][..], "no option is called --frob"),
            (&["--runs"], "--runs wants a value"),
            (&["--runs", "0"], "\"0\" is no number of runs"),
            (&["--peer-runs", "few"], "\"few\" is no number of runs"),
        ] {
            assert_eq!(asked(words).unwrap_err().to_string(), format!("{expected}\n{USAGE}"), "{words:?}");
        }
    }
}
