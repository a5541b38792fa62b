//! The seed's guest, described for the seed's target; and what several roots, unknown cards and missing firmware make of it.

use super::*;
use crate::description::Choices;
use crate::facts::{FACTS_SCHEMA, Mount};
use crate::fixtures::relaxng::assert_valid;
use crate::knowledge::target;
use crate::layout::{DeviceName, Disk, Layout};
use crate::linux;
use crate::linux::bootloader::{self, LoaderKind};
use crate::linux::network::Interface;
use crate::path::GuestPath;

/// A root of RHEL 6.4 on a device, with these interfaces.
pub(crate) fn rhel(device: &str, interfaces: &[(&str, Option<&str>)]) -> Root {
    let mut linux = linux::Facts::default();
    let interface = |(name, mac): &(&str, Option<&str>)| Interface {
        name: (*name).to_owned(),
        mac: mac.map(str::to_owned),
    };
    linux.network.interfaces = interfaces.iter().map(interface).collect();
    linux.initramfs.images = Some(Vec::new());
    let device = DeviceName(device.into());
    Root {
        device: device.clone(),
        subvolume: None,
        hostname: Some("guest.example.com".into()),
        distribution: "rhel".into(),
        major: Some(6),
        minor: Some(4),
        product: "Red Hat Enterprise Linux Server release 6.4 (Santiago)".into(),
        arch: "x86_64".into(),
        osinfo: Some("rhel6.4".into()),
        mounts: vec![Mount { mountpoint: GuestPath::root(), device, subvolume: None }],
        system: System::Linux(Box::new(linux)),
    }
}

/// A guest of these roots on disks of these names.
pub(crate) fn guest(roots: Vec<Root>, disks: &[&str], firmware: Firmware) -> Facts {
    let disk = |name: &&str| Disk::blank(name, 1 << 30);
    let layout = Layout { disks: disks.iter().map(disk).collect(), ..Layout::default() };
    Facts { schema: FACTS_SCHEMA, layout, firmware, roots, findings: Vec::new() }
}

const MAC: &str = "52:54:00:00:00:01";
const OTHER: &str = "52:54:00:00:00:02";

fn cards_of(description: &Description) -> Vec<(&str, Option<&str>)> {
    let network = description.devices.iter().filter(|device| device.class == Class::Network);
    network.map(|device| (device.id.as_str(), device.mac.as_deref())).collect()
}

#[test]
fn the_seeds_guest_is_described_as_in_the_seed() {
    let mut root = rhel("/dev/sda1", &[("eth0", None), ("eth1", None)]);
    let System::Linux(linux) = &mut root.system;
    let loader = |disk: Option<&str>| bootloader::Loader {
        kind: LoaderKind::GrubLegacy,
        disk: disk.map(str::to_owned),
        configs: Vec::new(),
    };
    linux.bootloader.loaders = vec![loader(Some("sda")), loader(None), loader(Some("sda"))];
    let facts = guest(vec![root], &["sda"], Firmware::Bios);
    let expected = "<?xml version='1.0' encoding='utf-8'?>
<guestconv version='1' target='rhev-3.1'>
  <info root='/dev/sda1'>
    <hostname>guest.example.com</hostname>
    <os>linux</os>
    <distribution>rhel</distribution>
    <version>
      <major>6</major>
      <minor>4</minor>
    </version>
    <arch>x86_64</arch>
    <osinfo>rhel6.4</osinfo>
    <product>Red Hat Enterprise Linux Server release 6.4 (Santiago)</product>
  </info>
  <boot firmware='bios'>
    <loader disk='sda' name='grub-legacy'/>
  </boot>
  <devices>
    <graphics id='0' driver='qxl-vga' updatable='1'>
      <driver>qxl-vga</driver>
      <driver>cirrus-vga</driver>
    </graphics>
    <network id='eth0' driver='virtio-net-pci' updatable='1'>
      <driver>virtio-net-pci</driver>
      <driver>e1000</driver>
      <driver>rtl8139</driver>
    </network>
    <network id='eth1' driver='virtio-net-pci' updatable='1'>
      <driver>virtio-net-pci</driver>
      <driver>e1000</driver>
      <driver>rtl8139</driver>
    </network>
    <block id='sda' driver='virtio-blk-pci' updatable='1'>
      <driver>virtio-blk-pci</driver>
      <driver>scsi-hd</driver>
      <driver>ide-hd</driver>
    </block>
    <console id='console' driver='isa-serial' updatable='1'>
      <driver>virtserialport</driver>
      <driver>virtconsole</driver>
      <driver>isa-serial</driver>
    </console>
  </devices>
  <findings>
    <finding code='driver-caution' severity='info' subject='scsi-hd'>scsi-hd on Red Hat Enterprise Virtualization 3.1: needs RHEL 6.4 hosts; the manager offers it from 3.3 on</finding>
  </findings>
</guestconv>
";
    let document = describe(&facts, target("rhev-3.1").unwrap(), &[]).to_xml();
    assert_valid(&document);
    assert_eq!(document, expected);
}

