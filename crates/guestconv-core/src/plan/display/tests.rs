//! A plan reads as a reviewer would write it.

use super::super::{PLAN_SCHEMA, PlanRoot, Wishes};
use super::*;
use crate::change::{AddedModule, AddedText};
use crate::hardware::{HardwareDisk, HardwareNic};
use crate::layout::DeviceName;
use crate::linux::initramfs::Compression;
use crate::path::guest_path;

fn file(size_bytes: u64) -> FileHash {
    FileHash { size_bytes, blake3: "0123456789abcdef0123456789abcdef".into() }
}

fn plan(steps: Vec<Step>) -> Plan {
    let root =
        |device: &str| PlanRoot { device: DeviceName(device.into()), subvolume: None, mounts: Vec::new() };
    Plan {
        schema: PLAN_SCHEMA,
        target: "kvm".into(),
        wishes: Wishes::default(),
        roots: vec![root("/dev/sda1"), root("/dev/sda2")],
        steps,
        hardware: Hardware {
            machine: "q35".into(),
            firmware: HardwareFirmware::Uefi,
            arch: "x86_64".into(),
            disks: vec![HardwareDisk {
                id: "sda".into(),
                driver: "scsi-hd".into(),
                controller: Some("virtio-scsi-pci".into()),
            }],
            nics: vec![HardwareNic { id: "eth0".into(), driver: "e1000".into(), mac: None }],
            graphics: None,
            console: Some("isa-serial".into()),
        },
        findings: Vec::new(),
    }
}

const HARDWARE: &str = "# hardware: x86_64 q35, UEFI
#   block sda: scsi-hd on virtio-scsi-pci
#   network eth0: e1000, any MAC address
#   graphics: none
#   console: isa-serial
";

#[test]
fn a_plan_without_steps_says_so() {
    let expected = "# nothing is to do: the guest is ready for kvm\n".to_owned() + HARDWARE;
    assert_eq!(plan(Vec::new()).to_string(), expected);
}

#[test]
fn every_kind_of_change_is_shown() {
    let step = |id: &str, why: &str, root, changes| Step { id: id.into(), why: why.into(), root, changes };
    let texts = vec![
        Change::Write {
            path: guest_path("/etc/fstab"),
            before: Some("# disks\n/dev/sda1 / ext4\n".into()),
            after: "# disks\nUUID=1 / ext4\n\u{1b}[2J\n".into(),
            mode: None,
        },
        Change::Write { path: guest_path("/etc/new"), before: None, after: "a".into(), mode: Some(0o600) },
        Change::Remove { path: guest_path("/etc/old"), before: Before::Text("x\n".into()) },
    ];
    let others = vec![
        Change::Remove { path: guest_path("/a"), before: Before::Link("../b".into()) },
        Change::Link { path: guest_path("/l"), before: None, to: "/dev/null".into() },
        Change::Link { path: guest_path("/m"), before: Some(Before::File(file(7))), to: "n".into() },
        Change::Copy { from: guest_path("/x.efi"), source: file(8), to: guest_path("/y.efi") },
        Change::AppendInitramfs(InitramfsAppend {
            path: guest_path("/boot/initrd.img"),
            before: file(9),
            kernel: "6.1.0".into(),
            loader: ModuleLoader::Index,
            modules: vec![AddedModule {
                name: "virtio_blk".into(),
                from: guest_path("/lib/modules/6.1.0/virtio_blk.ko"),
                to: "virtio_blk.ko".into(),
                file: file(10),
            }],
            present: Vec::new(),
            module_dir: "/usr/lib/modules/6.1.0".into(),
            files: vec![AddedText { path: "conf/x".into(), text: "hello".into(), unlink_first: false }],
            directories: Vec::new(),
            tail: Compression::None,
        }),
        Change::Run { argv: vec!["dracut".into(), "-f".into()] },
    ];
    let plan = plan(vec![
        step("storage/uuid", "the names change", 0, texts),
        step("misc/all", "for the test", 1, others),
    ]);
    let expected = r"# storage/uuid: the names change
# in the system on /dev/sda1
--- /etc/fstab
+++ /etc/fstab
@@ -1,2 +1,3 @@
 # disks
-/dev/sda1 / ext4
+UUID=1 / ext4
+\u{1b}[2J
# new file /etc/new, mode 0600
--- /dev/null
+++ /etc/new
@@ -0,0 +1 @@
+a
\ No newline at end of file
--- /etc/old
+++ /dev/null
@@ -1 +0,0 @@
-x

# misc/all: for the test
# in the system on /dev/sda2
# remove /a, a link to ../b
# link /l to /dev/null
# link /m to n in place of a file of 7 bytes, blake3 0123456789abcdef
# copy /x.efi (8 bytes, blake3 0123456789abcdef) to /y.efi
# append to /boot/initrd.img (9 bytes, blake3 0123456789abcdef), kernel 6.1.0
#   module virtio_blk from /lib/modules/6.1.0/virtio_blk.ko (10 bytes, blake3 0123456789abcdef)
#   file conf/x (5 bytes of text)
#   a module index, so that udev finds them
# run in the appliance: dracut -f

";
    assert_eq!(plan.to_string(), expected.to_owned() + HARDWARE);
}

#[test]
fn the_hardware_of_a_plan_that_was_handed_in_does_not_rule_the_terminal() {
    let mut plan = plan(Vec::new());
    let escape = || "\u{1b}[2J".to_owned();
    (plan.target, plan.hardware.machine, plan.hardware.arch) = (escape(), escape(), escape());
    for disk in &mut plan.hardware.disks {
        (disk.id, disk.driver, disk.controller) = (escape(), escape(), Some(escape()));
    }
    for nic in &mut plan.hardware.nics {
        (nic.id, nic.driver, nic.mac) = (escape(), escape(), Some(escape()));
    }
    (plan.hardware.graphics, plan.hardware.console) = (Some(escape()), Some(escape()));
    let x = "\\u{1b}[2J";
    let expected = format!(
        "# nothing is to do: the guest is ready for {x}\n# hardware: {x} {x}, UEFI\n#   block {x}: {x} on {x}\n#   network \
         {x}: {x}, {x}\n#   graphics: {x}\n#   console: {x}\n"
    );
    assert_eq!(plan.to_string(), expected);
}
