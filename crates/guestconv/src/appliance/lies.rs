//! What a reply may not say. It was read as what its type says; here it is held against what was asked and against itself: a
//! guest that took over the appliance may say anything, and what we plan, show and start follows from it.
//!
//! What an agent of ours never says is an error, and names what lied. What a strange guest may honestly have is none.

use crate::error::{Error, ErrorKind, Result};
use guestconv_core::facts::{FACTS_SCHEMA, Facts, Firmware, Root};
use guestconv_core::layout::{DeviceName, Disk, Layout};
use guestconv_core::plan::Plan;
use guestconv_core::protocol::{Answer, Lock, Task};
use guestconv_core::report::{Failure, Outcome, StepOutcome, StepStatus};
use std::collections::BTreeSet;

/// The most findings.
const FINDINGS_CAP: usize = 10_000;
/// The most systems; the most mounts, kernels and initramfs images of one.
const PARTS_CAP: usize = 2_000;
/// The most partitions of a table, as the agent reads them.
const PARTITIONS_CAP: usize = 256;
/// The most volumes of all groups, and file systems.
const FILESYSTEMS_CAP: usize = 16 * 1024;
/// The longest code.
const CODE_CAP_BYTES: usize = 64;

/// What was asked.
pub(crate) struct Asked<'a> {
    /// What for.
    pub(crate) task: &'a Task,
    /// The disks that were served: names and sizes in bytes.
    pub(crate) disks: &'a [(&'a str, u64)],
}

/// Fails if an answer is a lie.
///
/// # Errors
/// `appliance-reply`, and what lied.
pub(crate) fn require_none(answer: &Answer, asked: &Asked<'_>) -> Result<()> {
    let lie = match (answer, asked.task) {
        (Answer::Facts(facts), Task::Inspect { .. }) => of_facts(facts, asked.disks),
        (Answer::Locks(locks), Task::Locks) => of_locks(locks),
        (Answer::Outcome(outcome), Task::Apply(plan)) => of_outcome(outcome, plan),
        (Answer::Manifest(_), Task::Manifest) => None,
        (Answer::Failure(failure), _) => of_failure(failure),
        _ => Some("it answers another question than was asked".to_owned()),
    };
    lie.map_or(Ok(()), |lie| {
        Err(Error::new(ErrorKind::Appliance, "appliance-reply", format!("the appliance lied: {lie}")))
    })
}

fn of_facts(facts: &Facts, disks: &[(&str, u64)]) -> Option<String> {
    if facts.schema != FACTS_SCHEMA {
        return Some(format!("its facts are of schema {}", facts.schema));
    }
    let layout = &facts.layout;
    let devices = devices(layout);
    let is_known = |device: &&DeviceName| devices.contains(device.0.as_str());
    let counted = || {
        let volumes = layout.volume_groups.iter().map(|group| group.logical_volumes.len()).sum();
        too_many("findings", facts.findings.len(), FINDINGS_CAP)
            .or_else(|| too_many("systems", facts.roots.len(), PARTS_CAP))
            .or_else(|| too_many("volumes", volumes, FILESYSTEMS_CAP))
            .or_else(|| too_many("arrays", layout.arrays.len(), FILESYSTEMS_CAP))
            .or_else(|| too_many("encrypted devices", layout.encrypted.len(), FILESYSTEMS_CAP))
            .or_else(|| too_many("file systems", layout.filesystems.len(), FILESYSTEMS_CAP))
    };
    let named = || {
        let volumes = layout.volume_groups.iter().flat_map(|group| &group.physical_volumes);
        let on = layout.filesystems.iter().map(|filesystem| &filesystem.device);
        let members = layout.arrays.iter().flat_map(|array| &array.members);
        let encrypted = layout.encrypted.iter().map(|encrypted| &encrypted.device);
        volumes
            .chain(members)
            .chain(encrypted)
            .chain(on)
            .chain(esps(&facts.firmware))
            .find(|device| !is_known(device))
            .map(unknown)
    };
    let code = || facts.findings.iter().find_map(|finding| of_code(&finding.code));
    let root = || facts.roots.iter().find_map(|root| of_root(root, disks, &is_known));
    of_disks(&layout.disks, disks).or_else(counted).or_else(named).or_else(code).or_else(root)
}

/// The disks are those that were served, and nothing begins beyond one.
fn of_disks(said: &[Disk], served: &[(&str, u64)]) -> Option<String> {
    if said.len() != served.len() {
        return Some(format!("it was given {} disks and found {}", served.len(), said.len()));
    }
    said.iter().zip(served).find_map(|(disk, (name, size_bytes))| {
        if disk.name != *name {
            return Some(format!("the disk {name} is called {:?}", disk.name));
        }
        if disk.size_bytes != *size_bytes || disk.fixed_size {
            return Some(format!("the disk {name} of {size_bytes} bytes has {}", disk.size_bytes));
        }
        let partitions = disk.table.iter().flat_map(|table| &table.partitions);
        let own = format!("/dev/{name}");
        let foreign = partitions.clone().find(|partition| !partition.device.0.starts_with(&own));
        too_many("partitions", partitions.count(), PARTITIONS_CAP)
            .or_else(|| foreign.map(|partition| format!("{:?} is on the disk {name}", partition.device.0)))
    })
}

