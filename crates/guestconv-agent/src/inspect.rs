//! Inspection: the disks are scanned, each file system that can be a root is mounted and looked at, and the core reads
//! the roots that it finds, with all their mounts in place.

use crate::budget::Budget;
use crate::clock::Clock;
use crate::layout::{self, Scan};
use crate::mount::{Access, Mounted, can_be_root, whole};
use crate::tree::RootTree;
use crate::{btrfs, health};
use guestconv_core::facts::{Facts, Mount, Root};
use guestconv_core::finding::Finding;
use guestconv_core::layout::DeviceName;
use guestconv_core::linux::initramfs::Image;
use guestconv_core::path::GuestPath;
use guestconv_core::protocol::SlotKey;
use guestconv_core::report::Failure;
use guestconv_core::{inspect, tree::GuestTree};
use std::io;
use std::path::Path;
use std::rc::Rc;

/// The most subvolumes of a btrfs that are looked at for roots.
const CAP_LOOKED_AT: usize = 1024;

/// The most roots of one guest; a machine that boots everything has a dozen.
const CAP_ROOTS: usize = 64;
/// The most findings that are told.
const CAP_FINDINGS: usize = 1000;

/// Returns all that is found on the disks. `known` are initramfs images that were read before; without, none is read.
pub(crate) fn facts(
    disks: &[String],
    keys: &[SlotKey],
    known: Option<&[Image]>,
    clock: &mut Clock,
) -> Result<Facts, Failure> {
    let mut scan = layout::scan(disks, keys)?;
    clock.ended("scan");
    let mut mounted = Mounted::nothing(Access::Read);
    let mut findings = Vec::new();
    let budget = Rc::new(Budget::of_a_look());
    let mut candidates = candidates(&mut scan, &mut mounted, &budget, &mut findings);
    if candidates.len() > CAP_ROOTS {
        let text = format!("more than {CAP_ROOTS} installed systems: the rest is left out");
        findings.push(Finding::error("roots-too-many", text));
        candidates.truncate(CAP_ROOTS);
    }
    clock.ended("mount");
    let mut roots = Vec::new();
    for mounts in candidates {
        let name = mounts.first().map(|top| top.device.0.clone()).unwrap_or_default();
        match root(&scan, &mut mounted, mounts, (known, &budget), &mut findings, clock) {
            Ok(root) => roots.extend(root),
            Err(reason) => {
                let text = format!("the system cannot be read: {reason}; it is left out");
                findings.push(Finding::error("root-not-readable", text).about(name.clone()));
            }
        }
        clock.ended(format!("settings {name}"));
    }
    findings.extend(health::damage(mounted.refused()));
    mounted.tell_free(&mut scan.layout);
    findings.splice(0..0, scan.findings.drain(..));
    if findings.len() > CAP_FINDINGS {
        findings.truncate(CAP_FINDINGS);
        let text = format!("more than {CAP_FINDINGS} findings: the rest is left out");
        findings.push(Finding::warning("findings-too-many", text));
    }
    // Nothing is unmounted or closed: it was only read, and the machine is gone as soon as it has answered.
    Ok(inspect::facts(scan.layout, roots, findings))
}

