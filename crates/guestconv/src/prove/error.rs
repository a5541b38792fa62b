//! Why a proof could not be made at all. A guest that does not boot is no error: it is a [`super::Proof`] that failed.

use guestconv_core::hardware::qemu::{UnknownDevice, firmware_packages};
use std::path::PathBuf;

/// Why a proof could not be made. Nothing was written to a disk of the guest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProveError {
    /// QEMU is not installed.
    #[error("cannot boot the guest: {program} is not installed; install {packages}")]
    QemuMissing {
        /// The program that was looked for.
        program: &'static str,
        /// The packages that have it.
        packages: &'static str,
    },
    /// The firmware that the guest needs is not installed.
    #[error(
        "cannot boot the guest: no UEFI firmware for {arch} was found; install {}",
        firmware_packages(arch)
    )]
    FirmwareMissing {
        /// The architecture of the guest.
        arch: &'static str,
    },
    /// QEMU could not be started.
    #[error("cannot start {program}")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// QEMU refused the machine before the guest ran.
    #[error("qemu did not start the guest: {reason}; look at the machine and the disks that it was given")]
    QemuRefused {
        /// What QEMU said.
        reason: String,
    },
    /// A disk is not there or cannot be read.
    #[error("cannot read the disk {}", path.display())]
    Disk {
        /// The disk.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The number of disks is not what the machine has.
    #[error(
        "the machine has {machine} disks and {given} were given; give them in the order of the plan's hardware"
    )]
    DiskCount {
        /// Disks of the machine.
        machine: usize,
        /// Disks that were given.
        given: usize,
    },
    /// A driver that the proof does not know how to give to a guest.
    #[error("cannot give a guest the {class} device {driver}: it is none of qemu's that are known here")]
    UnknownDevice {
        /// `block`, `network`, `graphics`, `console` or `processor`.
        class: &'static str,
        /// The driver.
        driver: String,
    },
    /// There is no such machine.
    #[error("there is no machine {name}; known are {known}")]
    UnknownMachine {
        /// What was asked for.
        name: String,
        /// The machines that are known.
        known: String,
    },
    /// A file of the proof's own could not be read or written.
    #[error("cannot {act} for the proof")]
    Io {
        /// What failed.
        act: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The caller cancelled.
    #[error("the proof was cancelled")]
    Cancelled,
}

impl From<UnknownDevice> for ProveError {
    fn from(unknown: UnknownDevice) -> Self {
        Self::UnknownDevice { class: unknown.class, driver: unknown.driver }
    }
}

impl ProveError {
    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::QemuMissing { .. } => "qemu-not-found",
            Self::FirmwareMissing { .. } => "firmware-missing",
            Self::Start { .. } => "qemu-start",
            Self::QemuRefused { .. } => "qemu-refused",
            Self::Disk { .. } => "disk-unreadable",
            Self::DiskCount { .. } => "disk-count",
            Self::UnknownDevice { .. } => "device-unknown",
            Self::UnknownMachine { .. } => "machine-unknown",
            Self::Io { .. } => "prove-io",
            Self::Cancelled => "cancelled",
        }
    }
}
