//! Choices become hardware; what is not on offer, or what no system can start without, is an error with its code.

use super::*;
use crate::describe::tests::{guest, rhel};
use crate::facts::Firmware;
use crate::hardware::{HardwareDisk, HardwareFirmware, HardwareNic};
use crate::knowledge::target;
use crate::layout::{DeviceName, Disk, Filesystem, Layout};
use crate::path::guest_path;
use crate::text::TextFile;
use crate::tree::TEXT_CAP_BYTES;

fn choices(rows: &[(Class, &str, Choice)]) -> Choices {
    let row = |(class, id, choice): &(Class, &str, Choice)| ((*class, (*id).to_owned()), choice.clone());
    Choices { devices: rows.iter().map(row).collect() }
}

fn driver(name: &str) -> Choice {
    Choice::Driver(name.into())
}

fn two_disks() -> Facts {
    guest(vec![rhel("/dev/sda", &[("eth0", None)])], &["sda", "sdb"], Firmware::Bios)
}

#[test]
fn choices_become_hardware() {
    let choices = choices(&[
        (Class::Block, "sda", driver("scsi-hd")),
        (Class::Block, "sdb", Choice::Removed),
        (Class::Network, "eth0", driver("e1000")),
        (Class::Graphics, "0", Choice::Removed),
    ]);
    let rhev = target("rhev-3.1").unwrap();
    let plan = plan(&two_disks(), rhev, &choices, &PlanOptions::default()).unwrap();
    let expected = Hardware {
        machine: "pc".into(),
        firmware: HardwareFirmware::Bios,
        arch: "x86_64".into(),
        disks: vec![HardwareDisk {
            id: "sda".into(),
            driver: "scsi-hd".into(),
            controller: Some("virtio-scsi-pci".into()),
        }],
        nics: vec![HardwareNic { id: "eth0".into(), driver: "e1000".into(), mac: None }],
        graphics: None,
        console: Some("isa-serial".into()),
    };
    assert_eq!(plan.hardware, expected);
    let cautions: Vec<_> = plan.findings.iter().filter(|finding| finding.code == "driver-caution").collect();
    let text = "scsi-hd on Red Hat Enterprise Virtualization 3.1: needs RHEL 6.4 hosts; the manager offers it from 3.3 on";
    assert_eq!(cautions, [&Finding::warning("driver-caution", text).about("scsi-hd")]);
}

#[test]
fn without_a_look_into_the_images_there_is_no_plan() {
    let mut facts = two_disks();
    let System::Linux(linux) = &mut facts.roots[0].system;
    linux.initramfs.images = None;
    let result = plan(&facts, target("kvm").unwrap(), &Choices::default(), &PlanOptions::default());
    let message = "the facts say nothing of the initramfs images; look at the guest with them, then plan";
    assert_eq!(result, Err(PlanError::new("facts-without-initramfs", message)));
}

#[test]
fn a_plan_keeps_the_choices_that_are_not_selected_anyway() {
    let rhev = target("rhev-3.1").unwrap();
    let mut everything = describe(&two_disks(), rhev, &[]).choices();
    let planned = |choices: &Choices| plan(&two_disks(), rhev, choices, &PlanOptions::default()).unwrap();
    assert_eq!(planned(&everything), planned(&Choices::default()));
    let other = choices(&[(Class::Block, "sdb", Choice::Removed), (Class::Network, "eth0", driver("e1000"))]);
    everything.devices.extend(other.devices.clone());
    assert_eq!(planned(&everything).wishes.devices, other);
    assert_eq!(planned(&everything), planned(&other));
}

