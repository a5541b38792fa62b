//! LVM2: groups are read by the core from their physical volumes; each visible volume, and what it lies on, is mapped by the
//! device mapper.
//!
//! What cannot be mapped (VDO, a physical volume that is missing) is a finding, and the volume is listed without a device.
//! Names are the guest's and never become a path here: nodes are `/dev/dm-N`.

use crate::device::{BlockDevice, number};
use crate::kmsg;
use crate::layout::Scan;
use crate::mapper::{self, Line};
use crate::stacked::{Made, Which};
use guestconv_core::finding::Finding;
use guestconv_core::formats::lvm2::{self, Group, Logical, Mapping, Mappings, mapper_name};
use guestconv_core::layout::{DeviceName, LogicalVolume, VolumeGroup};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The most volumes of one guest that are mapped.
const CAP_VOLUMES: usize = 256;

/// The groups that were found so far.
#[derive(Debug, Default)]
pub(crate) struct Volumes {
    read: BTreeSet<DeviceName>,
    /// Physical volumes by their UUID.
    places: BTreeMap<String, DeviceName>,
    /// UUIDs that several devices have.
    doubled: BTreeSet<String>,
    groups: BTreeMap<String, Group>,
    activated: BTreeSet<String>,
}

impl Volumes {
    /// Maps the volumes of groups; returns their devices.
    pub(crate) fn activate(&mut self, scan: &mut Scan, which: Which) -> Vec<DeviceName> {
        self.find(scan);
        let mut new = Vec::new();
        for group in self.groups.values() {
            let is_there = |uuid: &str| self.places.contains_key(uuid);
            let is_whole = group.physical_volumes.iter().all(|physical| is_there(&physical.uuid));
            if self.activated.contains(&group.uuid) || (!is_whole && which == Which::Whole) {
                continue;
            }
            self.activated.insert(group.uuid.clone());
            new.extend(self.add(scan, group));
        }
        new
    }

    fn find(&mut self, scan: &mut Scan) {
        for member in scan.holding("LVM2_member") {
            let Some(node) = scan.devices.node(&member).filter(|_| !self.read.contains(&member)) else {
                continue;
            };
            self.read.insert(member.clone());
            let damage = match BlockDevice::open(node).and_then(|device| lvm2::read(&device)) {
                Ok(Some(volume)) => {
                    if let Some(other) = self.places.insert(volume.uuid.clone(), member.clone()) {
                        let text = format!(
                            "the physical volume is there twice, also as {other}: which of them is meant cannot be told; \
                             take the copy away"
                        );
                        scan.findings
                            .push(Finding::error("physical-volume-twice", text).about(member.0.clone()));
                        self.doubled.insert(volume.uuid);
                    }
                    if let Some(group) = volume.group {
                        let known = self.groups.get(&group.uuid).map(|known| known.seqno);
                        if known < Some(group.seqno) {
                            self.groups.insert(group.uuid.clone(), group);
                        }
                    }
                    volume.damage
                }
                Ok(None) => Some("it has no label".to_owned()),
                Err(error) => Some(error.to_string()),
            };
            if let Some(damage) = damage {
                let text =
                    format!("the physical volume cannot be read: {damage}; its volumes may be left out");
                scan.findings.push(Finding::warning("volume-group-damaged", text).about(member.0));
            }
        }
    }

