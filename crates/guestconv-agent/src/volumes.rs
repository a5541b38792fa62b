//! LVM2: groups are read by the core from their physical volumes; each visible volume is mapped by the device mapper.
//!
//! What cannot be mapped (thin, RAID, cache, a physical volume that is missing) is a finding, and the volume is listed
//! without a device. Names are the guest's and never become a path here: nodes are `/dev/dm-N`.

use crate::device::{BlockDevice, number};
use crate::layout::Scan;
use crate::mapper;
use guestconv_core::finding::Finding;
use guestconv_core::formats::lvm2::{self, Group, Logical, mapper_name};
use guestconv_core::layout::{DeviceName, LogicalVolume, VolumeGroup};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The most volumes of one guest that are mapped.
const CAP_VOLUMES: usize = 256;

/// Finds the groups on what was recognised so far, and adds their volumes and what they hold.
pub(crate) fn activate(scan: &mut Scan) {
    let members = scan.layout.filesystems.iter().filter(|found| found.kind == "LVM2_member");
    let members: Vec<DeviceName> = members.map(|found| found.device.clone()).collect();
    let mut places: BTreeMap<String, DeviceName> = BTreeMap::new();
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for member in members {
        let Some(node) = scan.devices.node(&member) else { continue };
        let damage = match BlockDevice::open(node).and_then(|device| lvm2::read(&device)) {
            Ok(Some(volume)) => {
                places.insert(volume.uuid, member.clone());
                if let Some(group) = volume.group {
                    let known = groups.get(&group.uuid).map(|known| known.seqno);
                    if known < Some(group.seqno) {
                        groups.insert(group.uuid.clone(), group);
                    }
                }
                volume.damage
            }
            Ok(None) => Some("it has no label".to_owned()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(damage) = damage {
            let text = format!("the physical volume cannot be read: {damage}; its volumes may be left out");
            scan.findings.push(Finding::warning("volume-group-damaged", text).about(member.0));
        }
    }
    for group in groups.into_values() {
        add(scan, &group, &places);
    }
}

fn add(scan: &mut Scan, group: &Group, places: &BTreeMap<String, DeviceName>) {
    let mut logical_volumes = Vec::new();
    let known: usize = scan.layout.volume_groups.iter().map(|group| group.logical_volumes.len()).sum();
    let visible = || group.logical_volumes.iter().filter(|volume| volume.visible);
    if known + visible().count() > CAP_VOLUMES {
        let text = format!("the guest has more than {CAP_VOLUMES} logical volumes: the rest is left out");
        scan.findings.push(Finding::warning("volumes-too-many", text).about(group.name.clone()));
    }
    for volume in visible().take(CAP_VOLUMES.saturating_sub(known)) {
        let device = DeviceName(format!("/dev/{}/{}", group.name, volume.name));
        if scan.devices.node(&device).is_some() {
            let text = format!("two volumes have the name {device}; the second is left out");
            scan.findings.push(Finding::warning("volume-not-mapped", text).about(device.0));
            continue;
        }
        logical_volumes.push(LogicalVolume {
            device: device.clone(),
            name: volume.name.clone(),
            size_bytes: volume.size_bytes(group).unwrap_or(0),
            segment_types: volume.segment_types(),
        });
        match node(scan, group, volume, places) {
            Ok(node) => {
                scan.devices.insert(device.clone(), node);
                scan.contents(device);
            }
            Err(reason) => {
                let text =
                    format!("the volume cannot be opened: {reason}; it is neither looked at nor changed");
                scan.findings.push(Finding::warning("volume-not-mapped", text).about(device.0));
            }
        }
    }
    let of_group = group.physical_volumes.iter().filter_map(|physical| places.get(&physical.uuid));
    scan.layout.volume_groups.push(VolumeGroup {
        name: group.name.clone(),
        uuid: group.uuid.clone(),
        physical_volumes: of_group.cloned().collect(),
        logical_volumes,
    });
}

fn node(
    scan: &Scan,
    group: &Group,
    volume: &Logical,
    places: &BTreeMap<String, DeviceName>,
) -> Result<PathBuf, String> {
    let physical = |uuid: &str| number(scan.devices.node(places.get(uuid)?)?).ok();
    let table = group.table(volume, &physical).map_err(|unmapped| unmapped.to_string())?;
    mapper::map(&mapper_name(&group.name, &volume.name), &table).map_err(|error| error.to_string())
}
