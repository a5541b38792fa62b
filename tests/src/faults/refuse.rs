//! Refusals: the host answers a call with an error, once or from then on, as a full disk and a broken one do. The program
//! says so; where it says that nothing was changed, nothing was.

use super::call::{Data, Kind, Operation};
use super::case::{Aside, Case};
use super::judge::{Verdict, judge};
use super::kill::begun;
use super::random::Random;
use super::stage::Point;
use super::table::Table;
use super::tracee::{Act, Run};
use super::trial;
use nix::errno::Errno;

/// An error of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Refusal {
    error: Errno,
    lasts: Lasts,
}

/// For how long the host refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lasts {
    /// Once.
    Once,
    /// Whatever would take room, in files of that class.
    InClass,
    /// Whatever is like it, until the program ends.
    ForEver,
}

/// Tries about `wanted` refusals on a guest.
pub(super) fn refuse(case: &mut Case, wanted: usize, random: &mut Random, table: &mut Table) {
    let listed = trial::whole(case, "convert", Data::Leave);
    case.learn_rooms();
    table.add("convert", "none", "listing", judge(case, listed.aside.as_ref()));
    let points = within_reach(listed.points);
    for (point, operation) in trial::spread(&points, wanted * 6 / 10) {
        let refusal = refusal(operation, random);
        refused(case, "convert", *point, operation, refusal, None, table);
    }

    let (begun, aside) = begun(case);
    case.restore();
    case.place(&begun);
    let recovery = trial::whole(case, "recover", Data::Leave);
    table.add("recover", "none", "listing", judge(case, Some(&aside)));
    for (point, operation) in trial::spread(&within_reach(recovery.points), wanted * 2 / 10) {
        case.place(&begun);
        refused(case, "recover", *point, operation, refusal(operation, random), Some(&aside), table);
    }
    case.place(&begun);
    case.succeeds("recover").unwrap();
    let undo = trial::whole(case, "undo", Data::Leave);
    table.add("undo", "none", "listing", judge(case, None));
    for (point, operation) in trial::spread(&within_reach(undo.points), wanted * 2 / 10) {
        case.place(&begun);
        case.succeeds("recover").unwrap();
        refused(case, "undo", *point, operation, refusal(operation, random), Some(&aside), table);
    }
}

/// Returns the points without advice, whose answer nobody needs.
fn within_reach(mut points: Vec<(Point, Operation)>) -> Vec<(Point, Operation)> {
    points.retain(|(_, operation)| operation.kind != Kind::Drop);
    points
}

/// Returns an error that the call may have.
fn refusal(operation: &Operation, random: &mut Random) -> Refusal {
    let (errors, all): (&[Errno], &[Lasts]) = match operation.kind {
        Kind::Create | Kind::Write | Kind::Allocate | Kind::CopyRange => (
            &[Errno::EIO, Errno::ENOSPC, Errno::ENOSPC, Errno::EDQUOT],
            &[Lasts::Once, Lasts::InClass, Lasts::ForEver],
        ),
        Kind::Rename => (&[Errno::EIO, Errno::ENOSPC], &[Lasts::Once, Lasts::ForEver]),
        _ => (&[Errno::EIO], &[Lasts::Once, Lasts::InClass, Lasts::ForEver]),
    };
    Refusal { error: random.one_of(errors), lasts: random.one_of(all) }
}

fn refused(
    case: &Case,
    command: &str,
    at: Point,
    first: &Operation,
    refusal: Refusal,
    aside: Option<&Aside>,
    table: &mut Table,
) {
    let mut is_reached = false;
    let trial = trial::run(case, command, Data::Leave, &mut |point, operation| {
        is_reached |= point == at;
        let is_like_it = alike(first.kind, operation.kind);
        let is_refused = match refusal.lasts {
            _ if point == at => true,
            Lasts::Once => false,
            Lasts::InClass => is_reached && is_like_it && operation.class == first.class,
            Lasts::ForEver => is_reached && is_like_it,
        };
        if is_refused { Act::Fail(refusal.error) } else { Act::Go }
    });
    if !is_reached {
        table.missed();
    }
    let lasts = match refusal.lasts {
        Lasts::Once => "once",
        Lasts::InClass => "in such files",
        Lasts::ForEver => "from then on",
    };
    let told = told(case, command, &trial.run, aside);
    let verdict = match told {
        Ok(()) => judge(case, trial.aside.as_ref().or(aside)),
        Err(why) => {
            case.restore();
            Verdict::Loss(why)
        }
    };
    let at = format!("{at} ({first}), {lasts}");
    table.add(command, &format!("{} {}", refusal.error_name(), first.kind), &at, verdict);
}

impl Refusal {
    fn error_name(&self) -> String {
        format!("{:?}", self.error)
    }
}

/// Would the same state of the host refuse both?
fn alike(one: Kind, other: Kind) -> bool {
    let takes_room =
        |kind| matches!(kind, Kind::Create | Kind::Write | Kind::Allocate | Kind::CopyRange | Kind::Rename);
    one == other || (takes_room(one) && takes_room(other))
}

/// Fails if the program says what is not so.
fn told(case: &Case, command: &str, run: &Run, finished: Option<&Aside>) -> Result<(), String> {
    let has_code = || run.said.contains('[') && run.said.contains(']') && !run.said.contains("panicked");
    match run.status {
        Some(0) => Ok(()),
        Some(4) if has_code() => Ok(()),
        // An open that fails while a commit is under way has nothing to say of the disks.
        Some(1) if command == "recover" => Ok(()),
        Some(1 | 2 | 3 | 6 | 7) if !has_code() => Err(format!("no code: {}", run.said)),
        Some(1 | 3 | 6 | 7) => {
            let difference = match (command, finished) {
                ("undo", Some(aside)) => case.differs_from(&case.finished(aside)),
                _ => case.differs_from_start(),
            };
            match difference {
                None => Ok(()),
                Some(difference) => {
                    Err(format!("nothing was changed, it says, but {difference}: {}", run.said))
                }
            }
        }
        status => Err(format!("status {status:?}: {}", run.said)),
    }
}
