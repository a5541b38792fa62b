//! One run with one fault, and which points of a run faults are tried at.

use super::call::{Data, Kind, Operation};
use super::case::{Aside, Case};
use super::file::Class;
use super::stage::{Point, Points, Stage};
use super::tracee::{Act, Run};
use nix::errno::Errno;
use nix::libc::{FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE};

/// A run under faults.
pub(super) struct Trial {
    pub(super) run: Run,
    /// What the overlays held when the commit was about to begin; `None` if it came not so far.
    pub(super) aside: Option<Aside>,
    /// The points of the run, each with what happens there.
    pub(super) points: Vec<(Point, Operation)>,
}

/// Runs a command of the program; `act` says what happens at each point.
pub(super) fn run(
    case: &Case,
    command: &str,
    data: Data,
    act: &mut dyn FnMut(Point, &Operation) -> Act,
) -> Trial {
    let (mut numbers, mut aside, mut points) = (Points::default(), None, Vec::new());
    let run = case.run(command, data, &mut |operation| {
        // What is copied by the file system cannot be recorded.
        if case.kind.is_moved && shifts(operation) || (data, operation.kind) == (Data::Keep, Kind::CopyRange)
        {
            return Act::Fail(Errno::EOPNOTSUPP);
        }
        // There are thousands, and a commit that has not begun needs none of them.
        if operation.kind == Kind::Read && numbers.stage() == Stage::Apply {
            return Act::Go;
        }
        let point = numbers.next(operation);
        if command == "convert" && aside.is_none() && point.stage >= Stage::Journal {
            aside = Some(case.set_aside());
        }
        points.push((point, Operation { data: Vec::new(), ..operation.clone() }));
        act(point, operation)
    });
    Trial { run, aside, points }
}

/// Runs a command that must succeed, and returns what it did.
///
/// # Panics
/// If it does not.
pub(super) fn whole(case: &Case, command: &str, data: Data) -> Trial {
    let trial = run(case, command, data, &mut |_, _| Act::Go);
    assert_eq!(trial.run.status, Some(0), "{} {command}: {}", case.kind.name(), trial.run.said);
    trial
}

/// Does the call move content by telling the file system?
fn shifts(operation: &Operation) -> bool {
    let flags = [FALLOC_FL_INSERT_RANGE, FALLOC_FL_COLLAPSE_RANGE];
    operation.kind == Kind::Allocate
        && operation.class == Class::Disk
        && flags.iter().any(|flag| operation.flags == u64::try_from(*flag).unwrap())
}

/// Returns `wanted` of the points, as even over the stages as they are there, and within a stage.
pub(super) fn spread<T>(points: &[(Point, T)], wanted: usize) -> Vec<&(Point, T)> {
    let of = |stage| points.iter().filter(move |(point, _)| point.stage == stage);
    let mut quotas = Stage::ALL.map(|stage| (stage, of(stage).count(), 0));
    let mut left = wanted;
    while left > 0 && quotas.iter().any(|(_, count, quota)| quota < count) {
        for (_, count, quota) in &mut quotas {
            if *quota < *count && left > 0 {
                *quota += 1;
                left -= 1;
            }
        }
    }
    let chosen = quotas.into_iter().flat_map(|(stage, count, quota)| {
        (0..quota).filter_map(move |index| of(stage).nth(index * count / quota))
    });
    chosen.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_spread_over_stages() {
        let point = |stage| move |number| (Point { stage, number }, ());
        let points: Vec<_> =
            (0..100).map(point(Stage::Apply)).chain((0..3).map(point(Stage::Keep))).collect();
        let chosen: Vec<String> = spread(&points, 7).iter().map(|(point, ())| point.to_string()).collect();
        assert_eq!(chosen, ["apply:0", "apply:25", "apply:50", "apply:75", "keep:0", "keep:1", "keep:2"]);
        assert_eq!(spread(&points, 1000).len(), 103);
    }
}
