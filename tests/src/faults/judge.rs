//! What is true of the disks after a fault: opened again they are what they were or what they were to become, all alike.

use super::case::{Aside, Case};
use super::file::Class;
use crate::images::qemu_img_says;
use std::fs;
use std::os::unix::fs::MetadataExt;

/// How QEMU's program ends if there are leaks and nothing worse.
const LEAKS: i32 = 3;

/// What the next open made of the disks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// They are what they were.
    Start,
    /// They are converted, and were then undone bit for bit.
    Finished,
    /// Neither, and why.
    Loss(String),
}

/// Opens the disks, which repairs them, looks at them, and leaves them as they were built.
pub(super) fn judge(case: &Case, aside: Option<&Aside>) -> Verdict {
    let verdict = repaired(case).and_then(|()| state(case, aside));
    let verdict = verdict.unwrap_or_else(Verdict::Loss);
    if case.kind.is_qcow2 || matches!(verdict, Verdict::Loss(_)) {
        case.restore();
    }
    verdict
}

/// Opens the disks twice; the second time has nothing to repair.
pub(super) fn repaired(case: &Case) -> Result<(), String> {
    case.succeeds("recover")?;
    let first = listing(case);
    case.succeeds("recover")?;
    let second = listing(case);
    if first != second {
        return Err(format!("a second recovery changes something: {first:?} {second:?}"));
    }
    Ok(())
}

fn state(case: &Case, aside: Option<&Aside>) -> Result<Verdict, String> {
    sound(case)?;
    let Some(from_start) = case.differs_from_start() else {
        only(case, &[Class::Disk])?;
        return Ok(Verdict::Start);
    };
    let Some(aside) = aside else {
        return Err(format!("changed before the commit began: {from_start}"));
    };
    if let Some(from_finished) = case.differs_from(&case.finished(aside)) {
        return Err(format!("neither as it was ({from_start}) nor converted ({from_finished})"));
    }
    only(case, &[Class::Disk, Class::Undo, Class::Record])?;
    case.succeeds("undo")?;
    sound(case)?;
    if let Some(difference) = case.differs_from_start() {
        return Err(format!("an undo does not bring back what was: {difference}"));
    }
    only(case, &[Class::Disk])?;
    Ok(Verdict::Finished)
}

/// Images in qcow2 are as their own counts say.
pub(super) fn sound(case: &Case) -> Result<(), String> {
    if case.kind.is_qcow2 {
        for (disk, _) in case.copy.disks() {
            // What is counted and not used is room that is lost, and nothing else is.
            qemu_img_says(&["check", "-f", "qcow2"], &[&disk], &[0, LEAKS])?;
        }
    }
    Ok(())
}

fn only(case: &Case, expected: &[Class]) -> Result<(), String> {
    let mut classes = case.classes();
    classes.dedup();
    if classes == expected { Ok(()) } else { Err(format!("files are left: {:?}", case.copy.files())) }
}

fn listing(case: &Case) -> Vec<(String, u64, i64, i64)> {
    let told = |name: String| {
        let file = fs::metadata(case.directory.join(&name)).unwrap();
        (name, file.len(), file.mtime(), file.mtime_nsec())
    };
    case.copy.files().into_iter().map(told).collect()
}