    fn add(&self, scan: &mut Scan, group: &Group) -> Vec<DeviceName> {
        let of_group = group.physical_volumes.iter().filter_map(|physical| self.places.get(&physical.uuid));
        let mut found = VolumeGroup {
            name: group.name.clone(),
            uuid: group.uuid.clone(),
            physical_volumes: of_group.cloned().collect(),
            logical_volumes: Vec::new(),
        };
        if let Some(reason) = self.closed(scan, group) {
            let text = format!("{reason}; its volumes are neither looked at nor changed");
            scan.findings.push(Finding::warning("volume-group-not-opened", text).about(group.name.clone()));
            scan.layout.volume_groups.push(found);
            return Vec::new();
        }
        let known: usize = scan.layout.volume_groups.iter().map(|group| group.logical_volumes.len()).sum();
        if known + group.devices().count() > CAP_VOLUMES {
            let text = format!("the guest has more than {CAP_VOLUMES} logical volumes: the rest is left out");
            scan.findings.push(Finding::warning("volumes-too-many", text).about(group.name.clone()));
        }
        let wanted: Vec<&Logical> = group.devices().take(CAP_VOLUMES.saturating_sub(known)).collect();
        let mut nodes = self.mapped(scan, group, &wanted);
        let mut new = Vec::new();
        for volume in wanted {
            let device = DeviceName(format!("/dev/{}/{}", group.name, volume.name));
            found.logical_volumes.push(LogicalVolume {
                device: device.clone(),
                name: volume.name.clone(),
                size_bytes: volume.size_bytes(group).unwrap_or(0),
                segment_types: match group.origin_of(volume) {
                    Some(_) => vec!["snapshot".to_owned()],
                    None => volume.segment_types(),
                },
            });
            match nodes.remove(&volume.name) {
                // A snapshot has the systems of its origin, as they were: they are not converted for themselves.
                Some(_) if volume.is_skipped || group.origin_of(volume).is_some() => {
                    let text = "the volume is a snapshot, which is kept as it is and not looked at";
                    scan.findings.push(Finding::info("snapshot-left", text).about(device.0));
                }
                Some(Ok(node)) => {
                    scan.devices.insert(device.clone(), node);
                    new.push(device);
                }
                Some(Err(reason)) => {
                    let text =
                        format!("the volume cannot be opened: {reason}; it is neither looked at nor changed");
                    scan.findings.push(Finding::warning("volume-not-mapped", text).about(device.0));
                }
                None => {}
            }
        }
        scan.layout.volume_groups.push(found);
        new
    }

    /// Returns why no volume of a group is opened, if so.
    fn closed(&self, scan: &Scan, group: &Group) -> Option<String> {
        let is_doubled = |uuid: &str| self.doubled.contains(uuid);
        if group.physical_volumes.iter().any(|physical| is_doubled(&physical.uuid)) {
            return Some("a physical volume of the volume group is there twice".into());
        }
        if scan.layout.volume_groups.iter().any(|known| known.name == group.name) {
            return Some("two volume groups have this name, which one is meant cannot be told".into());
        }
        group.is_exported.then(|| "the volume group is exported; import it with vgimport to use it".into())
    }

    /// Maps volumes and all that they lie on; returns the node of each, or why it has none.
    fn mapped(
        &self,
        scan: &mut Scan,
        group: &Group,
        wanted: &[&Logical],
    ) -> BTreeMap<String, Result<PathBuf, String>> {
        let mut results = BTreeMap::new();
        let number_of = |uuid: &str| number(scan.devices.node(self.places.get(uuid)?)?).ok();
        let mut mappings = Mappings::new(group, &number_of);
        for volume in wanted {
            // Snapshots come with their origin.
            let added = if group.origin_of(volume).is_some() { Ok(()) } else { mappings.add(&volume.name) };
            if let Err(unmapped) = added {
                results.insert(volume.name.clone(), Err(unmapped.to_string()));
            }
        }
        let mappings: Vec<Mapping> = mappings.made().to_vec();
        let mut nodes: BTreeMap<String, Result<PathBuf, String>> = BTreeMap::new();
        for mapping in mappings {
            let node = made(scan, group, &mapping, &nodes);
            nodes.insert(mapping.name, node);
        }
        for volume in wanted {
            if let Some(node) = nodes.remove(&volume.name) {
                results.entry(volume.name.clone()).or_insert(node);
            }
        }
        results
    }
}

fn made(
    scan: &mut Scan,
    group: &Group,
    mapping: &Mapping,
    nodes: &BTreeMap<String, Result<PathBuf, String>>,
) -> Result<PathBuf, String> {
    let below = |name: &str| number(nodes.get(name)?.as_ref().ok()?).ok();
    let line = |line: &lvm2::TableLine| {
        let parameters = line.parameters(&below).ok_or("what it lies on cannot be opened")?;
        Ok(Line { start_sectors: line.start_sectors, sectors: line.sectors, target: line.target, parameters })
    };
    let table: Vec<Line> = mapping.table.iter().map(line).collect::<Result<_, String>>()?;
    let name = mapper_name(&group.name, &mapping.name);
    let before = kmsg::lines().len();
    let node = mapper::map(&name, &table)
        .map_err(|error| format!("{error}{}", kmsg::last_words(before, &["device-mapper", "md/", "md: "])))?;
    scan.made.push(Made::mapped(name.clone(), table.iter().map(|line| line.target)));
    if table.iter().any(|line| line.target == "raid") {
        // Nothing is copied from leg to leg here: the guest goes on with that itself. RAID 0 has nothing to copy.
        let _ = mapper::tell(&name, "frozen");
    }
    Ok(node)
}
