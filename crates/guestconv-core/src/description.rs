//! The caller's document: what the guest is, and for each device the drivers on offer for the target.
//! [`xml`] says how it is written, [`edited`] reads what the caller made of it, [`refusal`] says what was wrong with that.
//! `docs/guestconv.rng` is its schema.

pub mod edited;
pub mod refusal;
pub mod xml;

use crate::finding::Finding;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The description of a guest for one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Description {
    /// Version of this document's shape: [`DESCRIPTION_SCHEMA`].
    #[cfg_attr(feature = "schema", schemars(extend("const" = DESCRIPTION_SCHEMA)))]
    pub schema: u32,
    /// The target's id.
    pub target: String,
    /// One per installed system; the first boots by default.
    pub systems: Vec<Info>,
    /// Firmware and boot loaders, for information.
    pub boot: Boot,
    /// The devices in the order graphics, network, block, console.
    pub devices: Vec<Device>,
    /// What a person should know.
    pub findings: Vec<Finding>,
}

/// The version of the description's shape, as JSON and as XML.
pub const DESCRIPTION_SCHEMA: u32 = 1;

/// What an installed system is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Info {
    /// Its root device.
    pub root: String,
    /// Host name.
    pub hostname: Option<String>,
    /// `linux` or `windows`.
    pub os: String,
    /// `debian`, `rhel` …
    pub distribution: String,
    /// First number of the version.
    pub major: Option<u32>,
    /// Second number of the version.
    pub minor: Option<u32>,
    /// Architecture.
    pub arch: String,
    /// libosinfo's short id.
    pub osinfo: Option<String>,
    /// Name for people.
    pub product: String,
}

/// How the guest boots, for information.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Boot {
    /// `bios`, `uefi`, `both` or `none`.
    pub firmware: String,
    /// The boot loaders.
    pub loaders: Vec<Loader>,
}

/// A boot loader and where it is, for information.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Loader {
    /// Id of the disk that it is on: `sda`.
    pub disk: String,
    /// Its name: `grub2`, `grub-legacy`, `systemd-boot`.
    pub name: String,
}

/// Classes of devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Graphics adapters.
    Graphics,
    /// Network cards.
    Network,
    /// Disks.
    Block,
    /// Consoles.
    Console,
}

impl Class {
    /// Every class, in the order of the document.
    pub const ALL: [Self; 4] = [Self::Graphics, Self::Network, Self::Block, Self::Console];

    /// Returns its name in documents: `network`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Graphics => "graphics",
            Self::Network => "network",
            Self::Block => "block",
            Self::Console => "console",
        }
    }
}

/// One device with the drivers on offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Its class.
    pub class: Class,
    /// Unique in its class: `0`, `eth0`, `sda`, `console`.
    pub id: String,
    /// The selected driver.
    pub driver: String,
    /// The drivers on offer, best first.
    pub offers: Vec<String>,
    /// Network: the MAC address, as far as the guest or the caller says it.
    pub mac: Option<String>,
}

/// What the caller wants for each device: class and id to a driver, or to its removal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(from = "Vec<Chosen>", into = "Vec<Chosen>")]
pub struct Choices {
    /// What is chosen.
    pub devices: BTreeMap<(Class, String), Choice>,
}

/// A choice as documents have it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Chosen {
    /// The device's class.
    class: Class,
    /// Its id in the description.
    id: String,
    /// The driver, by QEMU's device name; `None`: the device is unconfigured in the guest.
    driver: Option<String>,
}

impl From<Vec<Chosen>> for Choices {
    fn from(chosen: Vec<Chosen>) -> Self {
        let choice = |chosen: Chosen| {
            ((chosen.class, chosen.id), chosen.driver.map_or(Choice::Removed, Choice::Driver))
        };
        Self { devices: chosen.into_iter().map(choice).collect() }
    }
}

impl From<Choices> for Vec<Chosen> {
    fn from(choices: Choices) -> Self {
        let chosen = |((class, id), choice)| match choice {
            Choice::Driver(driver) => Chosen { class, id, driver: Some(driver) },
            Choice::Removed => Chosen { class, id, driver: None },
        };
        choices.devices.into_iter().map(chosen).collect()
    }
}

/// What the caller wants for one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// This driver, by QEMU's device name.
    Driver(String),
    /// The device is unconfigured in the guest.
    Removed,
}

impl Choices {
    /// Returns the drivers chosen for a class, by device id, in the order of the ids.
    pub fn drivers(&self, class: Class) -> impl Iterator<Item = (&str, &str)> {
        self.devices.iter().filter_map(move |((device_class, id), choice)| match choice {
            Choice::Driver(driver) if *device_class == class => Some((id.as_str(), driver.as_str())),
            _ => None,
        })
    }

    /// Returns whether the caller removed this device.
    pub fn is_removed(&self, class: Class, id: &str) -> bool {
        self.devices.get(&(class, id.to_owned())) == Some(&Choice::Removed)
    }
}

impl Description {
    /// Returns the choices that the document makes: every device with its selected driver.
    pub fn choices(&self) -> Choices {
        let choice =
            |device: &Device| ((device.class, device.id.clone()), Choice::Driver(device.driver.clone()));
        Choices { devices: self.devices.iter().map(choice).collect() }
    }
}

#[cfg(test)]
mod tests;
