//! Knowledge that is values: targets and devices, one file each under `data/`, compiled in.

mod machine;

use crate::description::Class;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::LazyLock;

pub use machine::TargetMachine;

/// A hypervisor to boot on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Target {
    /// Stable name: `rhev-3.1`.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// The hypervisor under it, which decides what guest tools belong there: `kvm`, `vmware`, `virtualbox`, `hyperv`,
    /// `xen`, `parallels`.
    pub hypervisor: String,
    /// QEMU's machine type: `pc`, `q35` or `virt`.
    pub machine: String,
    /// Architectures that it runs, by libosinfo's names.
    pub arch: Vec<String>,
    /// `bios`, `uefi`: what it can start.
    pub firmware: Vec<String>,
    /// Graphics drivers, best first.
    pub graphics: Vec<String>,
    /// Network drivers, best first.
    pub network: Vec<String>,
    /// Disk drivers, best first.
    pub block: Vec<String>,
    /// The controller that `scsi-hd` hangs on.
    pub scsi_controller: String,
    /// Console drivers, in the order in which they are shown.
    pub console: Vec<String>,
    /// The console driver that is selected if the guest can have it.
    pub console_default: String,
    /// Drivers that it offers with a reservation: what a person should know before choosing one.
    #[serde(default)]
    pub cautions: BTreeMap<String, String>,
    /// Its machines of other architectures than `arch`, by the architecture: what is other there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub machines: BTreeMap<String, TargetMachine>,
}

/// A device that a target can give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DeviceModel {
    /// QEMU's device name.
    pub id: String,
    /// `block`, `controller`, `network`, `graphics`, `console`.
    pub class: String,
    /// Linux modules that drive it, all of them needed, in the order of loading.
    pub modules: Vec<String>,
    /// More modules by machine type.
    #[serde(default)]
    pub machine_modules: BTreeMap<String, Vec<String>>,
    /// Whether the guest gets along without the modules.
    #[serde(default)]
    pub optional: bool,
    /// Console: the terminal that Linux has on it, `ttyS0`; `None`: it is no terminal.
    #[serde(default)]
    pub terminal: Option<String>,
}

macro_rules! data {
    ($folder:literal: $($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../data/", $folder, "/", $name, ".toml")))),*]
    };
}

const TARGETS: &[(&str, &str)] = data!("targets":
    "kvm", "libvirt",
    "rhev-3.0", "rhev-3.1", "rhev-3.2", "rhev-3.3", "rhev-3.4", "rhev-3.5", "rhev-3.6",
    "rhv-4.0", "rhv-4.1", "rhv-4.2", "rhv-4.3", "rhv-4.4",
    "ovirt-4.0", "ovirt-4.1", "ovirt-4.2", "ovirt-4.3", "ovirt-4.4", "ovirt-4.5", "ovirt-4.6", "ovirt-4.7", "ovirt-4.8",
);

const DEVICES: &[(&str, &str)] = data!("devices":
    "virtio-blk-pci", "scsi-hd", "virtio-scsi-pci", "pvscsi", "ide-hd", "nvme",
    "virtio-net-pci", "e1000", "e1000e", "rtl8139", "vmxnet3",
    "qxl-vga", "cirrus-vga", "VGA", "virtio-vga", "virtio-gpu-pci", "bochs-display",
    "isa-serial", "pl011", "virtconsole", "virtserialport",
);

static KNOWN_TARGETS: LazyLock<Vec<Target>> = LazyLock::new(|| parsed(TARGETS));
static KNOWN_DEVICES: LazyLock<Vec<DeviceModel>> = LazyLock::new(|| parsed(DEVICES));

fn parsed<T: for<'de> Deserialize<'de>>(files: &[(&str, &str)]) -> Vec<T> {
    let parse = |(name, text): &(&str, &str)| match toml::from_str(text) {
        Ok(value) => value,
        Err(error) => panic!("data file {name}: {error}"),
    };
    files.iter().map(parse).collect()
}

/// Returns every target.
pub fn targets() -> &'static [Target] {
    &KNOWN_TARGETS
}

/// Returns the target of that id; `None` if there is none.
pub fn target(id: &str) -> Option<&'static Target> {
    targets().iter().find(|target| target.id == id)
}

