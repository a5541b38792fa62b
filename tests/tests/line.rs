//! The straight line on each real guest: inspect, plan, convert, verify, boot.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "it is a test: what fails here fails the test"
)]

use guestconv::core::change::Change;
use guestconv::core::describe::describe;
use guestconv::core::description::Choices;
use guestconv::core::finding::Finding;
use guestconv::core::knowledge::target;
use guestconv::core::layout::DeviceName;
use guestconv::core::plan::Plan;
use guestconv::{ConvertOptions, Options};
use guestconv_core::fixtures::rhel64;
use guestconv_system_tests::{Copy, assert_as_before, copy, relaxng};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// Converts a copy of the guest as [`guestconv_system_tests::line`] does, and keeps it so. Returns the copy and the plan;
/// `None` if there is no such guest.
fn line(name: &str) -> Option<(Copy, Plan)> {
    let copy = copy(name)?;
    let disks = copy.files();
    let plan = guestconv_system_tests::line(&copy, copy.subject.firmware);
    copy.open(Options::default()).discard_undo().unwrap();
    assert_eq!(copy.files(), disks, "{name}: something is left beside the disk");
    Some((copy, plan))
}

/// The same, and each other system starts by its entry of the menu.
fn line_of_all(name: &str) -> Option<(Copy, Plan)> {
    let (copy, plan) = line(name)?;
    for (entry, system) in copy.subject.others {
        copy.start_next(entry, partition(&copy, &plan.roots[0].device).0);
        assert_as_before(system, system.root, &copy.boot_of(system, &plan.hardware));
    }
    Some((copy, plan))
}

/// Returns where a partition of the first disk begins, and its length, in bytes.
fn partition(copy: &Copy, device: &DeviceName) -> (u64, u64) {
    let mut guest = copy.open(Options::default());
    let (_, partition) = guest.inspect().unwrap().layout.partition(device).unwrap();
    (partition.start_bytes, partition.size_bytes)
}

#[test]
fn debian_12() {
    line("debian-12");
}

#[test]
fn debian_12_dep() {
    line("debian-12-dep");
}

/// A guest for ARM, on a host that has other processors.
#[test]
fn debian_12_arm64() {
    line("debian-12-arm64");
}

#[test]
fn debian_12_extlinux() {
    line("debian-12-extlinux");
}

#[test]
fn debian_13_efi() {
    line("debian-13-efi");
}

#[test]
fn debian_13_btrfs() {
    line("debian-13-btrfs");
}

/// A btrfs over two disks, of which either may be named.
#[test]
fn debian_13_btrfs_two() {
    line("debian-13-btrfs-two");
}

/// /boot on a RAID 1, the root on a thin volume of a group over both disks.
#[test]
fn debian_12_raid() {
    let Some((copy, plan)) = line("debian-12-raid") else { return };
    assert_eq!(plan.roots[0].device, DeviceName("/dev/vg0/root".to_owned()));
    let facts = copy.open(Options::default()).inspect().unwrap().clone();
    let array = &facts.layout.arrays[0];
    let found = (array.device.0.as_str(), array.level.as_str(), array.metadata.as_str(), array.members.len());
    assert_eq!(found, ("/dev/md0", "raid1", "1.2", 2));
    let codes: Vec<_> = facts.findings.iter().map(|finding| finding.code.as_str()).collect();
    assert!(!codes.contains(&"array-degraded") && !codes.contains(&"raid-not-assembled"), "{codes:?}");
    // Both members hold the same: what was written to the array is on each.
    let content = |disk: usize| {
        let (path, _) = copy.disks().into_iter().nth(disk).unwrap();
        let mut bytes = vec![0; 200 << 20];
        // Behind the superblock and the bitmap, whose places the members differ in.
        File::open(path).unwrap().read_exact_at(&mut bytes, (1 << 20) + (2 << 20)).unwrap();
        bytes
    };
    assert!(content(0) == content(1), "the members of the array differ");
}

/// LUKS2 with a volume group in it, and LUKS1: nothing is known of the guest without a key.
#[test]
fn debian_12_luks() {
    let Some(copy) = copy("debian-12-luks") else { return };
    let with = |key: Option<&str>| {
        let keys = key.iter().map(|key| key.parse().unwrap()).collect();
        let mut guest = copy.open_with(Options { keys, ..Options::default() });
        guest.describe("kvm", &[]).map(|_| ()).map_err(|error| error.code().to_owned())
    };
    assert_eq!(with(None), Err("no-system".to_owned()));
    assert_eq!(with(Some("all:key:wrong")), Err("key-wrong".to_owned()));
    assert_eq!(with(Some("/dev/sda1:key:guestconv")), Err("key-device-unknown".to_owned()));
    line("debian-12-luks");
}

#[test]
fn multi_boot() {
    line_of_all("multi-boot");
}

