//! Linux MD arrays: started by the kernel's own driver through sysfs, so that their superblocks stay true.
//!
//! An array begins as `read-auto`: nothing of it is written until something else is. It is frozen then, so that nothing is
//! copied from member to member here: the guest goes on with that itself.

use crate::device::{BlockDevice, number};
use crate::kmsg;
use crate::layout::Scan;
use crate::stacked::{Made, Which};
use guestconv_core::finding::Finding;
use guestconv_core::formats::block::uuid;
use guestconv_core::formats::md::{self, Member};
use guestconv_core::layout::{Array, DeviceName};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The most arrays of a guest.
const CAP_ARRAYS: usize = 64;

/// The arrays that were found so far.
#[derive(Debug, Default)]
pub(crate) struct Arrays {
    read: BTreeSet<DeviceName>,
    members: BTreeMap<[u8; 16], Vec<(DeviceName, Member)>>,
    started: BTreeSet<[u8; 16]>,
}

impl Arrays {
    /// Starts arrays; returns their devices.
    pub(crate) fn start(&mut self, scan: &mut Scan, which: Which) -> Vec<DeviceName> {
        self.find(scan);
        let mut new = Vec::new();
        let members: Vec<_> = self.members.iter().map(|(id, members)| (*id, members.clone())).collect();
        for (id, members) in members {
            let Some((_, newest)) = members.iter().max_by_key(|(_, member)| member.events) else { continue };
            let fresh =
                members.iter().filter(|(_, member)| member.is_active && member.events == newest.events);
            let is_whole = fresh.count() >= usize::try_from(newest.members).unwrap_or(usize::MAX);
            if self.started.contains(&id) || (!is_whole && which == Which::Whole) {
                continue;
            }
            self.started.insert(id);
            new.extend(add(scan, &members, newest));
        }
        new
    }

    fn find(&mut self, scan: &mut Scan) {
        for device in scan.holding("linux_raid_member") {
            let Some(node) = scan.devices.node(&device).filter(|_| !self.read.contains(&device)) else {
                continue;
            };
            let found = BlockDevice::open(node).and_then(|open| md::read(&open));
            self.read.insert(device.clone());
            match found {
                Ok(Some(member)) => self.members.entry(member.array).or_default().push((device, member)),
                Ok(None) => {}
                Err(error) => {
                    let text = format!("the device cannot be read: {error}");
                    scan.findings.push(Finding::warning("device-not-readable", text).about(device.0));
                }
            }
        }
    }
}

fn add(scan: &mut Scan, members: &[(DeviceName, Member)], newest: &Member) -> Option<DeviceName> {
    let id = uuid(newest.array);
    let name = newest.device().filter(|device| scan.devices.node(device).is_none());
    let device = name.unwrap_or_else(|| DeviceName(format!("/dev/md/{id}")));
    let count = scan.layout.arrays.len();
    scan.layout.arrays.push(Array {
        device: device.clone(),
        uuid: id,
        name: Some(newest.name.clone()).filter(|name| !name.is_empty()),
        level: newest.level_name(),
        metadata: newest.version.to_owned(),
        members: members.iter().map(|(device, _)| device.clone()).collect(),
        whole_members: newest.members,
    });
    let before = kmsg::count();
    let started = if count >= CAP_ARRAYS {
        Err(io::Error::other(format!("the guest has more than {CAP_ARRAYS} arrays")))
    } else if newest.is_reshaping {
        Err(io::Error::other("it is being given another shape; let the guest finish that first"))
    } else {
        started(scan, members, newest, &format!("md{count}"))
    };
    let node = match started {
        Ok(node) => node,
        Err(error) => {
            let words = kmsg::last_words(before, &["md/", "md: ", &format!("md{count}")]);
            let text = format!(
                "the array cannot be started: {error}{words}; what is in it is neither looked at nor changed"
            );
            scan.findings.push(Finding::warning("raid-not-assembled", text).about(device.0));
            return None;
        }
    };
    let active = fs::read_to_string(format!("/sys/block/md{count}/md/degraded")).unwrap_or_default();
    if !matches!(active.trim(), "" | "0") {
        let text = format!(
            "the array misses {} of its {} members; it is used without, and the guest will have to add them again",
            active.trim(),
            newest.members
        );
        scan.findings.push(Finding::warning("array-degraded", text).about(device.0.clone()));
    }
    scan.devices.insert(device.clone(), node);
    Some(device)
}

fn started(
    scan: &mut Scan,
    members: &[(DeviceName, Member)],
    newest: &Member,
    name: &str,
) -> io::Result<PathBuf> {
    fs::write("/sys/module/md_mod/parameters/new_array", name)?;
    let place = PathBuf::from(format!("/sys/block/{name}/md"));
    let run = || {
        fs::write(place.join("metadata_version"), newest.version)?;
        // The newest first: the others are held against it.
        let mut members: Vec<_> = members.iter().collect();
        members.sort_by_key(|(_, member)| std::cmp::Reverse(member.events));
        let mut refused = None;
        for (device, _) in members {
            let node = scan.devices.node(device).ok_or_else(|| io::Error::other("a member is not there"))?;
            refused = fs::write(place.join("new_dev"), number(node)?).err().or(refused);
        }
        fs::write(place.join("array_state"), "read-auto").map_err(|error| refused.unwrap_or(error))?;
        // An array without redundancy has nothing to copy.
        let _ = fs::write(place.join("sync_action"), "frozen");
        Ok(())
    };
    if let Err(error) = run() {
        let _ = clear(&place);
        return Err(error);
    }
    scan.made.push(Made::Array(name.to_owned()));
    Ok(PathBuf::from(format!("/dev/{name}")))
}

/// Stops an array; its superblocks say that it is clean.
pub(crate) fn stop(name: &str) -> io::Result<()> {
    clear(&PathBuf::from(format!("/sys/block/{name}/md")))
}

fn clear(place: &Path) -> io::Result<()> {
    fs::write(place.join("array_state"), "clear")
}
