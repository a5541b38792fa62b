//! Whole domains, each valid by libvirt's own schema, and what a domain cannot say.

use super::*;
use crate::fixtures::relaxng::assert_valid_domain;
use crate::hardware::host::tests::{arm, ide, virtio};
use crate::knowledge::{Target, targets};
use std::collections::BTreeSet;

#[test]
fn todays_machine() {
    let (hardware, host) = virtio();
    let expected = "<?xml version='1.0' encoding='utf-8'?>
<domain type='kvm'>
  <name>guest</name>
  <memory unit='MiB'>2048</memory>
  <vcpu>2</vcpu>
  <os firmware='efi'>
    <type arch='x86_64' machine='q35'>hvm</type>
    <firmware>
      <feature enabled='no' name='secure-boot'/>
    </firmware>
  </os>
  <features>
    <acpi/>
    <apic/>
  </features>
  <cpu mode='host-model'/>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='/images/a, &apos;b&apos; &amp; c.qcow2'/>
      <target dev='vda' bus='virtio'/>
      <boot order='1'/>
    </disk>
    <disk type='block' device='disk'>
      <driver name='qemu' type='raw'/>
      <source dev='/dev/vg0/data'/>
      <target dev='vdb' bus='virtio'/>
      <boot order='2'/>
    </disk>
    <interface type='network'>
      <mac address='52:54:00:12:34:56'/>
      <source network='default'/>
      <model type='virtio'/>
    </interface>
    <interface type='network'>
      <source network='default'/>
      <model type='virtio'/>
    </interface>
    <graphics type='spice' autoport='yes'/>
    <video>
      <model type='qxl'/>
    </video>
    <serial type='pty'>
      <target type='isa-serial' port='0'/>
    </serial>
    <console type='pty'>
      <target type='serial' port='0'/>
    </console>
  </devices>
</domain>
";
    let document = domain(&hardware, &host).unwrap();
    assert_eq!(document, expected);
    assert_valid_domain(&document);
}

#[test]
fn arms_machine() {
    let (hardware, host) = arm();
    let expected = "<?xml version='1.0' encoding='utf-8'?>
<domain type='kvm'>
  <name>guest</name>
  <memory unit='MiB'>2048</memory>
  <vcpu>2</vcpu>
  <os firmware='efi'>
    <type arch='aarch64' machine='virt'>hvm</type>
    <firmware>
      <feature enabled='no' name='secure-boot'/>
    </firmware>
  </os>
  <features>
    <acpi/>
  </features>
  <cpu mode='host-passthrough'/>
  <devices>
    <disk type='block' device='disk'>
      <driver name='qemu' type='raw'/>
      <source dev='/dev/vg0/data'/>
      <target dev='vda' bus='virtio'/>
      <boot order='1'/>
    </disk>
    <interface type='network'>
      <mac address='52:54:00:12:34:56'/>
      <source network='default'/>
      <model type='virtio'/>
    </interface>
    <graphics type='vnc' autoport='yes'/>
    <video>
      <model type='virtio'/>
    </video>
    <serial type='pty'>
      <target type='system-serial' port='0'>
        <model name='pl011'/>
      </target>
    </serial>
    <console type='pty'>
      <target type='serial' port='0'/>
    </console>
  </devices>
</domain>
";
    let document = domain(&hardware, &host).unwrap();
    assert_eq!(document, expected);
    assert_valid_domain(&document);
}

#[test]
fn a_machine_of_old_without_a_picture() {
    let (hardware, host) = ide();
    let document = domain(&hardware, &host).unwrap();
    let expected = "  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
  </os>
  <features>
    <acpi/>
    <apic/>
  </features>
  <cpu mode='host-model'/>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='/images/a, &apos;b&apos; &amp; c.qcow2'/>
      <target dev='hda' bus='ide'/>
      <boot order='1'/>
    </disk>
    <disk type='block' device='disk'>
      <driver name='qemu' type='raw'/>
      <source dev='/dev/vg0/data'/>
      <target dev='hdb' bus='ide'/>
      <boot order='2'/>
    </disk>
    <interface type='network'>
      <mac address='52:54:00:12:34:56'/>
      <source network='default'/>
      <model type='rtl8139'/>
    </interface>
    <video>
      <model type='none'/>
    </video>
  </devices>
</domain>
";
    assert_eq!(&document[document.find("  <os>").unwrap()..], expected);
    assert_valid_domain(&document);
}