#[test]
fn a_text_that_could_not_be_read_again_is_not_written() {
    let (facts, options, choices) = (two_disks(), PlanOptions::default(), Choices::default());
    let (root, target) = (&facts.roots[0], target("kvm").unwrap());
    let context =
        Context { facts: &facts, root, root_index: 0, target, choices: &choices, options: &options };
    let file = TextFile::new(guest_path("/etc/fstab"), "short".to_owned(), 0o644);
    let planned = |length: usize| {
        let mut draft = Draft::default();
        draft.step(&context, "storage/fstab", "it grows", |step| {
            step.edit(&file, |_| "x".repeat(length));
            step.edit(&file, |before| format!("{}y", &before[1..]));
        });
        draft.finish().map(|(steps, _)| steps.iter().map(|step| step.changes.len()).collect())
    };
    let cap = usize::try_from(TEXT_CAP_BYTES).unwrap();
    assert_eq!(planned(cap), Ok(vec![2]));
    let text = "/etc/fstab of the guest would become larger than 4194304 bytes; shorten it in the guest";
    assert_eq!(planned(cap + 1), Err(PlanError::new("text-too-large", text)));
}

#[test]
fn what_cannot_be_is_refused() {
    let uefi = || Firmware::Uefi { esps: Vec::new() };
    let efi = guest(vec![rhel("/dev/sda", &[])], &["sda"], uefi());
    for (facts, rows, code) in [
        (two_disks(), vec![(Class::Network, "eth0", driver("vmxnet3"))], "driver-not-offered"),
        (two_disks(), vec![(Class::Network, "eth7", driver("e1000"))], "device-unknown"),
        (two_disks(), vec![(Class::Block, "sda", Choice::Removed)], "disk-needed"),
        (efi, vec![], "firmware-not-offered"),
    ] {
        let result = plan(&facts, target("rhev-3.1").unwrap(), &choices(&rows), &PlanOptions::default());
        assert_eq!(result.unwrap_err().code, code, "{rows:?}");
    }
}

#[test]
fn a_guest_without_a_system_says_what_is_there() {
    let disk = |name: &str| Disk::blank(name, 0);
    let swap = Filesystem::new(DeviceName("/dev/sda".into()), "swap");
    let findings = vec![
        Finding::info("disk-enlarged", "the disk was enlarged").about("sda"),
        Finding::warning("device-encrypted", "the device is encrypted").about("/dev/sda2"),
        Finding::error("root-not-readable", "the system cannot be read"),
    ];
    for (disks, filesystems, findings, code, message) in [
        (
            vec![],
            vec![],
            vec![],
            "no-disks",
            "the guest has no disks; add its disks in the order of the source",
        ),
        (
            vec![disk("sda"), disk("sdb")],
            vec![],
            vec![],
            "disks-blank",
            "nothing is on sda, sdb: no partition table and no file system; check that it is the right disk",
        ),
        (
            vec![disk("sda")],
            vec![swap.clone()],
            vec![],
            "no-system",
            "no installed system was found on sda: there is swap on /dev/sda; add all disks of the guest",
        ),
        (
            vec![disk("sda")],
            vec![swap],
            findings,
            "no-system",
            "no installed system was found on sda: there is swap on /dev/sda; add all disks of the guest, or see to this: \
             /dev/sda2: the device is encrypted; the system cannot be read",
        ),
    ] {
        let mut facts = guest(Vec::new(), &[], Firmware::None);
        facts.layout = Layout { disks, filesystems, ..Layout::default() };
        facts.findings = findings;
        assert_eq!(require_system(&facts), Err(PlanError::new(code, message)));
    }
}

#[test]
fn each_root_sees_its_own_names() {
    let roots = vec![rhel("/dev/sda", &[("eth0", None)]), rhel("/dev/sdb", &[("ens3", None)])];
    let facts = guest(roots, &["sda", "sdb"], Firmware::Bios);
    let kvm = target("kvm").unwrap();
    let options = PlanOptions {
        nics: vec![Nic { name: Some("eth0".into()), mac: "52:54:00:00:00:01".into() }],
        ..PlanOptions::default()
    };
    let described = describe(&facts, kvm, &options.nics);
    crate::fixtures::relaxng::assert_valid(&described.to_xml());
    let cards = cards::cards(&facts, &options.nics);
    let (choices, options) = for_root(&described, &described.devices, &cards, &options, 1);
    assert_eq!(choices.drivers(Class::Network).collect::<Vec<_>>(), [("ens3", "virtio-net-pci")]);
    assert_eq!(options.nics, [Nic { name: Some("ens3".into()), mac: "52:54:00:00:00:01".into() }]);
}
