//! What a proof needs of the host: QEMU, the firmware for UEFI, and whether KVM really runs here.
//!
//! UEFI firmware has no one place: Debian, Fedora, SUSE and Arch each have their own. A variable store that fits the code
//! stands beside it; it is copied for each boot.

use super::{Accelerator, ProveError};
use std::env;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// QEMU's program for the guests that we can boot.
const QEMU: &str = "qemu-system-x86_64";
/// Where else QEMU is: Fedora and RHEL have it outside the path.
const QEMU_ELSEWHERE: &[&str] = &["/usr/libexec/qemu-kvm"];

/// What SeaBIOS says when it has found nothing to boot, which takes it some 150 ms without KVM on an idle host.
const END: &[u8] = b"No bootable device";
/// How long the empty machine may take without KVM, in which time nothing is learnt about KVM.
const TCG_LIMIT: Duration = Duration::from_secs(5);
/// How long it may take on KVM at the least, whatever it took without.
const KVM_LIMIT: Duration = Duration::from_millis(300);

/// Code and variables of OVMF as distributions install them; Secure Boot is in none of them.
const OVMF: &[(&str, &str)] = &[
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
    ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
    ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
    ("/usr/share/edk2-ovmf/x64/OVMF_CODE.fd", "/usr/share/edk2-ovmf/x64/OVMF_VARS.fd"),
    ("/usr/share/qemu/ovmf-x86_64-code.bin", "/usr/share/qemu/ovmf-x86_64-vars.bin"),
    ("/usr/share/qemu/edk2-x86_64-code.fd", "/usr/share/qemu/edk2-i386-vars.fd"),
];

/// The files of a UEFI firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ovmf {
    /// The code, which is only read.
    pub(super) code: &'static Path,
    /// The variables that a new machine begins with.
    pub(super) variables: &'static Path,
}

/// Returns where QEMU is.
///
/// # Errors
/// [`ProveError::QemuMissing`].
pub(crate) fn qemu() -> Result<PathBuf, ProveError> {
    let path = env::var_os("PATH").unwrap_or_default();
    let in_path = env::split_paths(&path).map(|dir| dir.join(QEMU));
    let elsewhere = QEMU_ELSEWHERE.iter().map(PathBuf::from);
    let found = in_path.chain(elsewhere).find(|file| file.is_file());
    found.ok_or_else(|| ProveError::QemuMissing { program: QEMU.to_owned() })
}

/// Returns the UEFI firmware of the host.
///
/// # Errors
/// [`ProveError::FirmwareMissing`].
pub(super) fn ovmf() -> Result<Ovmf, ProveError> {
    let pairs = OVMF.iter().map(|(code, variables)| (Path::new(*code), Path::new(*variables)));
    let found = pairs.into_iter().find(|(code, variables)| code.is_file() && variables.is_file());
    let (code, variables) = found.ok_or(ProveError::FirmwareMissing)?;
    Ok(Ovmf { code, variables })
}

/// Returns the name of what runs the guest: `kvm` or `tcg`.
pub(super) fn accelerator(qemu: &Path, wanted: Accelerator) -> &'static str {
    match wanted {
        Accelerator::Probe if kvm_runs(qemu) => "kvm",
        Accelerator::Probe | Accelerator::Tcg => "tcg",
    }
}

/// Returns whether an empty machine was seen to come to its end on KVM, and no later than without. A `/dev/kvm` that opens may
/// still run nothing, and in a machine that is itself emulated it may run many times slower than QEMU's own emulation.
fn kvm_runs(qemu: &Path) -> bool {
    if !Path::new("/dev/kvm").exists() {
        return false;
    }
    let Some(tcg) = time_to_end(qemu, ["tcg", "max"], TCG_LIMIT) else { return false };
    time_to_end(qemu, ["kvm", "host"], tcg.max(KVM_LIMIT)).is_some()
}

/// Returns how long an empty machine takes to its end with an accelerator and a processor; `None` if longer than `limit`.
fn time_to_end(qemu: &Path, [accelerator, cpu]: [&str; 2], limit: Duration) -> Option<Duration> {
    let started = Instant::now();
    let child = Command::new(qemu)
        .args([
            "-accel",
            accelerator,
            "-cpu",
            cpu,
            "-machine",
            "pc",
            "-m",
            "32",
            "-nodefaults",
            "-no-user-config",
        ])
        .args(["-display", "none", "-chardev", "stdio,id=said,signal=off"])
        .args(["-device", "isa-debugcon,iobase=0x402,chardev=said"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn();
    let mut child = child.ok()?;
    let (sender, receiver) = mpsc::channel();
    let mut said = child.stdout.take()?;
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        let mut some = [0; 4096];
        while let Ok(count @ 1..) = said.read(&mut some) {
            text.extend_from_slice(some.get(..count).unwrap_or_default());
            // What the firmware says last on this port, of a machine without disks.
            if text.windows(END.len()).any(|window| window == END) {
                let _ = sender.send(());
                return;
            }
        }
    });
    let ended = receiver.recv_timeout(limit).ok().map(|()| started.elapsed());
    drop(child.kill());
    drop(child.wait());
    drop(reader.join());
    ended
}