/// Mounts every file system that can be a root, and returns those that are one with what belongs into them.
fn candidates(
    scan: &mut Scan,
    mounted: &mut Mounted,
    budget: &Rc<Budget>,
    findings: &mut Vec<Finding>,
) -> Vec<Vec<Mount>> {
    findings.extend(scan.layout.filesystems.iter().filter_map(health::without_driver));
    let kinds = scan.layout.filesystems.iter().filter(|found| can_be_root(&found.kind));
    let devices: Vec<(DeviceName, bool)> =
        kinds.map(|found| (found.device.clone(), found.kind == "btrfs")).collect();
    let mut places = Vec::new();
    for (device, is_btrfs) in devices {
        // A btrfs over several devices is found on each and looked at once.
        if scan.layout.same_btrfs(&device).first().is_some_and(|first| **first != device) {
            continue;
        }
        let before = health::recoveries();
        let top = is_btrfs.then_some("subvolid=5");
        let place = match mounted.apart(scan, &whole(&device, None), top) {
            Ok(place) => place,
            Err(error) => {
                findings.push(not_mounted(&device, &error));
                continue;
            }
        };
        let was_dirty = health::recoveries() > before;
        let found = scan.layout.filesystems.iter_mut().find(|found| found.device == device);
        let Some(filesystem) = found else { continue };
        filesystem.dirty |= was_dirty;
        if filesystem.dirty {
            let text = "the file system was not unmounted; its journal was replayed for looking, and will be for writing";
            findings.push(Finding::warning("journal-replayed", text).about(device.0.clone()));
        }
        let mut subvolumes = vec![None];
        if is_btrfs {
            match btrfs::subvolumes(&place) {
                Ok(found) => {
                    // The top one has no name of its own if another is the default.
                    if found.default.is_some() {
                        subvolumes.clear();
                    }
                    // A system whose own root is read-only is looked at, a snapshot of one is not.
                    let is_kept = |path: &&String| {
                        found.read_only.binary_search(path).is_ok() && found.default.as_ref() != Some(*path)
                    };
                    let kept = found.paths.iter().filter(is_kept).count();
                    if kept > 0 {
                        let text = format!(
                            "{kept} read-only subvolumes (snapshots) are kept as they are and not looked at"
                        );
                        findings.push(Finding::info("snapshot-left", text).about(device.0.clone()));
                    }
                    let looked_at = found.paths.iter().filter(|path| !is_kept(path)).take(CAP_LOOKED_AT);
                    subvolumes.extend(looked_at.cloned().map(Some));
                    filesystem.subvolumes = found.paths;
                    filesystem.default_subvolume = found.default;
                }
                Err(error) => {
                    let text =
                        format!("the subvolumes cannot be listed: {error}; only the top one is looked at");
                    findings.push(Finding::warning("subvolumes-unknown", text).about(device.0.clone()));
                }
            }
        }
        places.push((device, place, subvolumes));
    }
    let mut roots = Vec::new();
    for (device, place, subvolumes) in places {
        for subvolume in subvolumes {
            let looked = mounts(scan, &place, &device, subvolume.as_deref(), (budget, &mut *findings));
            match looked {
                Ok(Some(mounts)) => roots.push(mounts),
                Ok(None) => {}
                Err(reason) => {
                    let text = format!("whether a system is here cannot be told: {reason}; it is left out");
                    findings.push(Finding::error("root-not-readable", text).about(device.0.clone()));
                }
            }
        }
    }
    roots
}

fn mounts(
    scan: &mut Scan,
    place: &Path,
    device: &DeviceName,
    subvolume: Option<&str>,
    (budget, findings): (&Rc<Budget>, &mut Vec<Finding>),
) -> Result<Option<Vec<Mount>>, String> {
    let text = |error: io::Error| error.to_string();
    let tree = RootTree::at(place).map_err(text)?.within(budget);
    let below = GuestPath::root().join(subvolume.unwrap_or_default());
    let Some(tree) = tree.below(&below).map_err(text)? else { return Ok(None) };
    inspect::names(&tree, &mut scan.layout).map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    let result = inspect::mounts(&tree, &scan.layout, device, subvolume, &mut found);
    let result = result.map_err(|error| error.to_string())?;
    if result.is_some() {
        findings.append(&mut found);
    }
    Ok(result)
}

fn root(
    scan: &Scan,
    mounted: &mut Mounted,
    mounts: Vec<Mount>,
    (known, budget): (Option<&[Image]>, &Rc<Budget>),
    findings: &mut Vec<Finding>,
    clock: &mut Clock,
) -> Result<Option<Root>, String> {
    let kept = mounted.count();
    let name = mounts.first().map(|top| top.device.0.clone()).unwrap_or_default();
    let result = (|| {
        let (tree, there) = assembled(scan, mounted, mounts, findings).map_err(|error| error.to_string())?;
        let tree = tree.within(budget);
        clock.ended(format!("mount {name}"));
        let mut ended = |part| clock.ended(format!("{part} {name}"));
        inspect::root(&tree as &dyn GuestTree, &scan.layout, there, known, findings, &mut ended)
            .map_err(|error| error.to_string())
    })();
    // A read-only file system that stays mounted holds nothing up: the overlay is thrown away.
    let _ = mounted.unmount(kept);
    result
}

/// Mounts a root and all that belongs into it; what cannot be mounted becomes a finding and is left out.
fn assembled(
    scan: &Scan,
    mounted: &mut Mounted,
    mounts: Vec<Mount>,
    findings: &mut Vec<Finding>,
) -> io::Result<(RootTree, Vec<Mount>)> {
    let mut mounts = mounts.into_iter();
    let top = mounts.next().ok_or_else(|| io::Error::other("nothing is to be mounted"))?;
    let place = mounted.apart(scan, &top, None)?;
    let mut there = vec![top];
    for mount in mounts {
        match mounted.inside(scan, &place, &mount) {
            Ok(()) => there.push(mount),
            Err(error) => findings.push(not_mounted(&mount.device, &error)),
        }
    }
    Ok((RootTree::at(&place)?, there))
}

fn not_mounted(device: &DeviceName, error: &io::Error) -> Finding {
    let text = format!("the file system cannot be mounted: {error}; it is neither looked at nor changed");
    Finding::warning("filesystem-not-mounted", text).about(device.0.clone())
}
