//! What QEMU itself says of the commands: each is started, halted before its first instruction, and told to end.

use super::*;
use crate::prove;
use guestconv_core::hardware::qemu;
use guestconv_core::knowledge::{Target, targets};
use serde_json::json;
use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

#[test]
fn a_machine_is_named_after_its_first_image() {
    for (path, expected) in
        [("/a/disk.img", "disk"), ("/a/web 1, old.qcow2", "web_1__old"), ("/dev/vg0/root", "root"), ("/", "")]
    {
        assert_eq!(name_after(Path::new(path)), expected, "{path}");
    }
}

/// Returns the machine of a target with the `at`-th driver on offer for each device, as far as there are so many.
fn machine_of(target: &Target, at: usize) -> Hardware {
    let driver = |drivers: &[String]| drivers.get(at).or(drivers.last()).unwrap().clone();
    let block = driver(&target.block);
    let controller = (block == "scsi-hd").then_some(&target.scsi_controller);
    let disk = |id: &str| json!({"id": id, "driver": block, "controller": controller});
    let firmware = target.firmware.last();
    let nic = json!({"id": "eth0", "driver": driver(&target.network), "mac": null});
    let hardware = json!({
        "machine": target.machine, "firmware": firmware, "arch": target.arch.first(),
        "disks": [disk("sda"), disk("sdb")], "nics": [nic],
        "graphics": driver(&target.graphics), "console": driver(&target.console),
    });
    serde_json::from_value(hardware).unwrap()
}

#[test]
fn qemu_takes_whatever_a_target_offers() {
    let dir = tempfile::tempdir().unwrap();
    let image = |name: &str| {
        let path = dir.path().join(name);
        std::fs::File::create(&path).unwrap().set_len(1 << 20).unwrap();
        HostDisk { path: path.to_str().unwrap().into(), format: HostFormat::Raw, kind: HostDiskKind::File }
    };
    let host = |firmware| Host {
        name: "a, b".into(),
        memory_mib: 128,
        cpus: 1,
        disks: vec![image("a,b.img"), image("c.img")],
        firmware,
    };
    let mut commands = BTreeSet::new();
    for target in targets().iter().flat_map(Target::by_machine) {
        let arch = &target.arch[0];
        let program = prove::Emulator::of(arch).unwrap().program();
        let (Ok(program), Some(firmware)) = (program, prove::host_firmware(arch)) else {
            eprintln!("skipped: there is no QEMU or no UEFI firmware for {arch} on this machine");
            continue;
        };
        for at in 0..5 {
            let command = qemu::command(&machine_of(&target, at), &host(Some(firmware.clone()))).unwrap();
            commands.insert((program.clone(), command));
        }
    }
    for (program, command) in commands {
        // Not on KVM, which not every machine has, and nothing of it runs anyway.
        let words = command.iter().skip(1).map(|word| match word.as_str() {
            "kvm" => "tcg",
            "host" => "max",
            "stdio,id=console,mux=on,signal=off" => "null,id=console,mux=on",
            word => word,
        });
        let mut child = Command::new(program)
            .args(words)
            .args(["-S", "-display", "none", "-monitor", "stdio"])
            .current_dir(&dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(b"quit\n");
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}\n{said}", qemu::shell(&command));
    }
}