fn of_root(root: &Root, disks: &[(&str, u64)], is_known: &impl Fn(&&DeviceName) -> bool) -> Option<String> {
    let mut mounted = root.mounts.iter().map(|mount| &mount.device).chain([&root.device]);
    if let Some(device) = mounted.find(|device| !is_known(device)) {
        return Some(unknown(device));
    }
    let linux = root.linux()?;
    let mut loaders = linux.bootloader.loaders.iter().filter_map(|loader| loader.disk.as_deref());
    let foreign = loaders.find(|disk| !disks.iter().any(|(name, _)| name == disk));
    too_many("mounts", root.mounts.len(), PARTS_CAP)
        .or_else(|| too_many("kernels", linux.kernels.len(), PARTS_CAP))
        .or_else(|| too_many("initramfs images", linux.initramfs.images.iter().flatten().count(), PARTS_CAP))
        .or_else(|| {
            foreign.map(|disk| format!("a boot loader is on the disk {disk:?}, which it was not given"))
        })
}

fn devices(layout: &Layout) -> BTreeSet<String> {
    let disks = layout.disks.iter().map(|disk| format!("/dev/{}", disk.name));
    let tables = layout.disks.iter().filter_map(|disk| disk.table.as_ref());
    let partitions = tables.flat_map(|table| &table.partitions).map(|partition| partition.device.0.clone());
    let volumes = layout.volume_groups.iter().flat_map(|group| &group.logical_volumes);
    let volumes = volumes.map(|volume| volume.device.0.clone());
    let arrays = layout.arrays.iter().map(|array| array.device.0.clone());
    let opened = layout.encrypted.iter().filter_map(|encrypted| Some(encrypted.opened.as_ref()?.0.clone()));
    disks.chain(partitions).chain(volumes).chain(arrays).chain(opened).collect()
}

fn esps(firmware: &Firmware) -> &[DeviceName] {
    match firmware {
        Firmware::Uefi { esps } | Firmware::Both { esps } => esps,
        Firmware::Bios | Firmware::None => &[],
    }
}

/// An outcome tells of the plan's steps and of what they change, and of nothing else.
fn of_outcome(outcome: &Outcome, plan: &Plan) -> Option<String> {
    let planned = plan.steps.iter().map(|step| step.id.as_str());
    if outcome.schema != 1 || !planned.eq(outcome.steps.iter().map(|step| step.id.as_str())) {
        return Some("its outcome is not of the steps of the plan".to_owned());
    }
    for (step, told) in plan.steps.iter().zip(&outcome.steps) {
        let is_planned = |path| step.changes.iter().any(|change| change.path() == Some(path));
        if let Some(file) = told.files.iter().find(|file| !is_planned(&file.path)) {
            return Some(format!(
                "step {} wrote {:?}, which is not in the plan",
                step.id,
                file.path.as_str()
            ));
        }
    }
    let failed = outcome.steps.iter().position(|step| step.status != StepStatus::Done);
    let (before, rest) = outcome.steps.split_at(failed.unwrap_or(outcome.steps.len()));
    let is_end = |steps: &[StepOutcome]| match steps {
        [failed, rest @ ..] => {
            failed.status == StepStatus::Failed && rest.iter().all(|step| step.status == StepStatus::NotRun)
        }
        [] => false,
    };
    match &outcome.error {
        Some(failure) if is_end(rest) => of_failure(failure),
        None if before.len() == plan.steps.len() => None,
        _ => Some("its outcome says both that it failed and that it did not".to_owned()),
    }
}

/// What is asked for each slot has limits where it is made.
fn of_locks(locks: &[Lock]) -> Option<String> {
    let slots = locks.iter().map(|lock| lock.slots.len()).sum();
    let strange = || locks.iter().find(|lock| !lock.device.0.starts_with("/dev/"));
    too_many("encrypted devices", locks.len(), PARTS_CAP)
        .or_else(|| too_many("key slots", slots, PARTS_CAP))
        .or_else(|| strange().map(|lock| unknown(&lock.device)))
}

fn of_failure(failure: &Failure) -> Option<String> {
    of_code(&failure.code)
}

/// Callers match on codes: they are words of small letters with hyphens.
fn of_code(code: &str) -> Option<String> {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_code = !code.is_empty() && code.len() <= CODE_CAP_BYTES && code.chars().all(is_word);
    (!is_code).then(|| format!("{:?} is no code", code.chars().take(CODE_CAP_BYTES).collect::<String>()))
}

fn too_many(what: &str, count: usize, cap: usize) -> Option<String> {
    (count > cap).then(|| format!("it found {count} {what}"))
}

fn unknown(device: &DeviceName) -> String {
    format!("{:?} is no device of the layout", device.0)
}

#[cfg(test)]
mod tests;
