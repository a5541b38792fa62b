//! What came of the faults, by guest and by what was done to it: for a person, and for a test.

use super::judge::Verdict;
use std::collections::BTreeMap;
use std::fmt;

/// Counts of one row.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    start: usize,
    finished: usize,
    losses: usize,
}

/// What came of all faults.
#[derive(Default)]
pub(super) struct Table {
    guest: String,
    rows: BTreeMap<(String, String, String), Counts>,
    losses: Vec<String>,
    missed: usize,
    seed: u64,
    /// How many faults there were.
    pub(super) points: usize,
}

impl Table {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// What follows is of this guest.
    pub(super) fn guest(&mut self, name: String) {
        self.guest = name;
    }

    /// Adds what came of a fault: of which command, what was done, and where.
    pub(super) fn add(&mut self, command: &str, what: &str, at: &str, verdict: Verdict) {
        let key = (self.guest.clone(), command.to_owned(), what.to_owned());
        let counts = self.rows.entry(key).or_default();
        self.points += usize::from(what != "none");
        if self.points.is_multiple_of(50) {
            eprintln!("{} faults, at {}: {command}, {what}, {at}", self.points, self.guest);
        }
        match verdict {
            Verdict::Start => counts.start += 1,
            Verdict::Finished => counts.finished += 1,
            Verdict::Loss(why) => {
                counts.losses += 1;
                let loss =
                    format!("LOST {}: {command}, {what} at {at}, seed {}: {why}", self.guest, self.seed);
                eprintln!("{loss}");
                self.losses.push(loss);
            }
        }
    }

    /// A run came not to the point that it was to be killed at.
    pub(super) fn missed(&mut self) {
        self.missed += 1;
    }

    /// Returns how many were lost.
    pub(super) fn losses(&self) -> usize {
        self.losses.len()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:28} {:12} {:24} {:>6} {:>8} {:>6}",
            "guest", "command", "fault", "start", "finished", "lost"
        )?;
        for ((guest, command, what), Counts { start, finished, losses }) in &self.rows {
            writeln!(f, "{guest:28} {command:12} {what:24} {start:6} {finished:8} {losses:6}")?;
        }
        for loss in &self.losses {
            writeln!(f, "{loss}")?;
        }
        let (points, missed) = (self.points, self.missed);
        writeln!(f, "{points} faults, {} losses; {missed} not reached; seed {}", self.losses(), self.seed)
    }
}
