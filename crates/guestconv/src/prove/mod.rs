//! Proving: a guest is booted on a throw-away overlay, with exactly the hardware that its plan names, and watched.
//!
//! The disks are opened for reading only. The guest has no way to the host or its network: at the other end of each of
//! its cards is a small peer of our own, which gives addresses by DHCP and asks for those that are
//! expected. KVM is used only if a tiny guest was seen to run on it, since a device that opens may still run nothing.
//! Every boot ends in a [`State`] with reasons, whatever the guest shows or hides.

mod accelerator;
mod arguments;
mod confined;
mod console;
mod emulator;
mod error;
mod evidence;
mod frames;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod line;
mod login;
mod machine;
mod monitor;
mod peer;
mod process;
mod proof;
mod screen;
mod watch;

pub(crate) use confined::SANDBOX;
pub(crate) use emulator::Emulator;
pub use error::ProveError;
pub use machine::{Machine, MachineDisk, MachineNic, Smbios};
pub use proof::{CommandOutput, Evidence, PROOF_SCHEMA, Proof, ProofAddress, ProofNic, State};

use crate::observe::{Cancel, Event, Observer, Silent, Stage};
use guestconv_core::hardware::HardwareFirmware;
use guestconv_core::hardware::host::HostFirmware;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Returns whether guests run on KVM here: a tiny one was seen to. False without QEMU.
pub fn kvm_runs() -> bool {
    let runs = |emulator: &Emulator| {
        let qemu = emulator.program()?;
        Ok::<_, ProveError>(accelerator::accelerator(emulator, &qemu, Accelerator::Probe) == "kvm")
    };
    Emulator::of(std::env::consts::ARCH).and_then(runs).unwrap_or(false)
}

/// Returns the UEFI firmware of this host for guests of an architecture, as a machine's documents name it; `None` if there
/// is none.
pub(crate) fn host_firmware(arch: &str) -> Option<HostFirmware> {
    let ovmf = Emulator::of(arch).and_then(Emulator::firmware).ok()?;
    let (code, variables) = (ovmf.code.to_str()?.to_owned(), ovmf.variables.to_str()?.to_owned());
    Some(HostFirmware { code, variables })
}

/// A disk of the guest. It is only read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofDisk {
    /// Where it is.
    pub path: PathBuf,
    /// Its format. It is never guessed.
    pub format: ProofFormat,
}

/// The format of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofFormat {
    /// The bytes themselves.
    Raw,
    /// qcow2; a backing file is followed, so the caller must have allowed it.
    Qcow2,
}

/// How a proof is made.
#[derive(Clone)]
pub struct ProveOptions {
    /// How long the guest may take to come up.
    pub time_limit: Duration,
    /// Whom to log in as, to ask the guest itself for its root device and interfaces; `None`: nobody logs in.
    pub login: Option<Login>,
    /// What to run there when logged in.
    pub command: Option<String>,
    /// What the guest's network must show for the proof to pass.
    pub expected: Vec<ExpectedNic>,
    /// Where serial log and screenshot are left; `None`: they are not kept.
    pub evidence: Option<PathBuf>,
    /// What may run the guest.
    pub accelerator: Accelerator,
    /// Memory of the guest in MiB.
    pub memory_mib: u32,
    /// The processors of the guest. On a busy host QEMU's emulation of several loses timers, so that one may stand still.
    pub cpus: u32,
    /// Is told what happens.
    pub observer: Arc<dyn Observer>,
    /// Stops the proof.
    pub cancel: Cancel,
}

impl Default for ProveOptions {
    fn default() -> Self {
        Self {
            time_limit: Duration::from_secs(300),
            login: None,
            command: None,
            expected: Vec::new(),
            evidence: None,
            accelerator: Accelerator::Probe,
            memory_mib: 1024,
            cpus: 1,
            observer: Arc::new(Silent),
            cancel: Cancel::default(),
        }
    }
}

/// Whom to log in as.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// The password; never printed.
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Login({})", self.user)
    }
}

/// What a guest's network card must show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedNic {
    /// The id of the card in the machine, which is the interface's name in the source.
    pub id: String,
    /// The addresses that must answer there; empty: any address will do.
    pub addresses: Vec<IpAddr>,
}

/// What may run a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    /// KVM if a tiny guest was seen to run on it, else QEMU's own emulation.
    Probe,
    /// QEMU's own emulation.
    Tcg,
}

/// Boots the guest and returns what it did. The disks are not written.
///
/// `disks` are in the order of the machine's. A guest that does not come up is a [`Proof`] that did not pass.
///
/// # Errors
/// [`ProveError`] if the guest could not be started at all.
pub fn prove(disks: &[ProofDisk], machine: &Machine, options: &ProveOptions) -> Result<Proof, ProveError> {
    for disk in disks {
        let cannot_read = |source| ProveError::Disk { path: disk.path.clone(), source };
        std::fs::File::open(&disk.path).map_err(cannot_read)?;
    }
    let started = Instant::now();
    options.observer.event(&Event::Started(Stage::Prove));
    let emulator = Emulator::of(&machine.arch)?;
    let qemu = emulator.program()?;
    let accelerator = accelerator::accelerator(emulator, &qemu, options.accelerator);
    let mut proof = watch::boot(&qemu, accelerator, disks, machine, options)?;
    if is_fault_of_qemu(&proof) {
        let text = "qemu's emulation failed; the guest is started once more, on one processor";
        options.observer.event(&Event::Log(text));
        let options = ProveOptions { cpus: 1, ..options.clone() };
        proof = watch::boot(&qemu, accelerator, disks, machine, &options)?;
        proof.attempts = 2;
    }
    options.observer.event(&Event::Finished(Stage::Prove, started.elapsed()));
    Ok(proof)
}

#[cfg(test)]
mod tests;

/// Returns whether it was QEMU's emulation that failed on a host that is busy, and not the guest: its timer came too late
/// or never; the firmware for UEFI stopped before its first word (its processors wait for each other; seen once in some
/// forty boots); or the kernel stopped in the middle of its start (seen in one boot of a guest for ARM). A firmware that
/// finds nothing to start says so, and so does a kernel that finds no root.
fn is_fault_of_qemu(proof: &Proof) -> bool {
    let is_said = |text: &str| proof.serial_tail.iter().any(|line| line.contains(text));
    let has_reached = |milestone: &str| proof.milestones_ms.iter().any(|(name, _)| name == milestone);
    let is_late = proof.state == State::Panic && is_said(BOGUS_PANIC);
    let is_mute = proof.machine.firmware == HardwareFirmware::Uefi
        && proof.machine.console.is_some()
        && proof.serial_tail.iter().all(|line| line.trim().is_empty());
    let is_stuck = has_reached("kernel") && !has_reached("init");
    let stands_still = proof.accelerator == "tcg" && proof.state == State::Timeout;
    is_late || stands_still && (is_mute || is_stuck || is_said(LOST_TIMER))
}

/// What the kernel says when QEMU's emulated timer came too late, which happens on a host that is busy.
const BOGUS_PANIC: &str = "IO-APIC + timer doesn't work";
/// What it says when the timer of one of its processors no longer comes.
const LOST_TIMER: &str = "Possible timer handling issue on cpu=";
