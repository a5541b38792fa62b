//! The virtual hardware that a converted guest expects. A converter that does not say it is half a converter.
//!
//! It is a value; [`libvirt`] and [`qemu`] write it for those who start the machine, with what the [`host`] has for it.

pub mod host;
pub mod libvirt;
pub mod qemu;

use crate::description::{Class, Device};
use crate::facts::{Facts, Firmware, Root};
use crate::knowledge::Target;
use crate::plan::PlanError;
use serde::{Deserialize, Serialize};

/// The name of the channel on which QEMU's guest agent listens, where the console is a `virtserialport`.
const AGENT_CHANNEL: &str = "org.qemu.guest_agent.0";

/// What the target must give the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Hardware {
    /// Machine type by QEMU's name: `q35`, `pc` or `virt`.
    pub machine: String,
    /// How it must start.
    pub firmware: HardwareFirmware,
    /// Architecture: `x86_64`, `aarch64`.
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum HardwareFirmware {
    /// BIOS: SeaBIOS.
    Bios,
    /// UEFI without Secure Boot: OVMF.
    Uefi,
}

/// A disk that the target must give the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct HardwareNic {
    /// The interface's id in the description: `eth0`.
    pub id: String,
    /// QEMU's device name.
    pub driver: String,
    /// The MAC address that it must have; `None`: any.
    pub mac: Option<String>,
}

impl Hardware {
    /// Returns the hardware that the devices of a description ask for. A device that is not there is not given.
    ///
    /// # Errors
    /// [`PlanError`] if the target cannot start the guest: its architecture, its firmware.
    pub fn of(facts: &Facts, target: &Target, devices: &[Device]) -> Result<Self, PlanError> {
        let of = |class: Class| devices.iter().filter(move |device| device.class == class);
        let driver = |class: Class| of(class).next().map(|device| device.driver.clone());
        let controller = |driver: &str| (driver == "scsi-hd").then(|| target.scsi_controller.clone());
        Ok(Self {
            machine: target.machine.clone(),
            firmware: firmware(facts, target)?,
            arch: arch(facts, target)?,
            disks: of(Class::Block)
                .map(|disk| HardwareDisk {
                    id: disk.id.clone(),
                    driver: disk.driver.clone(),
                    controller: controller(&disk.driver),
                })
                .collect(),
            nics: of(Class::Network)
                .map(|nic| HardwareNic {
                    id: nic.id.clone(),
                    driver: nic.driver.clone(),
                    mac: nic.mac.clone(),
                })
                .collect(),
            graphics: driver(Class::Graphics),
            console: driver(Class::Console),
        })
    }
}

/// Returns the architecture of the machine: 64 bits where a system of 32 runs on it.
///
/// # Errors
/// `arch-not-offered` if the target has no such machine.
pub fn arch(facts: &Facts, target: &Target) -> Result<String, PlanError> {
    let is_missing = |root: &&Root| !target.arch.contains(&root.arch);
    if let Some(root) = facts.roots.iter().find(is_missing) {
        let message = format!(
            "{} runs {}, and the system on {} is for {}; choose a target of that architecture",
            target.name,
            listed(&target.architectures()),
            root.device,
            root.arch
        );
        return Err(PlanError::new("arch-not-offered", message));
    }
    let arch = facts.roots.first().map_or("x86_64", |root| root.arch.as_str());
    Ok(if arch == "i686" { "x86_64" } else { arch }.to_owned())
}

/// Returns names as a sentence lists them: `x86_64, i686 and aarch64`.
fn listed(names: &[&str]) -> String {
    match names {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => names.concat(),
    }
}

/// Returns the firmware that the guest is started by. A guest that can have either gets BIOS where the target has it:
/// a fresh UEFI knows nothing of the guest's boot entries.
///
/// # Errors
/// `firmware-not-offered` if the target has none by which the guest can start.
pub fn firmware(facts: &Facts, target: &Target) -> Result<HardwareFirmware, PlanError> {
    let offers = |name: &str| target.firmware.iter().any(|firmware| firmware == name);
    let (bios, uefi) = match &facts.firmware {
        Firmware::Bios => (true, false),
        Firmware::Uefi { .. } => (false, true),
        Firmware::Both { .. } | Firmware::None => (true, true),
    };
    if bios && offers("bios") {
        return Ok(HardwareFirmware::Bios);
    }
    if uefi && offers("uefi") {
        return Ok(HardwareFirmware::Uefi);
    }
    let message = format!(
        "the guest starts by {} only, and {} has {} only; choose a target that has the guest's firmware",
        if uefi { "UEFI" } else { "BIOS" },
        target.name,
        target.firmware.join(" and ").to_uppercase(),
    );
    Err(PlanError::new("firmware-not-offered", message))
}
