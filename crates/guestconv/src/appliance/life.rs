//! Tells an appliance that works from one whose kernel goes round in a circle over a damaged file system.
//!
//! One that works asks for its disks, or says so ([`guestconv_core::protocol::SIGN_OF_LIFE`]). Slow storage is no hang: then a
//! request is open, and the appliance waits. Nor is a busy host: what counts is processor time of the appliance itself.

use rustix::process::Pid;
use std::fs;
use std::time::{Duration, Instant};

/// From when on somebody looks, and how often.
const LOOK: Duration = Duration::from_secs(1);
/// What the kernel counts processor time in, the same on every Linux of today.
const TICKS_PER_SECOND: u64 = 100;

/// What is known of the signs of an appliance.
pub(super) struct Life {
    /// How much processor time may go without a sign.
    silent_limit: Duration,
    signs: u64,
    looked: Instant,
    /// The processor time when somebody first looked after the last sign.
    since: Option<Duration>,
}

impl Life {
    /// Returns that it has just started.
    pub(super) fn new(silent_limit: Duration) -> Self {
        Self { silent_limit, signs: 0, looked: Instant::now(), since: None }
    }

    /// Returns whether it hangs. `signs` counts all that came from it so far, `leader` is its process.
    pub(super) fn hangs(&mut self, signs: u64, leader: Option<Pid>) -> bool {
        if signs != self.signs {
            *self = Self { signs, ..Self::new(self.silent_limit) };
            return false;
        }
        if self.looked.elapsed() < LOOK {
            return false;
        }
        self.looked = Instant::now();
        // Who cannot be asked is left to the time limit.
        let Some(taken) = leader.and_then(processor_time) else { return false };
        let since = *self.since.get_or_insert(taken);
        taken.saturating_sub(since) >= self.silent_limit
    }
}

/// Returns the processor time of a process and its children: the kernel, and the processes inside.
fn processor_time(leader: Pid) -> Option<Duration> {
    let leader = leader.as_raw_nonzero();
    let children = fs::read_to_string(format!("/proc/{leader}/task/{leader}/children")).unwrap_or_default();
    let own = ticks(&fs::read_to_string(format!("/proc/{leader}/stat")).ok()?)?;
    let theirs = children
        .split_ascii_whitespace()
        .filter_map(|child| ticks(&fs::read_to_string(format!("/proc/{child}/stat")).ok()?));
    Some(Duration::from_millis((own + theirs.sum::<u64>()) * 1000 / TICKS_PER_SECOND))
}

/// Returns the ticks in a line of `/proc/PID/stat`, those of children that have ended with them.
fn ticks(stat: &str) -> Option<u64> {
    // The name is in parentheses and may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    (11..15).map(|at| fields.get(at)?.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_that_of_all_four_counts() {
        assert_eq!(ticks("42 (a) Z (b) S 7 40 40 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1"), Some(26));
        assert_eq!(ticks("42 (a) S 7"), None);
        let own = rustix::process::getpid();
        let before = processor_time(own).unwrap();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(100) {}
        assert!(processor_time(own).unwrap() >= before);
    }

    #[test]
    fn a_sign_starts_the_count_anew() {
        let long_ago = Instant::now().checked_sub(Duration::from_secs(10)).unwrap();
        let (own, silent_limit) = (Some(rustix::process::getpid()), Duration::from_secs(6));
        let mut life = Life { silent_limit, signs: 5, looked: long_ago, since: None };
        assert!(!life.hangs(5, own), "the first look only notes what was taken so far");
        life.looked = long_ago;
        assert!(!life.hangs(5, own), "a test takes no processor time to speak of");
        assert!(!life.hangs(6, own));
        assert_eq!((life.signs, life.since), (6, None));
        let mut unknown = Life { silent_limit, signs: 5, looked: long_ago, since: None };
        assert!(!unknown.hangs(5, None));
    }
}
