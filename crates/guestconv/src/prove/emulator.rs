//! QEMU for each architecture of guests: its program, the processor that it emulates, its UEFI firmware.
//!
//! UEFI firmware has no one place: Debian, Fedora, SUSE and Arch each have their own. A variable store that fits the code
//! stands beside it; it is copied for each boot.

use super::ProveError;
use std::env;
use std::path::{Path, PathBuf};

/// What emulates the machines of one architecture.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Emulator {
    /// The architecture, by libosinfo's name.
    pub(super) arch: &'static str,
    program: &'static str,
    /// The packages that have the program, for a person.
    packages: &'static str,
    /// The processor where QEMU emulates it.
    pub(super) cpu: &'static str,
    /// Code and variables of the firmware as distributions install them; Secure Boot is in none of them.
    firmware: &'static [(&'static str, &'static str)],
}

static EMULATORS: [Emulator; 2] = [
    Emulator {
        arch: "x86_64",
        program: "qemu-system-x86_64",
        packages: "qemu-system-x86 (Debian) or qemu-kvm (Fedora, RHEL)",
        cpu: "max",
        firmware: &[
            ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
            ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
            ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
            ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
            ("/usr/share/edk2-ovmf/x64/OVMF_CODE.fd", "/usr/share/edk2-ovmf/x64/OVMF_VARS.fd"),
            ("/usr/share/qemu/ovmf-x86_64-code.bin", "/usr/share/qemu/ovmf-x86_64-vars.bin"),
            ("/usr/share/qemu/edk2-x86_64-code.fd", "/usr/share/qemu/edk2-i386-vars.fd"),
        ],
    },
    Emulator {
        arch: "aarch64",
        program: "qemu-system-aarch64",
        packages: "qemu-system-arm (Debian) or qemu-system-aarch64 (Fedora)",
        // Pointer authentication as the architecture describes it takes half of the emulation's time.
        cpu: "max,pauth-impdef=on",
        firmware: &[
            ("/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),
            ("/usr/share/AAVMF/AAVMF_CODE.no-secboot.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),
            (
                "/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw",
                "/usr/share/edk2/aarch64/vars-template-pflash.raw",
            ),
            ("/usr/share/edk2/aarch64/QEMU_CODE.fd", "/usr/share/edk2/aarch64/QEMU_VARS.fd"),
            ("/usr/share/qemu/aavmf-aarch64-code.bin", "/usr/share/qemu/aavmf-aarch64-vars.bin"),
            ("/usr/share/qemu/edk2-aarch64-code.fd", "/usr/share/qemu/edk2-arm-vars.fd"),
        ],
    },
];

/// Where else QEMU is for the host's own architecture: Fedora and RHEL have it outside the path.
const ELSEWHERE: &str = "/usr/libexec/qemu-kvm";

/// The files of a UEFI firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FirmwareFiles {
    /// The code, which is only read.
    pub(super) code: &'static Path,
    /// The variables that a new machine begins with.
    pub(super) variables: &'static Path,
}

impl Emulator {
    /// Returns the emulator of an architecture.
    ///
    /// # Errors
    /// [`ProveError::UnknownDevice`] if none is known.
    pub(crate) fn of(arch: &str) -> Result<&'static Self, ProveError> {
        let found = EMULATORS.iter().find(|emulator| emulator.arch == arch);
        found.ok_or_else(|| ProveError::UnknownDevice { class: "processor", driver: arch.to_owned() })
    }

    /// Returns where its program is.
    ///
    /// # Errors
    /// [`ProveError::QemuMissing`].
    pub(crate) fn program(&self) -> Result<PathBuf, ProveError> {
        let path = env::var_os("PATH").unwrap_or_default();
        let in_path = env::split_paths(&path).map(|dir| dir.join(self.program));
        let elsewhere = (self.arch == env::consts::ARCH).then(|| PathBuf::from(ELSEWHERE));
        let found = in_path.chain(elsewhere).find(|file| file.is_file());
        found.ok_or(ProveError::QemuMissing { program: self.program, packages: self.packages })
    }

    /// Returns the UEFI firmware that the host has for it.
    ///
    /// # Errors
    /// [`ProveError::FirmwareMissing`].
    pub(super) fn firmware(&self) -> Result<FirmwareFiles, ProveError> {
        let pairs = self.firmware.iter().map(|(code, variables)| (Path::new(*code), Path::new(*variables)));
        let found = pairs.into_iter().find(|(code, variables)| code.is_file() && variables.is_file());
        let (code, variables) = found.ok_or(ProveError::FirmwareMissing { arch: self.arch })?;
        Ok(FirmwareFiles { code, variables })
    }
}