#[test]
fn cards_are_the_machines_whatever_each_root_calls_them() {
    let nic = |name: Option<&str>, mac: &str| Nic { name: name.map(str::to_owned), mac: mac.into() };
    let one = || vec![rhel("/dev/sda1", &[("eth0", Some(MAC)), ("eth1", None)])];
    let two = |second: &[(&str, Option<&str>)]| {
        vec![rhel("/dev/sda1", &[("eth0", Some(MAC)), ("eth1", Some(OTHER))]), rhel("/dev/sda2", second)]
    };
    type Row = (Vec<Root>, Vec<Nic>, Vec<(&'static str, Option<&'static str>)>);
    let rows: Vec<Row> = vec![
        (vec![rhel("/dev/sda1", &[])], vec![], vec![("nic0", None)]),
        (
            vec![rhel("/dev/sda1", &[])],
            vec![nic(None, MAC), nic(None, OTHER)],
            vec![("nic0", Some(MAC)), ("nic1", Some(OTHER))],
        ),
        (one(), vec![], vec![("eth0", Some(MAC)), ("eth1", None)]),
        (one(), vec![nic(None, OTHER)], vec![("eth0", Some(OTHER)), ("eth1", None)]),
        (one(), vec![nic(Some("eth1"), OTHER)], vec![("eth0", Some(MAC)), ("eth1", Some(OTHER))]),
        (
            one(),
            vec![nic(Some("ens7"), OTHER)],
            vec![("eth0", Some(MAC)), ("eth1", None), ("ens7", Some(OTHER))],
        ),
        (two(&[("p1", None), ("p2", None)]), vec![], vec![("eth0", Some(MAC)), ("eth1", Some(OTHER))]),
        (two(&[("p2", Some(OTHER)), ("p1", None)]), vec![], vec![("eth0", Some(MAC)), ("eth1", Some(OTHER))]),
        (
            two(&[("eth0", Some("52:54:00:00:00:03"))]),
            vec![],
            vec![("eth0", Some(MAC)), ("eth1", Some(OTHER)), ("eth0.2", Some("52:54:00:00:00:03"))],
        ),
    ];
    for (roots, nics, expected) in rows {
        let facts = guest(roots, &["sda"], Firmware::Bios);
        let description = describe(&facts, target("kvm").unwrap(), &nics);
        assert_valid(&description.to_xml());
        assert_eq!(cards_of(&description), expected, "{nics:?}");
    }
}

#[test]
fn a_guest_for_arm_gets_the_machine_of_that_architecture() {
    let uefi = Firmware::Uefi { esps: vec![DeviceName("/dev/sda1".into())] };
    let mut arm = rhel("/dev/sda2", &[]);
    arm.arch = "aarch64".into();
    let facts = guest(vec![arm], &["sda"], uefi);
    let description = describe(&facts, target("kvm").unwrap(), &[]);
    assert_valid(&description.to_xml());
    let drivers: Vec<_> = description.devices.iter().map(|device| device.driver.as_str()).collect();
    assert_eq!(drivers, ["virtio-gpu-pci", "virtio-net-pci", "virtio-blk-pci", "pl011"]);
    assert_eq!(description.findings, []);
}

#[test]
fn what_stops_a_plan_is_a_finding_of_the_description() {
    let uefi = Firmware::Uefi { esps: vec![DeviceName("/dev/sda1".into())] };
    let mut arm = rhel("/dev/sda2", &[]);
    arm.arch = "aarch64".into();
    let facts = guest(vec![arm], &["sda"], uefi);
    let mut target = target("rhev-3.1").unwrap().clone();
    target.cautions.clear();
    let expected = [
        Finding::error(
            "arch-not-offered",
            "Red Hat Enterprise Virtualization 3.1 runs x86_64 and i686, and the system on /dev/sda2 is for aarch64; \
             choose a target of that architecture",
        ),
        Finding::error(
            "firmware-not-offered",
            "the guest starts by UEFI only, and Red Hat Enterprise Virtualization 3.1 has BIOS only; choose a target \
             that has the guest's firmware",
        ),
    ];
    let description = describe(&facts, &target, &[]);
    assert_valid(&description.to_xml());
    assert_eq!(description.findings, expected);
}

#[test]
fn what_a_guest_says_cannot_break_the_document() {
    let mut root = rhel("/dev/sda1", &[("eth'0\n", None)]);
    root.hostname = Some(" <b>\u{1}&\r\n".into());
    let facts = guest(vec![root], &["sda"], Firmware::Bios);
    let description = describe(&facts, target("kvm").unwrap(), &[]);
    let choices = crate::description::edited::choices(&description.to_xml(), &description);
    assert_eq!(choices, Ok::<Choices, _>(description.choices()));
    assert_valid(&description.to_xml());
}
