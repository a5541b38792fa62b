//! Which parts of a disk's file were written since it was a copy of the disk as it was built: all else need not be read
//! again after each of hundreds of faults. The tracer sees every write.

use super::call::{Kind, Operation};
use nix::libc::{FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE};

/// What was written to a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Touched {
    /// Begins and ends.
    ranges: Vec<(u64, u64)>,
    /// How far the content was moved by a range inserted in front.
    pub(super) shift: u64,
}

impl Touched {
    /// Notes what a call is about to do, whether it comes to it or not.
    pub(super) fn begins(&mut self, operation: &Operation) {
        match operation.kind {
            Kind::Write => self.add(operation.at, operation.at.saturating_add(operation.length)),
            Kind::Allocate if shift(operation).is_none() => {
                self.add(operation.at, operation.at.saturating_add(operation.length));
            }
            Kind::Truncate => self.add(operation.at, u64::MAX),
            Kind::CopyRange => self.add(0, u64::MAX),
            _ => {}
        }
    }

    /// Notes what a call has done.
    pub(super) fn ended(&mut self, operation: &Operation) {
        if operation.result < 0 {
            return;
        }
        match shift(operation) {
            None => {}
            Some(Shift::Up) => {
                let up = |at: &mut u64| *at = at.saturating_add(operation.length);
                self.ranges.iter_mut().for_each(|(begin, end)| {
                    up(begin);
                    up(end);
                });
                self.add(0, operation.length);
                self.shift += operation.length;
            }
            Some(Shift::Down) => {
                let down = |at: &mut u64| *at = at.saturating_sub(operation.length);
                self.ranges.iter_mut().filter(|(_, end)| *end != u64::MAX).for_each(|(_, end)| down(end));
                self.ranges.iter_mut().for_each(|(begin, _)| down(begin));
                // What was moved up by copying is all touched, and may come down so.
                self.shift = self.shift.saturating_sub(operation.length);
            }
        }
    }

    /// Returns the ranges in order, none of which overlap.
    pub(super) fn ranges(&self) -> Vec<(u64, u64)> {
        let mut ranges: Vec<_> = self.ranges.iter().copied().filter(|(begin, end)| begin < end).collect();
        ranges.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::new();
        for (begin, end) in ranges {
            match merged.last_mut() {
                Some((_, last)) if begin <= *last => *last = end.max(*last),
                _ => merged.push((begin, end)),
            }
        }
        merged
    }

    fn add(&mut self, begin: u64, end: u64) {
        self.ranges.push((begin, end));
    }
}

enum Shift {
    Up,
    Down,
}

/// Returns whether a call moves all content, which guestconv does at the beginning of a file alone.
fn shift(operation: &Operation) -> Option<Shift> {
    let is = |flag: i32| u64::try_from(flag) == Ok(operation.flags);
    match operation.kind {
        Kind::Allocate if is(FALLOC_FL_INSERT_RANGE) => Some(Shift::Up),
        Kind::Allocate if is(FALLOC_FL_COLLAPSE_RANGE) => Some(Shift::Down),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::Class;
    use super::*;

    fn operation(kind: Kind, flags: i32, at: u64, length: u64) -> Operation {
        let flags = flags.try_into().unwrap();
        let (class, path) = (Class::Disk, "/a/disk".into());
        Operation {
            kind,
            class,
            path,
            to: None,
            at,
            length,
            flags,
            data: Vec::new(),
            result: 0,
            modified: None,
        }
    }

    #[test]
    fn what_was_written_moves_with_the_content() {
        let mut touched = Touched::default();
        let mut add = |kind, flags, at, length| {
            let operation = operation(kind, flags, at, length);
            touched.begins(&operation);
            touched.ended(&operation);
            (touched.ranges(), touched.shift)
        };
        assert_eq!(add(Kind::Write, 0, 10, 5), (vec![(10, 15)], 0));
        assert_eq!(add(Kind::Write, 0, 12, 5), (vec![(10, 17)], 0));
        let inserted = add(Kind::Allocate, FALLOC_FL_INSERT_RANGE, 0, 100);
        assert_eq!(inserted, (vec![(0, 100), (110, 117)], 100));
        assert_eq!(add(Kind::Truncate, 0, 900, 0), (vec![(0, 100), (110, 117), (900, u64::MAX)], 100));
        let collapsed = add(Kind::Allocate, FALLOC_FL_COLLAPSE_RANGE, 0, 100);
        assert_eq!(collapsed, (vec![(10, 17), (800, u64::MAX)], 0));
    }
}
