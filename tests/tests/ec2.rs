//! Guests that are a file system on a whole disk, as EC2 starts them: each gets a partition table and a boot loader.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "it is a test: what fails here fails the test"
)]

use guestconv::core::hardware::HardwareFirmware;
use guestconv::core::plan::PlanOptions;
use guestconv::{Options, UndoOptions};
use guestconv_system_tests::images::make_qcow2;
use guestconv_system_tests::running::Running;
use guestconv_system_tests::{Copy, assert_as_before, convert, copy, copy_in_qcow2, line};
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_convert-once");

/// The raw disk is started by BIOS, that in qcow2 by UEFI; when they ran, all is undone.
fn line_of_both_formats(name: &str) {
    line_and_back(copy(name), HardwareFirmware::Bios);
    line_and_back(copy_in_qcow2(name), HardwareFirmware::Uefi);
}

fn line_and_back(copy: Option<Copy>, firmware: HardwareFirmware) {
    let Some(copy) = copy else { return };
    line(&copy, firmware);
    copy.open(Options::default()).undo(&UndoOptions::default()).unwrap();
    copy.assert_as_built("after boot and undo");
}

/// Its own boot loader is for both.
#[test]
fn ec2_hvm() {
    line_of_both_formats("ec2-hvm");
}

#[test]
fn ec2_pv() {
    line_of_both_formats("ec2-pv");
}

#[test]
fn ec2_pv_xfs() {
    line_of_both_formats("ec2-pv-xfs");
}

#[test]
fn ec2_two_disk() {
    line_of_both_formats("ec2-two-disk");
}

/// The guest's own tools write its own menu, and what starts it follows that.
#[test]
fn a_kernel_that_the_guest_installs_later_is_what_boots() {
    let Some(copy) = copy("ec2-pv") else { return };
    let plan = convert(&copy);
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let mut guest = Running::start(&copy, &plan.hardware);
    guest.log_in();
    let before = guest.run("uname -r", minutes(1));
    let packaged = "dpkg-deb --fsys-tarfile /root/kernels/*.deb | tar -t | sed -n 's,^./boot/vmlinuz-,,p'";
    let expected = guest.run(packaged, minutes(2));
    assert_ne!(before, expected, "there is another kernel to install");
    guest.run("dpkg -i /root/kernels/*.deb", minutes(10));
    guest.power_off();
    let proof = copy.boot(&plan.hardware);
    assert_as_before(copy.subject, copy.subject.root, &proof);
    assert_eq!(proof.kernel.as_deref(), Some(expected.trim()));
}

/// What is read and written does not grow with the disk.
#[test]
fn a_disk_of_100_gib_is_not_copied() {
    let Some(mut copy) = copy("ec2-pv") else { return };
    File::options().write(true).open(&copy.disk).unwrap().set_len(100 << 30).unwrap();
    for (program, option) in [("e2fsck", "-fp"), ("resize2fs", "-f")] {
        let output = Command::new(program).arg(option).arg(&copy.disk).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let qcow2 = copy.directory.path().join("disk.qcow2");
    make_qcow2(&copy.disk, &qcow2);
    for (disk, options) in [(copy.disk.clone(), &[][..]), (qcow2, &["--qcow2"][..])] {
        let output = Command::new(PROGRAM).arg(&disk).arg("kvm").args(options).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        let count = |name: &str| -> u64 {
            text.lines().find_map(|line| line.strip_prefix(name)).unwrap().parse().unwrap()
        };
        let bytes = count("rchar: ") + count("wchar: ");
        assert!(bytes < 200 << 20, "{options:?}: {bytes} bytes were read and written");
        copy.disk = disk;
    }
}

/// Killed with all that it started, a conversion has changed nothing, or it is finished by the next who opens the disk.
#[test]
fn a_kill_loses_nothing() {
    for (copy, options) in [(copy("ec2-pv-xfs"), &[][..]), (copy_in_qcow2("ec2-pv-xfs"), &["--qcow2"][..])] {
        let Some(copy) = copy else { return };
        let names = copy.files();
        for (stage, wait_ms) in [("apply", 50), ("commit", 0), ("commit", 10), ("commit", 30), ("commit", 60)]
        {
            let mut child = Command::new(PROGRAM)
                .arg(&copy.disk)
                .arg("kvm")
                .args(options)
                .stdout(Stdio::piped())
                .process_group(0)
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let is_reached = lines.any(|line| line.unwrap() == stage);
            std::thread::sleep(Duration::from_millis(wait_ms));
            // It may have ended, but is there until it was waited for.
            kill_process_group(Pid::from_child(&child), Signal::KILL).unwrap();
            child.wait().unwrap();
            assert!(is_reached, "{stage} was not reached");

            let killed = format!("{options:?}: killed {wait_ms} ms after {stage} began");
            let mut guest = copy.open(Options::default());
            let choices = guest.describe("kvm", &[]).unwrap().choices();
            let is_converted = guest.plan("kvm", &choices, &PlanOptions::default()).unwrap().steps.is_empty();
            copy.assert_sound();
            if is_converted {
                guest.undo(&UndoOptions::default()).unwrap();
            }
            drop(guest);
            copy.assert_as_built(&killed);
            assert_eq!(copy.files(), names, "{killed}");
        }
    }
}
