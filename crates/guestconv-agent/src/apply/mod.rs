//! Apply: carries out the changes of a plan, in order, and nothing else.
//!
//! It writes to an overlay that is thrown away unless all of this, and verify, succeeds. So a file is changed in its
//! place, which keeps owner, mode, attributes, hard links and place on the disk (GRUB knows `grubenv` by its blocks), and
//! nothing is undone after a failure: the first one stops the work. Only the roots that the plan's steps name are mounted.

mod files;
mod initramfs;
mod program;

use crate::clock::Clock;
use crate::layout::{self, Scan};
use crate::mount::{Access, Mounted};
use crate::start::failure;
use files::Files;
use guestconv_core::change::Change;
use guestconv_core::lay_out::LayOut;
use guestconv_core::layout::Partition;
use guestconv_core::plan::{Plan, PlanRoot, Step};
use guestconv_core::protocol::SlotKey;
use guestconv_core::report::{Failure, Outcome, StepOutcome, StepStatus, WrittenFile};

/// Carries out a plan.
///
/// # Errors
/// A failure before the first step (a root that cannot be mounted) or after the last (one that cannot be unmounted).
pub(crate) fn outcome(
    disks: &[String],
    keys: &[SlotKey],
    plan: &Plan,
    clock: &mut Clock,
) -> Result<Outcome, Failure> {
    let scan = layout::scan(disks, keys)?;
    clock.ended("scan");
    let mut mounted = Mounted::nothing(Access::Write);
    let (mut steps, mut error) = (Vec::new(), None);
    for (index, root) in plan.roots.iter().enumerate() {
        if !plan.steps.iter().any(|step| step.root == index) {
            steps.push(None);
            continue;
        }
        steps.push(Some(assembled(&scan, &mut mounted, root)?));
    }
    let roots = steps;
    clock.ended("mount");
    let mut steps = Vec::new();
    for step in &plan.steps {
        let files = roots.get(step.root).and_then(Option::as_ref);
        let (status, written) = match (&error, files) {
            (Some(_), _) => (StepStatus::NotRun, Vec::new()),
            (None, None) => {
                let text = format!("step {} names root {}, which the plan does not have", step.id, step.root);
                error = Some(failure("request-failed", text));
                (StepStatus::Failed, Vec::new())
            }
            (None, Some(files)) => match carried_out(&scan, files, step) {
                Ok(written) => (StepStatus::Done, written),
                Err(failed) => {
                    error =
                        Some(Failure { message: format!("step {}: {}", step.id, failed.message), ..failed });
                    (StepStatus::Failed, Vec::new())
                }
            },
        };
        steps.push(StepOutcome { id: step.id.clone(), status, files: written });
        clock.ended(format!("step {}", step.id));
    }
    drop(roots);
    rustix::fs::sync();
    mounted.unmount(0).map_err(|error| failure("unmount-failed", error.to_string()))?;
    clock.ended("unmount");
    scan.close().map_err(|error| failure("unmount-failed", error.to_string()))?;
    // The machine is gone as soon as it has answered.
    rustix::fs::sync();
    clock.ended("close");
    let mut outcome = Outcome::of(steps);
    outcome.error = error;
    Ok(outcome)
}

fn assembled(scan: &Scan, mounted: &mut Mounted, root: &PlanRoot) -> Result<Files, Failure> {
    let device = &root.device;
    let failed = |what: &str, error: &std::io::Error| {
        failure("mount-failed", format!("cannot mount {what} of root {device} for writing: {error}"))
    };
    let (top, others) = root
        .mounts
        .split_first()
        .ok_or_else(|| failure("request-failed", "a root of the plan has no mounts"))?;
    let place = mounted.apart(scan, top, None).map_err(|error| failed("/", &error))?;
    for mount in others {
        let inside = mounted.inside(scan, &place, mount);
        inside.map_err(|error| failed(mount.mountpoint.as_str(), &error))?;
    }
    Files::of(place).map_err(|error| failed("/", &error))
}

/// The block layer has done it: the table is there, and the file system that was on the disk is in its partition.
fn require_laid_out(scan: &Scan, lay_out: &LayOut) -> Result<(), Failure> {
    let disk = scan.layout.disks.iter().find(|disk| disk.name == lay_out.disk);
    let table = disk.and_then(|disk| disk.table.as_ref());
    let is_before = |partition: &Partition| {
        let found = scan.layout.filesystem(&partition.device);
        found.is_some_and(|found| {
            found.kind == lay_out.before.filesystem
                && found.uuid.as_deref() == Some(lay_out.before.uuid.as_str())
        })
    };
    if table != Some(&lay_out.table) {
        let text = format!("the disk {} does not have the partition table of the plan", lay_out.disk);
        return Err(failure("disk-not-laid-out", text));
    }
    if !lay_out.table.partitions.iter().any(is_before) {
        let text = format!(
            "the disk {} does not hold the {} {} that the plan was made for; plan again",
            lay_out.disk, lay_out.before.filesystem, lay_out.before.uuid
        );
        return Err(failure("disk-changed", text));
    }
    Ok(())
}

fn carried_out(scan: &Scan, files: &Files, step: &Step) -> Result<Vec<WrittenFile>, Failure> {
    let mut written: Vec<WrittenFile> = Vec::new();
    for change in &step.changes {
        let (mut now, mut before) = (None, None);
        if let Change::AppendInitramfs(append) = change {
            before = Some(append.before.clone()); // or it fails
        } else if let Some(path) = change.path() {
            before = files.hash(path)?;
        }
        match change {
            Change::Write { path, before, after, mode } => {
                files.write(path, before.as_deref(), after, *mode)?;
            }
            Change::Remove { path, before } => files.remove(path, before)?,
            Change::Link { path, before, to } => files.link(path, before.as_ref(), to)?,
            Change::Copy { from, source, to } => files.copy(from, source, to)?,
            Change::AppendInitramfs(append) => now = Some(initramfs::append(files, append)?),
            Change::LayOut(lay_out) => require_laid_out(scan, lay_out)?,
            Change::Run { argv } => program::run(files.place(), argv)?,
            _ => return Err(failure("request-failed", "the agent does not know this change")),
        }
        if let Some(path) = change.path() {
            let now = if now.is_some() { now } else { files.hash(path)? };
            match written.iter_mut().find(|file| file.path == *path) {
                Some(file) => file.now = now,
                None => written.push(WrittenFile { path: path.clone(), before, now }),
            }
        }
    }
    Ok(written)
}
