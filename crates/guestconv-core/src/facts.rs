//! Facts: what was found in a guest, with the text of the files that conversion may edit.

use crate::finding::Finding;
use crate::layout::{DeviceName, Layout};
use crate::linux;
use crate::path::GuestPath;
use serde::{Deserialize, Serialize};

/// All that inspection found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Facts {
    /// Version of this document's shape: [`FACTS_SCHEMA`].
    #[cfg_attr(feature = "schema", schemars(extend("const" = FACTS_SCHEMA)))]
    pub schema: u32,
    /// Disks, partitions, volumes, file systems.
    pub layout: Layout,
    /// How the guest can be started.
    pub firmware: Firmware,
    /// The installed systems; the first is the one that boots by default.
    pub roots: Vec<Root>,
    /// What a person should know.
    pub findings: Vec<Finding>,
}

/// The version of the facts' shape.
pub const FACTS_SCHEMA: u32 = 1;

/// How a guest's disks can be started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Firmware {
    /// By BIOS only.
    Bios,
    /// By UEFI only.
    Uefi {
        /// The EFI system partitions.
        esps: Vec<DeviceName>,
    },
    /// By either.
    Both {
        /// The EFI system partitions.
        esps: Vec<DeviceName>,
    },
    /// By none that is known: no boot loader was found.
    None,
}

/// One installed system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Root {
    /// The device of its root file system, which names the root.
    pub device: DeviceName,
    /// btrfs: the subvolume that is `/`.
    pub subvolume: Option<String>,
    /// Host name; `None` if the guest does not say.
    pub hostname: Option<String>,
    /// `ID` of os-release or what release files say: `debian`, `rhel`; `unknown` if none says.
    pub distribution: String,
    /// First number of the version; `None` if there is none (rolling releases).
    pub major: Option<u32>,
    /// Second number of the version; `None` if there is none.
    pub minor: Option<u32>,
    /// Name for people: `Debian GNU/Linux 12 (bookworm)`.
    pub product: String,
    /// Architecture by libosinfo's names: `x86_64`, `i686`, `aarch64`.
    pub arch: String,
    /// libosinfo's short id; `None` if not known.
    pub osinfo: Option<String>,
    /// What is mounted where, `/` first.
    pub mounts: Vec<Mount>,
    /// What only a system of that kind has.
    pub system: System,
}

/// What only a system of one kind has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum System {
    /// A Linux distribution.
    Linux(Box<linux::Facts>),
}

/// A file system at its place in a root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Mount {
    /// Where.
    pub mountpoint: GuestPath,
    /// What.
    pub device: DeviceName,
    /// btrfs: which subvolume.
    pub subvolume: Option<String>,
}

impl Root {
    /// Returns the facts of a Linux system; `None` for another.
    pub fn linux(&self) -> Option<&linux::Facts> {
        match &self.system {
            System::Linux(facts) => Some(facts),
        }
    }

    /// Returns the device and the mount that hold a path.
    pub fn mount_of(&self, path: &GuestPath) -> Option<&Mount> {
        self.mounts
            .iter()
            .filter(|mount| path.is_below(&mount.mountpoint))
            .max_by_key(|mount| mount.mountpoint.as_str().len())
    }
}