/// Returns every device.
pub fn devices() -> &'static [DeviceModel] {
    &KNOWN_DEVICES
}

/// Returns the device of that name; `None` if there is none.
pub fn device(id: &str) -> Option<&'static DeviceModel> {
    devices().iter().find(|device| device.id == id)
}

impl Target {
    /// Returns its drivers for a class of devices, in the order in which they are shown.
    pub fn drivers(&self, class: Class) -> &[String] {
        match class {
            Class::Graphics => &self.graphics,
            Class::Network => &self.network,
            Class::Block => &self.block,
            Class::Console => &self.console,
        }
    }

    /// Returns the modules that a driver needs on this target, in the order of loading: its own, its controller's, its machine's.
    pub fn modules_for(&self, driver: &str) -> Vec<&'static str> {
        let mut modules: Vec<&'static str> = Vec::new();
        let controller = (driver == "scsi-hd").then_some(self.scsi_controller.as_str());
        for model in controller.into_iter().chain([driver]).filter_map(device) {
            let by_machine = model.machine_modules.get(&self.machine).into_iter().flatten();
            modules.extend(by_machine.chain(&model.modules).map(String::as_str));
        }
        modules
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_parses_and_every_reference_resolves() {
        for (files, folder) in [(TARGETS, "targets"), (DEVICES, "devices")] {
            let mut names: Vec<_> = files.iter().map(|(name, _)| *name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), files.len(), "a name is twice in {folder}");
        }
        for (target, (name, _)) in targets().iter().zip(TARGETS) {
            assert_eq!(target.id, *name);
        }
        for target in targets().iter().flat_map(Target::by_machine) {
            let name = &target.id;
            let lists = [&target.graphics, &target.network, &target.block, &target.console];
            for driver in lists.into_iter().flatten().chain([&target.scsi_controller]) {
                assert!(device(driver).is_some(), "{name} names the unknown device {driver}");
            }
            assert!(target.console.contains(&target.console_default), "{name}");
        }
        for target in targets() {
            for driver in target.cautions.keys() {
                assert!(
                    Class::ALL.iter().any(|class| target.drivers(*class).contains(driver)),
                    "{}: {driver}",
                    target.id
                );
            }
        }
        for (device, (name, _)) in devices().iter().zip(DEVICES) {
            assert_eq!(device.id, *name);
        }
    }

    #[test]
    fn versions_of_a_manager_differ_as_its_own_files_say() {
        let row = |id| {
            let target = target(id).unwrap();
            let words = |words: &[String]| words.join(" ");
            (words(&target.block), words(&target.network), words(&target.graphics), words(&target.firmware))
        };
        let (virtio, old) = ("virtio-blk-pci scsi-hd ide-hd", "virtio-net-pci e1000 rtl8139");
        for (id, block, network, graphics, firmware) in [
            ("rhev-3.0", "virtio-blk-pci ide-hd", old, "qxl-vga cirrus-vga", "bios"),
            ("rhev-3.3", virtio, old, "qxl-vga cirrus-vga", "bios"),
            ("rhv-4.2", virtio, old, "qxl-vga VGA cirrus-vga", "bios"),
            ("rhv-4.3", virtio, old, "qxl-vga VGA", "bios"),
            ("rhv-4.4", virtio, old, "qxl-vga VGA", "bios uefi"),
            ("ovirt-4.5", virtio, old, "qxl-vga VGA bochs-display", "bios uefi"),
            (
                "ovirt-4.7",
                virtio,
                "virtio-net-pci e1000e e1000 rtl8139",
                "VGA qxl-vga bochs-display",
                "bios uefi",
            ),
        ] {
            let expected = (block.to_owned(), network.to_owned(), graphics.to_owned(), firmware.to_owned());
            assert_eq!(row(id), expected, "{id}");
        }
    }

    #[test]
    fn modules_follow_controller_and_machine() {
        let rhev = target("rhev-3.1").unwrap();
        assert_eq!(rhev.modules_for("scsi-hd"), ["virtio_pci", "virtio_scsi", "sd_mod"]);
        assert_eq!(rhev.modules_for("ide-hd"), ["ata_piix", "sd_mod"]);
        assert_eq!(target("kvm").unwrap().modules_for("ide-hd"), ["ahci", "sd_mod"]);
    }
}
