//! What was measured on one guest, and the cells of its rows.

use super::figures::{Spread, ratio, spread};
use super::measure::Peak;
use super::ours::Job;
use super::parts::{DiskTraffic, Part};
use super::peers::Peer;
use super::picture::Bar;
use super::processes::Traffic;

/// What was measured on one guest.
pub(super) struct Subject {
    /// Its name.
    pub(super) name: String,
    /// Our commands, or why one failed.
    pub(super) ours: Vec<(Job, Result<OurFigures, String>)>,
    /// The peers; empty if they were not run.
    pub(super) peers: Vec<(Peer, PeerFigures)>,
}

/// What a program took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cost {
    /// Time on the wall, in seconds.
    pub(super) wall: Spread,
    /// Processor time, in seconds, the median.
    pub(super) cpu_seconds: f64,
    /// What went through system calls.
    pub(super) traffic: Traffic,
    /// The most at one time.
    pub(super) peak: Peak,
}

/// What one of our commands took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct OurFigures {
    /// From outside.
    pub(super) cost: Cost,
    /// Time on the wall, in seconds, of the run that is nearest to the median; what follows is of it.
    pub(super) typical_seconds: f64,
    /// Seconds of each part by its own clock, in the order of [`Part::ALL`].
    pub(super) parts: [f64; Part::ALL.len()],
    /// What went to and from the guest's disks.
    pub(super) disks: DiskTraffic,
}

/// What came of a peer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum PeerFigures {
    /// It did it.
    Done(Cost),
    /// It did not; what it said last.
    Failed(String),
}

impl Subject {
    fn ours(&self, job: Job) -> Option<&Result<OurFigures, String>> {
        self.ours.iter().find(|(known, _)| *known == job).map(|(_, figures)| figures)
    }

    fn our_wall(&self, job: Job) -> Option<Spread> {
        self.ours(job)?.as_ref().ok().map(|figures| figures.cost.wall)
    }

    fn peer(&self, peer: Peer) -> Option<&PeerFigures> {
        self.peers.iter().find(|(known, _)| *known == peer).map(|(_, figures)| figures)
    }

    fn peer_wall(&self, peer: Peer) -> Option<Spread> {
        match self.peer(peer)? {
            PeerFigures::Done(cost) => Some(cost.wall),
            PeerFigures::Failed(_) => None,
        }
    }

    /// Returns our commands that look at the guest, and so tell where their time goes.
    pub(super) fn looks(&self) -> impl Iterator<Item = &(Job, Result<OurFigures, String>)> {
        self.ours.iter().filter(|(job, _)| job.looks())
    }

    /// Returns what one of our commands took, as a cell.
    pub(super) fn our_cell(&self, job: Job) -> String {
        match self.ours(job) {
            Some(Ok(figures)) => spread(&figures.cost.wall),
            Some(Err(_)) => "failed".to_owned(),
            None => "not run".to_owned(),
        }
    }

    /// Returns what a peer took, as a cell.
    pub(super) fn peer_cell(&self, peer: Peer) -> String {
        match self.peer(peer) {
            Some(PeerFigures::Done(cost)) => spread(&cost.wall),
            Some(PeerFigures::Failed(_)) => "failed".to_owned(),
            None => "not run".to_owned(),
        }
    }

    /// Returns how many times longer the peer took than our command, as a cell; empty if one of them did not do it.
    pub(super) fn ratio_cell(&self, job: Job, peer: Peer) -> String {
        match (self.peer_wall(peer), self.our_wall(job)) {
            (Some(theirs), Some(ours)) => ratio(theirs.median, ours.median),
            _ => String::new(),
        }
    }

    /// Returns the times of inspection and conversion as bars, each with its peer's.
    pub(super) fn bars(&self) -> Vec<Bar> {
        let pairs = [
            ("guestconv inspect", Job::Inspect, Peer::Inspector),
            ("guestconv convert", Job::Convert, Peer::InPlace),
        ];
        let bars = pairs.into_iter().flat_map(|(program, job, peer)| {
            let ours = self.our_wall(job).map(|wall| Bar { program, is_ours: true, seconds: wall.median });
            let theirs = self.peer_wall(peer);
            let theirs =
                theirs.map(|wall| Bar { program: peer.name(), is_ours: false, seconds: wall.median });
            ours.into_iter().chain(theirs)
        });
        bars.collect()
    }

    /// Returns who failed, and what they said.
    pub(super) fn failures(&self) -> Vec<String> {
        let ours = self.ours.iter().filter_map(|(job, figures)| {
            Some(format!("`{}`: guestconv {}: {}", self.name, job.name(), figures.as_ref().err()?))
        });
        let peers = self.peers.iter().filter_map(|(peer, figures)| match figures {
            PeerFigures::Failed(said) => Some(format!("`{}`: {}: {said}", self.name, peer.name())),
            PeerFigures::Done(_) => None,
        });
        ours.chain(peers).collect()
    }

    /// Returns what each program that did it cost, ours first.
    pub(super) fn costs(&self) -> Vec<(String, Cost)> {
        let ours = self.ours.iter().filter_map(|(job, figures)| {
            Some((format!("guestconv {}", job.name()), figures.as_ref().ok()?.cost))
        });
        let peers = self.peers.iter().filter_map(|(peer, figures)| match figures {
            PeerFigures::Done(cost) => Some((peer.name().to_owned(), *cost)),
            PeerFigures::Failed(_) => None,
        });
        ours.chain(peers).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn cost(median: f64) -> Cost {
        Cost {
            wall: Spread { min: median, median, max: median },
            cpu_seconds: 0.5,
            traffic: Traffic { read_bytes: 1 << 20, written_bytes: 2 << 20 },
            peak: Peak { memory_bytes: 3 << 20, largest_process_bytes: 4 << 20, processes: 5 },
        }
    }

    fn figures(median: f64) -> OurFigures {
        let disks =
            DiskTraffic { read_bytes: 6 << 20, written_bytes: 7 << 20, requests: 8, committed_bytes: 0 };
        OurFigures {
            cost: cost(median),
            typical_seconds: median,
            parts: [0.01, 0.02, 0.03, 0.01, 0.01, 0.01],
            disks,
        }
    }

    pub(in super::super) fn subjects() -> Vec<Subject> {
        vec![
            Subject {
                name: "one".into(),
                ours: vec![(Job::Inspect, Ok(figures(0.1))), (Job::Convert, Ok(figures(0.25)))],
                peers: vec![
                    (Peer::Inspector, PeerFigures::Done(cost(20.0))),
                    (Peer::InPlace, PeerFigures::Failed("error: no".into())),
                ],
            },
            Subject {
                name: "two".into(),
                ours: vec![(Job::Inspect, Ok(figures(0.1))), (Job::Convert, Err("it broke".into()))],
                peers: vec![],
            },
        ]
    }

    #[test]
    fn who_did_it_has_a_bar() {
        let bar = |program, is_ours, seconds| Bar { program, is_ours, seconds };
        let expected = vec![
            vec![
                bar("guestconv inspect", true, 0.1),
                bar("virt-inspector", false, 20.0),
                bar("guestconv convert", true, 0.25),
            ],
            vec![bar("guestconv inspect", true, 0.1)],
        ];
        assert_eq!(subjects().iter().map(Subject::bars).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn who_failed_is_named_with_the_guest() {
        let failures: Vec<String> = subjects().iter().flat_map(Subject::failures).collect();
        assert_eq!(failures, ["`one`: virt-v2v-in-place: error: no", "`two`: guestconv convert: it broke"]);
    }
}
