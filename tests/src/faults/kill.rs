//! Kills: all processes at a point of a conversion, of the recovery of one, of an undo and of a `discard-undo`; and the
//! appliance alone.

use super::call::{Data, Kind, Operation};
use super::case::{Aside, Case};
use super::file::Class;
use super::judge::{Verdict, judge, repaired, sound};
use super::stage::{Point, Stage};
use super::table::Table;
use super::tracee::Act;
use super::trial;
use tempfile::TempDir;

/// The smallest part of a write that reaches a disk.
const SECTOR_BYTES: u64 = 512;

/// Tries about `wanted` kills on a guest.
pub(super) fn kill(case: &mut Case, wanted: usize, table: &mut Table) {
    let listed = trial::whole(case, "convert", Data::Leave);
    case.learn_rooms();
    table.add("convert", "none", "listing", judge(case, listed.aside.as_ref()));
    // The recovery and the undo need no appliance: they are cheap, and as dangerous.
    let points = changes(listed.points);
    conversions(case, &points, wanted * 5 / 10, table);
    appliance_alone(case, &points, (wanted / 16).max(1), table);

    let (begun, aside) = begun(case);
    case.restore();
    case.place(&begun);
    let recovery = trial::whole(case, "recover", Data::Leave);
    table.add("recover", "none", "listing", judge(case, Some(&aside)));
    for (index, (point, operation)) in
        trial::spread(&recovery.points, wanted * 3 / 10).into_iter().enumerate()
    {
        let act = act(index, operation);
        case.place(&begun);
        killed(case, "recover", *point, act, Some(&aside), table);
    }

    case.place(&begun);
    case.succeeds("recover").unwrap();
    let undo = trial::whole(case, "undo", Data::Leave);
    table.add("undo", "none", "listing", judge(case, None));
    for (index, (point, operation)) in
        trial::spread(&changes(undo.points), wanted * 2 / 10).into_iter().enumerate()
    {
        case.place(&begun);
        case.succeeds("recover").unwrap();
        killed(case, "undo", *point, act(index, operation), Some(&aside), table);
    }
    discards(case, &begun, &aside, table);
}

/// Returns the points where something changes: between two of them a kill is like one before the second.
fn changes(mut points: Vec<(Point, Operation)>) -> Vec<(Point, Operation)> {
    points.retain(|(_, operation)| !matches!(operation.kind, Kind::Read | Kind::Drop));
    points
}

fn conversions(case: &Case, points: &[(Point, Operation)], wanted: usize, table: &mut Table) {
    for (index, (point, operation)) in trial::spread(points, wanted).into_iter().enumerate() {
        killed(case, "convert", *point, act(index, operation), None, table);
    }
}

/// Returns how the point of that number is killed: before the call, after it, or in it.
fn act(index: usize, operation: &Operation) -> Act {
    match index % 3 {
        0 => Act::Kill,
        1 => Act::KillAfter,
        _ if operation.kind == Kind::Write && operation.length > SECTOR_BYTES => {
            Act::Tear((operation.length / 2).next_multiple_of(SECTOR_BYTES).min(operation.length - 1))
        }
        _ => Act::Kill,
    }
}

/// Runs a command, kills it at a point, and judges; `aside` is what the disks become where the command does not tell.
fn killed(case: &Case, command: &str, at: Point, act: Act, aside: Option<&Aside>, table: &mut Table) {
    let trial = trial::run(case, command, Data::Leave, &mut |point, operation| match act {
        _ if point != at => Act::Go,
        // Another run may write less there.
        Act::Tear(length) if operation.kind != Kind::Write || operation.length <= length => Act::Kill,
        act => act,
    });
    let what = what(act);
    if trial.run.status.is_some() {
        // The stage was shorter this time: it ended by itself.
        table.missed();
    } else {
        let verdict = judge(case, trial.aside.as_ref().or(aside));
        return table.add(command, what, &at.to_string(), verdict);
    }
    case.restore();
}

fn what(act: Act) -> &'static str {
    match act {
        Act::KillAfter => "kill after",
        Act::Tear(_) => "kill within",
        _ => "kill before",
    }
}

/// The program lives on, says so, and has changed nothing.
fn appliance_alone(case: &Case, points: &[(Point, Operation)], wanted: usize, table: &mut Table) {
    let apply: Vec<_> = points
        .iter()
        .filter(|(point, operation)| {
            (point.stage, operation.class) == (Stage::Apply, Class::Overlay) && operation.kind == Kind::Write
        })
        .map(|(point, _)| (*point, ()))
        .collect();
    // At the beginning there is no appliance yet.
    let (_, with_appliance) = apply.split_at(apply.len() / 2);
    for (at, ()) in trial::spread(with_appliance, wanted) {
        let trial = trial::run(case, "convert", Data::Leave, &mut |point, _| match point == *at {
            true => Act::KillAppliance,
            false => Act::Go,
        });
        let verdict = match (trial.run.status, case.differs_from_start()) {
            // It had ended before: the headers of an overlay are written without it.
            (Some(0), _) => judge(case, trial.aside.as_ref()),
            (Some(1 | 3 | 7), None) => judge(case, None),
            (status, difference) => {
                Verdict::Loss(format!("status {status:?}, {difference:?}: {}", trial.run.said))
            }
        };
        table.add("convert", "appliance", &at.to_string(), verdict);
    }
}

/// Kills a conversion when its commit has begun; returns the files that it leaves beside the untouched disks.
pub(super) fn begun(case: &Case) -> (TempDir, Aside) {
    let trial = trial::run(case, "convert", Data::Leave, &mut |point, _| match point.stage {
        Stage::Fold => Act::Kill,
        _ => Act::Go,
    });
    assert_eq!(case.differs_from_start(), None, "{}: the commit has not folded anything", case.kind.name());
    (case.snapshot(), trial.aside.unwrap())
}

/// A conversion that is given up for good is there, however far its undo files are gone; and they can be discarded again.
fn discards(case: &Case, begun: &TempDir, aside: &Aside, table: &mut Table) {
    let finished = case.finished(aside);
    let place = || {
        case.place(begun);
        case.succeeds("recover").unwrap();
    };
    place();
    let listed = trial::whole(case, "discard-undo", Data::Leave);
    case.restore();
    for (at, _) in &changes(listed.points) {
        place();
        trial::run(case, "discard-undo", Data::Leave, &mut |point, _| match point == *at {
            true => Act::Kill,
            false => Act::Go,
        });
        let discarded = || {
            repaired(case)?;
            sound(case)?;
            if case.classes().iter().any(|class| *class != Class::Disk) {
                case.succeeds("discard-undo")?;
            }
            match (case.differs_from(&finished), case.classes().iter().all(|class| *class == Class::Disk)) {
                (None, true) => Ok(Verdict::Finished),
                (difference, _) => Err(format!("{difference:?}, with {:?}", case.copy.files())),
            }
        };
        let verdict = discarded().unwrap_or_else(Verdict::Loss);
        table.add("discard-undo", "kill before", &at.to_string(), verdict);
        case.restore();
    }
}
