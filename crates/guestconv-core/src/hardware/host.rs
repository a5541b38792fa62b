//! What stands behind a machine on its host: sizes, images, firmware. Hardware is what the guest must see; this is what the
//! guest cannot tell, and somebody must say before the machine can start.

use super::Hardware;
use crate::plan::PlanError;

/// What a host has for a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The machine's name.
    pub name: String,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Processors.
    pub cpus: u32,
    /// The images of the hardware's disks, in its order.
    pub disks: Vec<HostDisk>,
    /// The files of the firmware, for QEMU and a machine with UEFI; libvirt finds its own.
    pub firmware: Option<HostFirmware>,
}

/// The image of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostDisk {
    /// Where it is on the host, absolute.
    pub path: String,
    /// Its format.
    pub format: HostFormat,
    /// What it is to the host.
    pub kind: HostDiskKind,
}

/// The format of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostFormat {
    /// The bytes of the disk.
    Raw,
    /// QEMU's copy-on-write format.
    Qcow2,
}

impl HostFormat {
    /// Returns QEMU's and libvirt's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
        }
    }
}

/// What an image is to its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostDiskKind {
    /// A file.
    File,
    /// A block device.
    Block,
}

/// The files of a UEFI firmware on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFirmware {
    /// The code.
    pub code: String,
    /// The variables that a new machine begins with.
    pub variables: String,
}

impl Host {
    /// Returns nothing if there is one image for each disk of the hardware.
    ///
    /// # Errors
    /// `disk-count`.
    pub(super) fn require_disks(&self, hardware: &Hardware) -> Result<(), PlanError> {
        if self.disks.len() == hardware.disks.len() {
            return Ok(());
        }
        let message = format!(
            "the hardware has {} disks and {} images were given; give one for each, in the hardware's order",
            hardware.disks.len(),
            self.disks.len()
        );
        Err(PlanError::new("disk-count", message))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::{HardwareDisk, HardwareFirmware, HardwareNic};
    use super::*;

    /// Today's machine, of two disks and two cards, with whatever a document must escape in the name of an image.
    pub(in super::super) fn virtio() -> (Hardware, Host) {
        let disk =
            |id: &str| HardwareDisk { id: id.into(), driver: "virtio-blk-pci".into(), controller: None };
        let nic = |id: &str, mac: Option<&str>| HardwareNic {
            id: id.into(),
            driver: "virtio-net-pci".into(),
            mac: mac.map(str::to_owned),
        };
        let hardware = Hardware {
            machine: "q35".into(),
            firmware: HardwareFirmware::Uefi,
            arch: "x86_64".into(),
            disks: vec![disk("sda"), disk("sdb")],
            nics: vec![nic("eth0", Some("52:54:00:12:34:56")), nic("eth1", None)],
            graphics: Some("qxl-vga".into()),
            console: Some("isa-serial".into()),
        };
        let host = Host {
            name: "guest".into(),
            memory_mib: 2048,
            cpus: 2,
            disks: vec![
                HostDisk {
                    path: "/images/a, 'b' & c.qcow2".into(),
                    format: HostFormat::Qcow2,
                    kind: HostDiskKind::File,
                },
                HostDisk { path: "/dev/vg0/data".into(), format: HostFormat::Raw, kind: HostDiskKind::Block },
            ],
            firmware: Some(HostFirmware {
                code: "/firmware/code.fd".into(),
                variables: "/firmware/vars.fd".into(),
            }),
        };
        (hardware, host)
    }

    /// ARM's machine of today, of one disk and one card.
    pub(in super::super) fn arm() -> (Hardware, Host) {
        let (mut hardware, mut host) = virtio();
        (hardware.machine, hardware.arch) = ("virt".into(), "aarch64".into());
        hardware.disks.truncate(1);
        hardware.nics.truncate(1);
        hardware.graphics = Some("virtio-gpu-pci".into());
        hardware.console = Some("pl011".into());
        host.disks.remove(0);
        (hardware, host)
    }

    /// A machine as it was before virtio, without a picture.
    pub(in super::super) fn ide() -> (Hardware, Host) {
        let (mut hardware, mut host) = virtio();
        hardware.machine = "pc".into();
        hardware.firmware = HardwareFirmware::Bios;
        for disk in &mut hardware.disks {
            disk.driver = "ide-hd".into();
        }
        hardware.nics.truncate(1);
        hardware.nics[0].driver = "rtl8139".into();
        hardware.graphics = None;
        hardware.console = None;
        host.firmware = None;
        (hardware, host)
    }
}
