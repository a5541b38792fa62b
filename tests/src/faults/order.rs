//! The order in which a commit writes and syncs, as the kernel saw it: what `ARCHITECTURE.md` promises.

use super::call::{Data, Kind};
use super::case::Case;
use super::judge::{Verdict, judge};
use super::stage::{Points, Stage};
use super::trial;

/// Converts a guest and prints what it did to which files from the first sync on; the same again and again is said once.
#[allow(clippy::print_stdout, reason = "it is what the program has to say")]
pub(super) fn order(case: &mut Case) {
    let trial = trial::whole(case, "convert", Data::Leave);
    case.learn_rooms();
    assert_eq!(judge(case, trial.aside.as_ref()), Verdict::Finished, "{}", case.kind.name());
    let mut points = Points::default();
    let mut lines = Vec::new();
    for operation in trial.run.operations.iter().filter(|operation| operation.kind != Kind::Read) {
        if points.next(operation).stage >= Stage::Overlays && operation.result >= 0 {
            lines.push(operation.to_string());
        }
    }
    lines.dedup();
    lines.iter().for_each(|line| println!("{line}"));
}
