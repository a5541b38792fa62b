//! Boot loaders: which are there, their menus and settings, and the command lines of the kernels that they start.
//!
//! Every loader has a file of its own beside this. All say what they found in the same words: [`Loader`] and [`Entry`].

use crate::finding::Finding;
use crate::layout::DeviceName;
use crate::linux::Probe;
use crate::path::GuestPath;
use crate::plan::{Context, Draft};
use crate::text::TextFile;
use crate::tree::ReadError;
use serde::{Deserialize, Serialize};

/// What is known of a root's boot loaders.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The boot loaders that have their files in this root.
    pub loaders: Vec<Loader>,
    /// The entries of their menus that start a kernel, in the menus' order.
    pub entries: Vec<Entry>,
}

/// A boot loader with the files that it reads and those that it is made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loader {
    /// Which one.
    pub kind: LoaderKind,
    /// Short name of the disk that its menu is on: `sda`; `None` if it cannot be told.
    pub disk: Option<String>,
    /// Its files with what each is for.
    pub configs: Vec<Config>,
}

/// The boot loaders that are known, by the names in the documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LoaderKind {
    /// GRUB 2.
    Grub2,
    /// GRUB legacy, 0.97.
    GrubLegacy,
    /// systemd-boot.
    SystemdBoot,
    /// EXTLINUX.
    Extlinux,
}

impl LoaderKind {
    /// Returns its name in the documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grub2 => "grub2",
            Self::GrubLegacy => "grub-legacy",
            Self::SystemdBoot => "systemd-boot",
            Self::Extlinux => "extlinux",
        }
    }
}

/// A file of a boot loader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What it is for.
    pub role: Role,
    /// The file.
    pub file: TextFile,
}

/// What a file of a boot loader is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The menu, in the loader's own language.
    Menu,
    /// One entry of a menu, by the Boot Loader Specification.
    BlsEntry,
    /// GRUB's environment block.
    Environment,
    /// Shell variables that the menu is made from: `/etc/default/grub`.
    Defaults,
    /// The command line of entries that are made later: `/etc/kernel/cmdline`.
    KernelCmdline,
    /// GRUB's table of disks.
    DeviceMap,
    /// Settings without command lines: `loader.conf`.
    Settings,
}

/// An entry of a boot menu that starts a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Whose menu it is in.
    pub loader: LoaderKind,
    /// The file that it is written in.
    pub source: GuestPath,
    /// What the menu shows.
    pub title: String,
    /// The kernel; `None` if it is not on a file system that this root mounts, or its name cannot be told.
    pub kernel: Option<GuestPath>,
    /// The kernel as the menu writes it, for people.
    pub kernel_text: String,
    /// The initramfs images in order, those of `kernel`'s file system.
    pub initrds: Vec<GuestPath>,
    /// The command line, variables replaced as far as they are known.
    pub options: String,
    /// The device of the root file system that it starts, as far as its command line says it.
    pub root: Option<DeviceName>,
    /// btrfs: the subvolume that `rootflags=subvol=` names.
    pub subvolume: Option<String>,
    /// Whether the menu takes it by itself.
    pub default: bool,
    /// Whether it starts a rescue or single-user system.
    pub recovery: bool,
}

/// Reads what is known of the boot loaders.
///
/// # Errors
/// [`ReadError`] if a file that is there cannot be read.
pub fn facts(_probe: &Probe<'_>, _findings: &mut Vec<Finding>) -> Result<Facts, ReadError> {
    Ok(Facts::default())
}

/// Plans what the boot loaders need.
pub fn plan(_context: &Context<'_>, _facts: &Facts, _draft: &mut Draft) {}
