//! Power cuts: a run is recorded with what it wrote, and cut at a point. What a completed sync ordered is there; of all else,
//! any part may be: writes in any order, torn at sectors, names or not. From such a state the next open must go on.
//!
//! This is what POSIX promises, which is less than file systems do: a sync of a file does not make its name durable.

use super::call::{Data, Kind, Operation};
use super::case::{Aside, Case};
use super::crash::Crash;
use super::judge::judge;
use super::kill::begun;
use super::random::Random;
use super::stage::{Point, Points};
use super::table::Table;
use super::trial;

/// Tries about `wanted` power cuts on a guest.
pub(super) fn power(case: &mut Case, wanted: usize, random: &mut Random, table: &mut Table) {
    let recorded = trial::whole(case, "convert", Data::Keep);
    case.learn_rooms();
    table.add("convert", "none", "listing", judge(case, recorded.aside.as_ref()));
    let operations = recorded.run.operations;
    cuts(case, "convert", &operations, recorded.aside.as_ref(), wanted * 6 / 10, &|| {}, random, table);

    let (begun, aside) = begun(case);
    case.restore();
    let begin = || case.place(&begun);
    begin();
    let operations = trial::whole(case, "recover", Data::Keep).run.operations;
    table.add("recover", "none", "listing", judge(case, Some(&aside)));
    cuts(case, "recover", &operations, Some(&aside), wanted * 2 / 10, &begin, random, table);

    let finish = || {
        case.place(&begun);
        case.succeeds("recover").unwrap();
    };
    finish();
    let operations = trial::whole(case, "undo", Data::Keep).run.operations;
    table.add("undo", "none", "listing", judge(case, None));
    cuts(case, "undo", &operations, Some(&aside), wanted * 2 / 10, &finish, random, table);
}

#[allow(clippy::too_many_arguments, reason = "a run, how it begins, and what is made of it")]
fn cuts(
    case: &Case,
    command: &str,
    operations: &[Operation],
    aside: Option<&Aside>,
    wanted: usize,
    begin: &dyn Fn(),
    random: &mut Random,
    table: &mut Table,
) {
    let mut points = Points::default();
    let done: Vec<(Point, usize)> =
        (0..).zip(operations).map(|(index, operation)| (points.next(operation), index)).collect();
    for (point, index) in trial::spread(&done, wanted) {
        begin();
        let made = operations.iter().take(index + 1).filter(|operation| operation.result >= 0);
        let crash = Crash::after(case, made.filter(|operation| operation.kind != Kind::Read));
        let what = crash.happen(case, random);
        table.add(command, &format!("power cut, {what}"), &point.to_string(), judge(case, aside));
    }
}