/// What is no Linux is named, and left alone: not a bit of it changes, and of the menu only the other system's line.
#[test]
fn multi_boot_two_disks() {
    let Some((copy, plan)) = line_of_all("multi-boot-two-disks") else { return };
    let left: Vec<_> = plan.findings.iter().filter(|finding| finding.code == "system-left").collect();
    let text = "the menu starts \"MS-DOS 5.x/6.x/Win3.1 (on /dev/sda2)\" on /dev/sda2 by its own boot loader; \
                system and entry are left alone";
    let expected = Finding::warning("system-left", text).about("/boot/grub/grub.cfg");
    assert_eq!(left, [&expected]);
    let lines = edited(&plan, "/boot/grub/grub.cfg");
    let [(was, is)] = lines.as_slice() else { panic!("one line of the menu changes: {lines:?}") };
    assert_eq!(*is, was.replace("root=/dev/sdb1", "root=UUID=6c1fa20c-0001-4001-8001-000000000001"));

    let (start_bytes, size_bytes) = partition(&copy, &DeviceName("/dev/sda2".to_owned()));
    let [is, was] = [&copy.disk, &copy.original].map(|disk| {
        let mut bytes = vec![0; usize::try_from(size_bytes).unwrap()];
        File::open(disk).unwrap().read_exact_at(&mut bytes, start_bytes).unwrap();
        bytes
    });
    assert!(is == was, "the system that is no Linux changed");
}

#[test]
fn rhel_6_4() {
    line("rhel-6.4");
}

/// The look-alike on its disk is described as the seed's guest in memory, which is held against the seed's own document;
/// and of its menu only command lines are edited.
#[test]
fn rhel_6_4_is_as_the_seed_has_it() {
    let Some(copy) = copy("rhel-6.4") else { return };
    let mut guest = copy.open(Options::default());
    let described = guest.describe(copy.subject.target, &[]).unwrap();
    let expected = describe(&rhel64::facts(), target(copy.subject.target).unwrap(), &[]);
    assert_eq!(described.to_xml(), expected.to_xml());
    let plan = guest.plan(copy.subject.target, &described.choices(), &copy.plan_options()).unwrap();
    let edited: Vec<_> = edited(&plan, "/boot/grub/grub.conf");
    let edited: Vec<_> = edited.iter().map(|(was, is)| is.strip_prefix(was.as_str())).collect();
    assert_eq!(edited, [Some(" console=tty0 console=ttyS0")]);
}

/// Returns each line of a file that a plan changes, before and after; the number of lines stays.
fn edited(plan: &Plan, path: &str) -> Vec<(String, String)> {
    let changes = plan.steps.iter().flat_map(|step| &step.changes);
    let texts = changes.filter_map(|change| match change {
        Change::Write { path: written, before: Some(before), after, .. } if written.as_str() == path => {
            Some((before, after))
        }
        _ => None,
    });
    texts
        .flat_map(|(before, after)| {
            assert_eq!(before.lines().count(), after.lines().count(), "{path}");
            before.lines().zip(after.lines()).filter(|(was, is)| was != is)
        })
        .map(|(was, is)| (was.to_owned(), is.to_owned()))
        .collect()
}

/// The document says `e1000` and `scsi-hd`, and its graphics are deleted: so is the guest, and so it boots.
#[test]
fn an_edited_document_is_obeyed() {
    let Some(copy) = copy("debian-12-dep") else { return };
    let target = copy.subject.target;
    let options = copy.plan_options();
    let mut guest = copy.open(Options::default());
    let described = guest.describe(target, &options.nics).unwrap();
    let document = described.to_xml();
    let start = document.find("    <graphics").unwrap();
    let end = document.find("</graphics>\n").unwrap() + "</graphics>\n".len();
    let edited = format!("{}{}", &document[..start], &document[end..])
        .replace("driver='virtio-net-pci'", "driver='e1000'")
        .replace("driver='virtio-blk-pci'", "driver='scsi-hd'");
    relaxng::assert_valid(&document);
    relaxng::assert_valid(&edited);
    let choices: Choices = guestconv::core::description::edited::choices(&edited, &described).unwrap();
    let plan = guest.plan(target, &choices, &options).unwrap();
    let hardware = &plan.hardware;
    assert_eq!(
        (
            hardware
                .disks
                .iter()
                .map(|disk| (disk.driver.as_str(), disk.controller.as_deref()))
                .collect::<Vec<_>>(),
            hardware.nics.iter().map(|nic| nic.driver.as_str()).collect::<Vec<_>>(),
            hardware.graphics.as_deref(),
        ),
        (vec![("scsi-hd", Some("virtio-scsi-pci"))], vec!["e1000"], None),
        "{document}"
    );
    guest.convert(&plan, &ConvertOptions::default()).unwrap();
    assert_eq!(guest.verify(target, &choices, &options).unwrap().missing, []);
    drop(guest);
    let proof = copy.boot(&plan.hardware);
    assert_as_before(copy.subject, "/dev/mapper/vg0-root", &proof);
}
