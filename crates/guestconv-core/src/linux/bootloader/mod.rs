//! Boot loaders: which are there, their menus and settings, and the command lines of the kernels that they start.
//!
//! Every loader has a file of its own beside this. All say what they found in the same words: [`Loader`] and [`Entry`].

mod bls;
mod device_map;
mod edits;
mod extlinux;
mod grub2;
mod grub_legacy;
mod names;
mod paths;
mod plan;
mod systemd_boot;
mod terminal;

pub use plan::{edit_cmdlines, plan};
pub use terminal::plan_terminal;

use crate::finding::Finding;
use crate::formats::cmdline::{self, Word};
use crate::layout::DeviceName;
use crate::linux::Probe;
use crate::path::GuestPath;
use crate::text::TextFile;
use crate::tree::ReadError;
use serde::{Deserialize, Serialize};

/// What is known of a root's boot loaders.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "BootloaderFacts"))]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The boot loaders that have their files in this root.
    pub loaders: Vec<Loader>,
    /// The entries of their menus that start a kernel, in the menus' order.
    pub entries: Vec<Entry>,
}

/// A boot loader with the files that it reads and those that it is made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "BootConfig"))]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What it is for.
    pub role: Role,
    /// The file.
    pub file: TextFile,
}

/// What a file of a boot loader is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The menu, in the loader's own language.
    Menu,
    /// One entry of a menu, by the Boot Loader Specification.
    BlsEntry,
    /// GRUB's environment block.
    Environment,
    /// A script that the menu is made from, with entries in the loader's own language: `/etc/grub.d/40_custom`.
    MenuTemplate,
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
pub fn facts(probe: &Probe<'_>, findings: &mut Vec<Finding>) -> Result<Facts, ReadError> {
    let grub2 = grub2::facts(probe, findings)?;
    let is_bls = |config: &Config| config.role == Role::BlsEntry;
    let grub_reads_bls = grub2.as_ref().is_some_and(|(loader, _)| loader.configs.iter().any(is_bls));
    // A menu of GRUB legacy that an upgrade left behind is not what boots.
    let legacy = if grub2.is_some() { None } else { grub_legacy::facts(probe, findings)? };
    let has_grub = grub2.is_some() || legacy.is_some();
    let extlinux = if has_grub { None } else { extlinux::facts(probe)? };
    let systemd = systemd_boot::facts(probe, grub_reads_bls, findings)?;
    let mut facts = Facts::default();
    for (loader, entries) in [grub2, legacy, extlinux, systemd].into_iter().flatten() {
        let has_default = facts.entries.iter().any(|entry: &Entry| entry.default);
        facts.loaders.push(loader);
        facts.entries.extend(
            entries.into_iter().map(|entry| Entry { default: entry.default && !has_default, ..entry }),
        );
    }
    Ok(facts)
}

/// Tells of an entry that starts another boot loader, `what` on the device `root` unless it names one itself: what that
/// starts is no root of ours, so it is named and left alone.
fn add_other(
    probe: &Probe<'_>,
    menu: &GuestPath,
    title: &str,
    root: Option<&str>,
    what: &str,
    findings: &mut Vec<Finding>,
) {
    let named = what.strip_prefix('(').and_then(|rest| rest.split_once(')')).map(|(device, _)| device);
    let device = named.or(root).and_then(|name| paths::device(probe.layout, name));
    let place = device.map(|device| format!(" on {device}")).unwrap_or_default();
    let text =
        format!("the menu starts \"{title}\"{place} by its own boot loader; system and entry are left alone");
    let finding = Finding::warning("system-left", text).about(menu.as_str());
    if !findings.contains(&finding) {
        findings.push(finding);
    }
}

/// Adds a file, by the path that links lead to, unless it is there already.
fn add_config(
    probe: &Probe<'_>,
    configs: &mut Vec<Config>,
    path: &GuestPath,
    role: Role,
) -> Result<(), ReadError> {
    if let Some(file) = text_file(probe, path)?
        && configs.iter().all(|config| config.file.path != file.path)
    {
        configs.push(Config { role, file });
    }
    Ok(())
}

/// Returns a text file by the path that links lead to; `None` if there is none.
fn text_file(probe: &Probe<'_>, path: &GuestPath) -> Result<Option<TextFile>, ReadError> {
    match probe.tree.canonical(path)? {
        Some(path) => probe.tree.text(&path),
        None => Ok(None),
    }
}

/// Returns whether a program that a menu starts as if it were a kernel is none: memtest and network loaders.
fn is_no_kernel(file: &str) -> bool {
    let name = file.rsplit(['/', ')']).next().unwrap_or(file).to_lowercase();
    name.starts_with("memtest") || name.starts_with("memdisk") || name.ends_with(".lkrn")
}

/// Returns whether an entry is for rescue, by its command line or its names.
fn is_recovery(words: &[Word], names: &[&str]) -> bool {
    const ARGUMENTS: [&str; 8] = [
        "single",
        "recovery",
        "rescue",
        "emergency",
        "S",
        "1",
        "systemd.unit=rescue.target",
        "systemd.unit=emergency.target",
    ];
    ARGUMENTS.iter().any(|argument| cmdline::has(words, argument))
        || names.iter().any(|name| name.contains("0-rescue-") || name.contains("(recovery mode)"))
}

/// Returns the btrfs subvolume that `rootflags=subvol=` names.
fn subvolume(words: &[Word]) -> Option<String> {
    let flags = cmdline::value(words, "rootflags")?;
    let named = flags.split(',').find_map(|flag| flag.strip_prefix("subvol="))?;
    Some(named.trim_matches('/').to_owned()).filter(|name| !name.is_empty())
}
