//! Whole commands, and what none can be made of. That QEMU takes what a proof boots with is seen by the proofs.

use super::*;
use crate::hardware::host::tests::{arm, ide, virtio};

#[test]
fn todays_machine() {
    let (hardware, host) = virtio();
    let expected = r"qemu-system-x86_64 \
  -name guest \
  -machine q35 \
  -accel kvm \
  -cpu host \
  -m 2048 \
  -smp 2 \
  -nodefaults \
  -boot strict=on \
  -drive if=pflash,format=raw,readonly=on,file=/firmware/code.fd \
  -drive if=pflash,format=raw,snapshot=on,file=/firmware/vars.fd \
  -device qxl-vga \
  -drive 'if=none,id=disk0,file=/images/a,, '\''b'\'' & c.qcow2,format=qcow2' \
  -device virtio-blk-pci,drive=disk0,bootindex=1 \
  -drive if=none,id=disk1,file=/dev/vg0/data,format=raw \
  -device virtio-blk-pci,drive=disk1,bootindex=2 \
  -netdev user,id=net0 \
  -device virtio-net-pci,netdev=net0,mac=52:54:00:12:34:56,romfile= \
  -netdev user,id=net1 \
  -device virtio-net-pci,netdev=net1,romfile= \
  -chardev stdio,id=console,mux=on,signal=off \
  -mon chardev=console \
  -device isa-serial,chardev=console
";
    assert_eq!(shell(&command(&hardware, &host).unwrap()), expected);
}

#[test]
fn arms_machine() {
    let (hardware, host) = arm();
    let expected = r"qemu-system-aarch64 \
  -name guest \
  -machine virt \
  -accel kvm \
  -cpu host \
  -m 2048 \
  -smp 2 \
  -nodefaults \
  -boot strict=on \
  -drive if=pflash,format=raw,readonly=on,file=/firmware/code.fd \
  -drive if=pflash,format=raw,snapshot=on,file=/firmware/vars.fd \
  -device virtio-gpu-pci \
  -drive if=none,id=disk0,file=/dev/vg0/data,format=raw \
  -device virtio-blk-pci,drive=disk0,bootindex=1 \
  -netdev user,id=net0 \
  -device virtio-net-pci,netdev=net0,mac=52:54:00:12:34:56,romfile= \
  -chardev stdio,id=console,mux=on,signal=off \
  -mon chardev=console \
  -serial chardev:console
";
    assert_eq!(shell(&command(&hardware, &host).unwrap()), expected);
    let without = Host { firmware: None, ..host };
    assert_eq!(
        command(&hardware, &without).unwrap_err().message,
        "the machine starts by UEFI and no UEFI firmware was found; install qemu-efi-aarch64 (Debian) or edk2-aarch64 \
         (Fedora, RHEL)"
    );
}

#[test]
fn a_machine_of_old_with_an_agent_and_no_picture() {
    let (mut hardware, host) = ide();
    hardware.console = Some("virtserialport".into());
    let expected = r"qemu-system-x86_64 \
  -name guest \
  -machine pc,graphics=off \
  -accel kvm \
  -cpu host \
  -m 2048 \
  -smp 2 \
  -nodefaults \
  -boot strict=on \
  -display none \
  -drive 'if=none,id=disk0,file=/images/a,, '\''b'\'' & c.qcow2,format=qcow2' \
  -device ide-hd,bus=ide.0,unit=0,drive=disk0,bootindex=1 \
  -drive if=none,id=disk1,file=/dev/vg0/data,format=raw \
  -device ide-hd,bus=ide.0,unit=1,drive=disk1,bootindex=2 \
  -netdev user,id=net0 \
  -device rtl8139,netdev=net0,mac=52:54:00:12:34:56,romfile= \
  -chardev socket,id=console,path=guest-agent.socket,server=on,wait=off \
  -device virtio-serial-pci \
  -device virtserialport,chardev=console,name=org.qemu.guest_agent.0
";
    assert_eq!(shell(&command(&hardware, &host).unwrap()), expected);
}

#[test]
fn a_controller_stands_before_its_first_disk() {
    let scsi = |controller| ("scsi-hd", Some(controller));
    let given = [scsi("pvscsi"), ("nvme", None), scsi("virtio-scsi-pci"), scsi("pvscsi"), ("ide-hd", None)];
    let expected = [
        &["pvscsi,id=scsi0", "scsi-hd,bus=scsi0.0,drive=disk0,bootindex=1"][..],
        &["nvme,serial=disk1,drive=disk1,bootindex=2"],
        &["virtio-scsi-pci,id=scsi1", "scsi-hd,bus=scsi1.0,drive=disk2,bootindex=3"],
        &["scsi-hd,bus=scsi0.0,drive=disk3,bootindex=4"],
        &["ide-hd,bus=ide.4,drive=disk4,bootindex=5"],
    ];
    assert_eq!(disks("q35", given.into_iter()).unwrap(), expected);
}

#[test]
fn what_qemu_cannot_give_is_refused() {
    type Edit = fn(&mut Hardware, &mut Host);
    let cases: [(Edit, &str); 7] = [
        (|hardware, _| hardware.graphics = Some("svga".into()), "device-unknown"),
        (|hardware, _| hardware.console = Some("xencons".into()), "device-unknown"),
        (|hardware, _| hardware.nics[0].driver = "ena".into(), "device-unknown"),
        (|hardware, _| hardware.disks[0].driver = "storvsc".into(), "device-unknown"),
        (
            |hardware, _| {
                hardware.disks[0].driver = "scsi-hd".into();
                hardware.disks[0].controller = Some("xvscsi".into());
            },
            "device-unknown",
        ),
        (|_, host| host.firmware = None, "firmware-missing"),
        (|_, host| host.disks.truncate(1), "disk-count"),
    ];
    for (edit, code) in cases {
        let (mut hardware, mut host) = virtio();
        edit(&mut hardware, &mut host);
        assert_eq!(
            command(&hardware, &host).map_err(|error| error.code),
            Err(code.to_owned()),
            "{hardware:?}"
        );
    }
}
