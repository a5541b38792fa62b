//! Real boots that need no guest: a blank disk. Without QEMU they skip, and say so.

use super::*;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// A disk of zeros; `None`, with a word on stderr, if there is no QEMU.
fn blank_disk(dir: &tempfile::TempDir) -> Option<ProofDisk> {
    if Emulator::of("x86_64").and_then(Emulator::program).is_err() {
        eprintln!("skipped: there is no QEMU on this machine");
        return None;
    }
    let path = dir.path().join("blank,disk.img");
    File::create(&path).unwrap().set_len(1 << 20).unwrap();
    Some(ProofDisk { path, format: ProofFormat::Raw })
}

fn options(dir: &tempfile::TempDir) -> ProveOptions {
    ProveOptions {
        time_limit: Duration::from_secs(60),
        memory_mib: 128,
        accelerator: Accelerator::Tcg,
        evidence: Some(dir.path().join("evidence")),
        ..ProveOptions::default()
    }
}

#[test]
fn a_blank_disk_boots_nowhere_and_the_proof_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = blank_disk(&dir) else { return };
    let machine = Machine::preset("ide").unwrap();
    let proof = prove(&[disk], &machine, &options(&dir)).unwrap();
    let evidence = dir.path().canonicalize().unwrap().join("evidence");
    assert_eq!(
        (proof.passed, proof.state, proof.reasons.as_slice()),
        (false, State::NoBootDevice, ["the guest showed \"No bootable device.\"".to_owned()].as_slice()),
        "{proof:?}"
    );
    assert_eq!(proof.screenshot, Some(evidence.join("screen.png")));
    assert_eq!(proof.serial_log, Some(evidence.join("serial.log")));
    let picture = std::fs::read(evidence.join("screen.png")).unwrap();
    assert_eq!(&picture[..8], b"\x89PNG\r\n\x1a\n");
}

#[test]
fn a_disk_that_is_not_there_is_an_error() {
    let disk = ProofDisk { path: "/nowhere.img".into(), format: ProofFormat::Raw };
    let error = prove(&[disk], &Machine::preset("ide").unwrap(), &ProveOptions::default()).unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        ("disk-unreadable", "cannot read the disk /nowhere.img")
    );
}

#[test]
fn a_cancelled_proof_leaves_no_process() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = blank_disk(&dir) else { return };
    let options = options(&dir);
    options.cancel.cancel();
    let error = prove(&[disk], &Machine::preset("virtio").unwrap(), &options).unwrap_err();
    assert_eq!(error.code(), "cancelled");
}

#[test]
fn a_format_that_lies_is_refused_by_qemu() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut disk) = blank_disk(&dir) else { return };
    disk.format = ProofFormat::Qcow2;
    let error = prove(&[disk], &Machine::preset("virtio").unwrap(), &options(&dir)).unwrap_err();
    assert_eq!(error.code(), "qemu-refused", "{error}");
}

/// A boot sector that prints the first of its texts on the screen and six seconds later on the serial port, then the next
/// whenever a line was typed there.
const LATE_PROMPT: &[u8] = b"\x31\xc0\x8e\xd8\xbe\x3c\x7c\xac\x84\xc0\x74\x06\xb4\x0e\xcd\x10\xeb\xf5\
    \xb4\x86\xb9\x5b\x00\xba\x80\x8d\xcd\x15\xbe\x3c\x7c\xba\xf8\x03\xac\x84\xc0\x74\x03\xee\xeb\xf5\
    \xba\xfd\x03\xec\xa8\x01\x74\xf8\xba\xf8\x03\xec\x3c\x0a\x75\xf0\xeb\xe3\
    \r\nh login: \0Password: \0\r\nLogin incorrect\r\n\0";

#[test]
fn a_prompt_that_the_screen_shows_first_is_waited_for_on_the_console() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = blank_disk(&dir) else { return };
    let image = File::options().write(true).open(&disk.path).unwrap();
    image.write_all_at(LATE_PROMPT, 0).unwrap();
    image.write_all_at(b"\x55\xaa", 510).unwrap();
    let machine = Machine { nics: Vec::new(), ..Machine::preset("ide").unwrap() };
    let login = Some(Login { user: "root".into(), password: "x".into() });
    let proof = prove(&[disk], &machine, &ProveOptions { login, ..options(&dir) }).unwrap();
    let reasons = ["the guest showed \"h login:\"", "nobody could log in as root: the guest refused"];
    assert_eq!((proof.passed, proof.state), (false, State::Login), "{proof:?}");
    assert_eq!(proof.reasons, reasons);
}

#[test]
fn only_a_fault_of_the_emulation_is_tried_again() {
    let proof =
        |firmware: HardwareFirmware, state: State, accelerator: &str, reached: &[&str], serial: &[&str]| {
            Proof {
                schema: 1,
                passed: false,
                state,
                reasons: Vec::new(),
                root_device: None,
                kernel: None,
                nics: Vec::new(),
                command: None,
                time_ms: 0,
                milestones_ms: reached.iter().map(|name| ((*name).to_owned(), 1)).collect(),
                accelerator: accelerator.to_owned(),
                machine: Machine { firmware, ..Machine::preset("virtio").unwrap() },
                attempts: 1,
                serial_tail: serial.iter().map(|line| (*line).to_owned()).collect(),
                screen_text: Vec::new(),
                serial_log: None,
                screenshot: None,
            }
        };
    let (bios, uefi) = (HardwareFirmware::Bios, HardwareFirmware::Uefi);
    let stall = ["rcu: \tPossible timer handling issue on cpu=1 timer-softirq=8"];
    let no_timer = ["Kernel panic - not syncing: IO-APIC + timer doesn't work!"];
    let (kernel, init) = (&["kernel"][..], &["kernel", "init"][..]);
    for (firmware, state, accelerator, reached, serial, expected) in [
        (uefi, State::Timeout, "tcg", &[][..], &[][..], true),
        (uefi, State::Timeout, "tcg", &[], &["", " "], true),
        (uefi, State::Timeout, "tcg", &[], &["BdsDxe: loading Boot0001"], false),
        (uefi, State::Timeout, "kvm", &[], &[], false),
        (uefi, State::QemuExit, "tcg", &[], &[], false),
        (bios, State::Timeout, "tcg", &[], &[], false),
        (bios, State::Panic, "tcg", kernel, &no_timer, true),
        (bios, State::Panic, "tcg", kernel, &["Kernel panic - not syncing: VFS"], false),
        (bios, State::Timeout, "tcg", kernel, &["CPU featur"], true),
        (bios, State::Timeout, "kvm", kernel, &["CPU featur"], false),
        (bios, State::InitramfsShell, "tcg", kernel, &["(initramfs)"], false),
        (bios, State::Timeout, "tcg", init, &["A start job is running"], false),
        (bios, State::Timeout, "tcg", init, &stall, true),
        (bios, State::Timeout, "kvm", init, &stall, false),
        (bios, State::Login, "tcg", init, &stall, false),
    ] {
        let proof = proof(firmware, state, accelerator, reached, serial);
        let of = format!("{firmware:?} {state:?} {accelerator} {reached:?} {serial:?}");
        assert_eq!(is_fault_of_qemu(&proof), expected, "{of}");
    }
}
