//! The virtual hardware that a guest is booted on: what a plan names ([`Machine::of`]), or hardware like a source's
//! ([`Machine::preset`]), to see that a guest boots where it comes from. The presets are values: `data/machines/`.

use super::ProveError;
use guestconv_core::hardware::{Hardware, HardwareFirmware};
use serde::{Deserialize, Serialize};

/// The hardware that a guest is booted on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Machine type by QEMU's name: `q35`, `pc` or `virt`.
    pub machine: String,
    /// Architecture: `x86_64`, `aarch64`.
    #[serde(default = "x86_64")]
    pub arch: String,
    /// What starts the guest.
    pub firmware: HardwareFirmware,
    /// One per disk of the guest, in order; the first is booted.
    pub disks: Vec<MachineDisk>,
    /// The network cards in order of their slots.
    pub nics: Vec<MachineNic>,
    /// Graphics driver, QEMU's name; `None`: no graphics.
    #[serde(default)]
    pub graphics: Option<String>,
    /// Console driver, QEMU's name; `None`: no console.
    #[serde(default)]
    pub console: Option<String>,
    /// What the firmware says of the maker; `None`: QEMU's own.
    #[serde(default)]
    pub smbios: Option<Smbios>,
    /// Whether PCI slots are numbered as VMware numbers them: a network card in slot 192 is `ens192`.
    #[serde(default)]
    pub vmware_slots: bool,
}

/// A disk of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MachineDisk {
    /// QEMU's device name: `virtio-blk-pci`, `scsi-hd`, `ide-hd`, `nvme`.
    pub driver: String,
    /// QEMU's name of the controller of a `scsi-hd`: `virtio-scsi-pci`, `pvscsi`.
    #[serde(default)]
    pub controller: Option<String>,
}

/// A network card of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MachineNic {
    /// The interface's id in the description: `eth0`.
    pub id: String,
    /// QEMU's device name.
    pub driver: String,
    /// Its MAC address; `None`: one is made up.
    #[serde(default)]
    pub mac: Option<String>,
    /// The slot of a PCI Express port of its own; `None`: where QEMU puts it.
    #[serde(default)]
    pub slot: Option<u32>,
}

/// What the firmware says of the maker of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Smbios {
    /// The manufacturer: `VMware, Inc.`.
    pub manufacturer: String,
    /// The product.
    pub product: String,
}

const PRESETS: &[(&str, &str)] = &[
    ("ahci", include_str!("../../data/machines/ahci.toml")),
    ("e1000", include_str!("../../data/machines/e1000.toml")),
    ("ide", include_str!("../../data/machines/ide.toml")),
    ("nvme", include_str!("../../data/machines/nvme.toml")),
    ("virt", include_str!("../../data/machines/virt.toml")),
    ("virtio", include_str!("../../data/machines/virtio.toml")),
    ("virtio-scsi", include_str!("../../data/machines/virtio-scsi.toml")),
    ("vmware", include_str!("../../data/machines/vmware.toml")),
    ("vmware-old", include_str!("../../data/machines/vmware-old.toml")),
];

fn x86_64() -> String {
    "x86_64".to_owned()
}

impl Machine {
    /// Returns exactly the machine that a plan's hardware names.
    pub fn of(hardware: &Hardware) -> Self {
        Self {
            machine: hardware.machine.clone(),
            arch: hardware.arch.clone(),
            firmware: hardware.firmware,
            disks: hardware
                .disks
                .iter()
                .map(|disk| MachineDisk { driver: disk.driver.clone(), controller: disk.controller.clone() })
                .collect(),
            nics: hardware
                .nics
                .iter()
                .map(|nic| MachineNic {
                    id: nic.id.clone(),
                    driver: nic.driver.clone(),
                    mac: nic.mac.clone(),
                    slot: None,
                })
                .collect(),
            graphics: hardware.graphics.clone(),
            console: hardware.console.clone(),
            smbios: None,
            vmware_slots: false,
        }
    }

    /// Returns the machine of that name (`vmware`, `virtio`, `ide` …) with one disk; see [`Machine::with_disks`].
    ///
    /// # Errors
    /// [`ProveError::UnknownMachine`] if there is none of that name.
    pub fn preset(name: &str) -> Result<Self, ProveError> {
        let Some((_, text)) = PRESETS.iter().find(|(known, _)| *known == name) else {
            let known = Self::presets().collect::<Vec<_>>().join(", ");
            return Err(ProveError::UnknownMachine { name: name.to_owned(), known });
        };
        Ok(toml::from_str(text).expect("every file of data/machines is tested to parse"))
    }

    /// Returns the names of the machines that [`Machine::preset`] knows, sorted.
    pub fn presets() -> impl Iterator<Item = &'static str> {
        PRESETS.iter().map(|(name, _)| *name)
    }

    /// Returns the same machine with `count` disks like its first.
    #[must_use]
    pub fn with_disks(mut self, count: usize) -> Self {
        if let Some(first) = self.disks.first().cloned() {
            self.disks = vec![first; count];
        }
        self
    }

    /// Returns the same machine started by `firmware`.
    #[must_use]
    pub fn with_firmware(mut self, firmware: HardwareFirmware) -> Self {
        self.firmware = firmware;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_parses_and_is_sorted() {
        for (name, text) in PRESETS {
            assert!(toml::from_str::<Machine>(text).is_ok(), "{name}: {:?}", toml::from_str::<Machine>(text));
        }
        let names: Vec<_> = Machine::presets().collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        assert_eq!(names, sorted);
    }

    #[test]
    fn an_unknown_machine_is_refused_by_name() {
        let error = Machine::preset("vax").unwrap_err();
        assert_eq!(error.code(), "machine-unknown");
        assert_eq!(
            error.to_string(),
            "there is no machine vax; known are ahci, e1000, ide, nvme, virt, virtio, virtio-scsi, vmware, vmware-old"
        );
    }

    #[test]
    fn a_preset_takes_as_many_disks_as_the_guest_has() {
        let machine = Machine::preset("vmware").unwrap().with_disks(2);
        let disk = MachineDisk { driver: "scsi-hd".into(), controller: Some("pvscsi".into()) };
        assert_eq!(machine.disks, [disk.clone(), disk]);
    }
}
