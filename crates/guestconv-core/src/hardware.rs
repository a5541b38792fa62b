//! The virtual hardware that a converted guest expects. A converter that does not say it is half a converter.

use serde::{Deserialize, Serialize};

/// What the target must give the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Hardware {
    /// Machine type by QEMU's name: `q35` or `pc`.
    pub machine: String,
    /// How it must start.
    pub firmware: HardwareFirmware,
    /// Architecture: `x86_64`.
    pub arch: String,
    /// The disks in order; the first is booted.
    pub disks: Vec<HardwareDisk>,
    /// The network cards in order of their slots.
    pub nics: Vec<HardwareNic>,
    /// Graphics driver, QEMU's name; `None`: no graphics.
    pub graphics: Option<String>,
    /// Console driver, QEMU's name; `None`: no console.
    pub console: Option<String>,
}

/// The firmware that a guest must be started by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HardwareFirmware {
    /// BIOS: SeaBIOS.
    Bios,
    /// UEFI without Secure Boot: OVMF.
    Uefi,
}

/// A disk that the target must give the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HardwareDisk {
    /// The disk's id in the description: `sda`.
    pub id: String,
    /// QEMU's device name: `virtio-blk-pci`, `scsi-hd`, `ide-hd`, `nvme`.
    pub driver: String,
    /// QEMU's name of the controller that the device hangs on (`virtio-scsi-pci`, `pvscsi`); `None`: none or the machine's own.
    pub controller: Option<String>,
}

/// A network card that the target must give the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HardwareNic {
    /// The interface's id in the description: `eth0`.
    pub id: String,
    /// QEMU's device name.
    pub driver: String,
    /// The MAC address that it must have; `None`: any.
    pub mac: Option<String>,
}
