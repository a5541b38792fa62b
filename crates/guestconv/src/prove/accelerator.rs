//! Whether KVM really runs guests here.

use super::Accelerator;
use super::emulator::Emulator;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The architecture of the empty machine by which KVM is tried.
const TRIED: &str = "x86_64";

/// What SeaBIOS says when it has found nothing to boot, which takes it some 150 ms without KVM on an idle host.
const END: &[u8] = b"No bootable device";
/// How long the empty machine may take without KVM, in which time nothing is learnt about KVM.
const TCG_LIMIT: Duration = Duration::from_secs(5);
/// How long it may take on KVM at the least, whatever it took without.
const KVM_LIMIT: Duration = Duration::from_millis(300);

/// Returns the name of what runs the guest: `kvm` or `tcg`, which a guest of another architecture always gets.
pub(super) fn accelerator(emulator: &Emulator, qemu: &Path, wanted: Accelerator) -> &'static str {
    match wanted {
        Accelerator::Probe if emulator.arch == TRIED && kvm_runs(qemu) => "kvm",
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