/// Returns the machine of a target with the `at`-th driver on offer for each device, as far as there are so many.
fn machine_of(target: &Target, at: usize) -> Hardware {
    let driver = |drivers: &[String]| drivers[at.min(drivers.len() - 1)].clone();
    let (mut hardware, _) = virtio();
    (hardware.machine, hardware.arch) = (target.machine.clone(), target.arch[0].clone());
    if !target.firmware.iter().any(|firmware| firmware == "uefi") {
        hardware.firmware = HardwareFirmware::Bios;
    }
    for disk in &mut hardware.disks {
        disk.driver = driver(&target.block);
        disk.controller = (disk.driver == "scsi-hd").then(|| target.scsi_controller.clone());
    }
    for nic in &mut hardware.nics {
        nic.driver = driver(&target.network);
    }
    hardware.graphics = Some(driver(&target.graphics));
    hardware.console = Some(driver(&target.console));
    hardware
}

#[test]
fn whatever_a_target_offers_is_a_valid_domain() {
    let (_, host) = virtio();
    let mut documents = BTreeSet::new();
    let mut refused = BTreeSet::new();
    for target in targets().iter().flat_map(Target::by_machine) {
        let most = [&target.block, &target.network, &target.graphics, &target.console];
        for at in 0..most.iter().map(|drivers| drivers.len()).max().unwrap() {
            match domain(&machine_of(&target, at), &host) {
                Ok(document) => documents.insert(document),
                Err(error) => refused.insert((target.machine.clone(), error.code)),
            };
        }
    }
    assert_eq!(
        Vec::from_iter(refused.iter().map(|(machine, code)| (machine.as_str(), code.as_str()))),
        [("q35", "device-not-in-libvirt"), ("virt", "device-not-in-libvirt")]
    );
    assert!(documents.len() > 10, "{}", documents.len());
    documents.iter().for_each(|document| assert_valid_domain(document));
}

#[test]
fn disks_have_buses_names_and_places() {
    for (machine, driver, expected) in [
        ("q35", "ide-hd", "<target dev='sdab' bus='sata'/>"),
        ("pc", "ide-hd", "<target dev='hdab' bus='ide'/>"),
        ("q35", "virtio-blk-pci", "<target dev='vdab' bus='virtio'/>"),
        (
            "q35",
            "scsi-hd",
            "<target dev='sdab' bus='scsi'/>\
             <address type='drive' controller='0' bus='0' unit='0' target='27'/>",
        ),
    ] {
        let (mut hardware, mut host) = virtio();
        hardware.machine = machine.into();
        let mut disk = hardware.disks[0].clone();
        disk.driver = driver.into();
        disk.controller = (driver == "scsi-hd").then(|| "virtio-scsi-pci".into());
        hardware.disks = vec![disk; 28];
        host.disks = vec![host.disks[0].clone(); 28];
        let document = domain(&hardware, &host).unwrap();
        let flat: String = document.lines().map(str::trim).collect();
        let last = &flat[flat.rfind("<target dev='").unwrap()..flat.rfind("</disk>").unwrap()];
        assert_eq!(last.replace("<boot order='28'/>", ""), expected);
        assert_valid_domain(&document);
    }
}

#[test]
fn what_a_domain_cannot_say_is_refused() {
    type Edit = fn(&mut Hardware, &mut Host);
    let cases: [(Edit, &str); 6] = [
        (|hardware, _| hardware.disks[1].driver = "nvme".into(), "device-not-in-libvirt"),
        (|hardware, _| hardware.disks[0].controller = Some("pvscsi".into()), "device-not-in-libvirt"),
        (|hardware, _| hardware.graphics = Some("vmware-svga".into()), "device-not-in-libvirt"),
        (|hardware, _| hardware.console = Some("xencons".into()), "device-not-in-libvirt"),
        (|_, host| host.disks[0].path.push('\u{1}'), "path-not-in-xml"),
        (|_, host| host.disks.truncate(1), "disk-count"),
    ];
    for (edit, code) in cases {
        let (mut hardware, mut host) = virtio();
        edit(&mut hardware, &mut host);
        assert_eq!(
            domain(&hardware, &host).map_err(|error| error.code),
            Err(code.to_owned()),
            "{hardware:?}"
        );
    }
}
