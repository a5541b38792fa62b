//! `cargo xtask bench`: guestconv beside the programs that do the same with libguestfs, in one run, on the same machine, on
//! copies of the same guests. Prints tables with ratios and, if nothing was left out, writes `docs/benchmarks.md` and its picture.
//!
//! It fails if a run of guestconv fails, never because of a time: times are for people to judge.

mod disks;
mod figures;
mod growth;
mod machine;
pub(crate) mod measure;
mod ours;
mod parts;
mod peers;
mod picture;
pub(crate) mod processes;
mod report;
mod subject;
mod table;

use crate::{appliance, checkout, dist, guest};
use anyhow::{Context, Result, bail};
use disks::Disks;
use figures::Spread;
use machine::Machine;
use measure::{Peak, Run};
use ours::{Guestconv, Job, OurRun, Purpose};
use parts::Part;
use peers::{Accelerator, Outcome, Peer, Peers};
use processes::Traffic;
use std::fs;
use std::path::PathBuf;
use subject::{Cost, OurFigures, PeerFigures, Subject};

const USAGE: &str = "usage: cargo xtask bench [--guest NAME]… [--runs N] [--peer-runs N] [--without-peers] [--without-growth]";

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
    /// Whether it is measured what costs grow with.
    with_growth: bool,
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
        let disks = Disks::of_guest(&name, guest::make(&name)?);
        measured.push((name, disks));
    }
    let mut machine = Machine::look(&bench.guestconv.appliance)?;
    machine.add("runs", bench.runs());
    if let Some(peers) = &bench.peers {
        machine.add("peers", machine::packages(&peers::PACKAGES)?);
        machine.add("peers run on", peers_run_on(peers.accelerator).to_owned());
    }
    let subjects = measured.iter().map(|(name, disks)| bench.subject(name, disks));
    let subjects = subjects.collect::<Result<Vec<Subject>>>()?;
    let growth = match bench.wish.with_growth {
        true => growth::measured(&bench.guestconv, bench.wish.runs)?,
        false => Vec::new(),
    };
    let gap = bench.wish.gap();
    let document = report::document(&machine, &subjects, &growth, gap.as_deref());
    print!("{document}");
    if gap.is_none() {
        let file = checkout().join("docs/benchmarks.md");
        fs::write(&file, &document).with_context(|| format!("cannot write {}", file.display()))?;
        let picture = file.with_extension("svg");
        let groups: Vec<_> = subjects.iter().map(|subject| (subject.name.clone(), subject.bars())).collect();
        fs::write(&picture, picture::svg(&groups))
            .with_context(|| format!("cannot write {}", picture.display()))?;
        eprintln!("written to {} and {}", file.display(), picture.display());
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
    fn subject(&self, name: &str, disks: &Disks) -> Result<Subject> {
        let mut ours = Vec::new();
        let mut copy = disks.fresh_copy(&self.scratch)?;
        for job in [Job::Inspect, Job::Plan, Job::Convert, Job::ConvertAgain, Job::Undo] {
            eprintln!("{name}: guestconv {}", job.name());
            let figures = self.our_figures(job, disks, &mut copy).map_err(|error| format!("{error:#}"));
            if let Err(error) = &figures {
                eprintln!("{name}: {error}");
            }
            ours.push((job, figures));
        }
        let mut theirs = Vec::new();
        // virt-v2v-in-place takes one disk, and what is measured on one of the two is measured on both.
        if let (Some(_), [_], true) = (&self.peers, disks.images.as_slice(), disks.options.is_empty()) {
            for peer in [Peer::Inspector, Peer::InPlace] {
                eprintln!("{name}: {}", peer.name());
                theirs.push((peer, self.peer_figures(peer, disks)?));
            }
        }
        copy.remove()?;
        Ok(Subject { name: name.to_owned(), ours, peers: theirs })
    }

    fn our_figures(&self, job: Job, disks: &Disks, copy: &mut Disks) -> Result<OurFigures> {
        // The first run warms the caches too.
        let first = self.our_run(job, disks, copy, Purpose::Memory)?;
        let peak = first.run.peak.context("memory was not sampled")?;
        let mut runs = Vec::new();
        for _ in 0..self.wish.runs {
            runs.push(self.our_run(job, disks, copy, Purpose::Time)?);
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

    /// Runs one of our commands on what it is for: disks as they were, or converted ones, which stay for who only looks.
    fn our_run(&self, job: Job, disks: &Disks, copy: &mut Disks, purpose: Purpose) -> Result<OurRun> {
        if job.writes() {
            *copy = disks.fresh_copy(&self.scratch)?;
        }
        if job == Job::Undo {
            self.guestconv.run(Job::Convert, copy, Purpose::Time)?;
        }
        self.guestconv.run(job, copy, purpose)
    }

    fn peer_figures(&self, peer: Peer, disks: &Disks) -> Result<PeerFigures> {
        let peers = self.peers.as_ref().context("the peers are not there")?;
        let mut runs = Vec::new();
        for _ in 0..self.wish.peer_runs {
            let copy = disks.fresh_copy(&self.scratch)?;
            let disk = copy.images.first().context("a guest has a disk")?;
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

impl Wish {
    /// Returns what a whole benchmark has and this has not; `None`: it is whole.
    fn gap(&self) -> Option<String> {
        let gaps = [
            (!self.guests.is_empty(), "not all guests"),
            (!self.with_peers, "without the peers"),
            (!self.with_growth, "without what costs grow with"),
        ];
        let gaps: Vec<&str> = gaps.into_iter().filter(|(is_one, _)| *is_one).map(|(_, text)| text).collect();
        (!gaps.is_empty()).then(|| gaps.join(", "))
    }
}

fn wish(arguments: &[String]) -> Result<Wish> {
    let mut wish = Wish { guests: Vec::new(), runs: 5, peer_runs: 1, with_peers: true, with_growth: true };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} wants a value\n{USAGE}"));
        match argument.as_str() {
            "--guest" => wish.guests.push(value()?.clone()),
            "--runs" => wish.runs = count(value()?)?,
            "--peer-runs" => wish.peer_runs = count(value()?)?,
            "--without-peers" => wish.with_peers = false,
            "--without-growth" => wish.with_growth = false,
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
        let whole = Wish { guests: vec![], runs: 5, peer_runs: 1, with_peers: true, with_growth: true };
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
                &["--guest", "a", "--without-peers", "--without-growth"],
                Wish { guests: vec!["a".into()], with_peers: false, with_growth: false, ..whole },
                Some("not all guests, without the peers, without what costs grow with"),
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
