//! GRUB 2: the menu `grub.cfg` and what it is made from.
//!
//! On disk: `/boot/grub/grub.cfg` or `/boot/grub2/grub.cfg`, on UEFI perhaps a whole menu in the vendor's directory of the
//! ESP; its environment block `grubenv`; entries of the Boot Loader Specification where the menu says `blscfg` (Fedora,
//! RHEL 8 and later); `/etc/default/grub`, `/etc/default/grub.d/*.cfg` and `/etc/grub.d/40_custom`, from which the next
//! menu is made; `/etc/kernel/cmdline`; `device.map`. Menu and sources are both edited, since either may be what the guest
//! boots from next. A menu on the ESP that only leads to the one in `/boot` names no device that changes, and is left alone.

mod menu;

use super::bls::{self, BlsFile};
use super::{Config, Entry, Loader, LoaderKind, Role, paths};
use crate::finding::Finding;
use crate::formats::{cmdline, grub_cfg, grubenv};
use crate::linux::{Probe, devices};
use crate::path::{GuestPath, guest_path};
use crate::text::TextFile;
use crate::tree::ReadError;

/// Directories of GRUB in `/boot`.
const DIRECTORIES: [&str; 2] = ["/boot/grub", "/boot/grub2"];

/// Where an ESP may be mounted.
const ESPS: [&str; 3] = ["/boot/efi", "/efi", "/boot"];

/// Returns whether a command starts a Linux kernel: the plain one, and those that RHEL and Fedora add.
pub(super) fn starts_kernel(command: &str) -> bool {
    ["linux", "linux16", "linuxefi"].contains(&command)
}

/// Returns whether a command loads an initramfs.
pub(super) fn loads_initramfs(command: &str) -> bool {
    ["initrd", "initrd16", "initrdefi"].contains(&command)
}

/// Reads GRUB 2's files; `None` if there is no menu of it.
///
/// # Errors
/// [`ReadError`] if a file that is there cannot be read.
pub(super) fn facts(
    probe: &Probe<'_>,
    findings: &mut Vec<Finding>,
) -> Result<Option<(Loader, Vec<Entry>)>, ReadError> {
    let mut files = Files { probe, configs: Vec::new() };
    for directory in menu_directories(probe)? {
        for (name, role) in [
            ("grub.cfg", Role::Menu),
            ("custom.cfg", Role::Menu),
            ("grubenv", Role::Environment),
            ("device.map", Role::DeviceMap),
        ] {
            files.add(&directory.join(name), role)?;
        }
    }
    // A stub leads to another menu; it starts nothing itself.
    files.configs.retain(|config| config.role != Role::Menu || is_menu(&config.file.text));
    let menus: Vec<TextFile> = files.of(Role::Menu).cloned().collect();
    let Some(first) = menus.first() else { return Ok(None) };
    let disk = paths::disk_of(probe, &first.path);

    let bls_files = bls::files(probe, &guest_path("/boot/loader/entries"))?;
    let mut entries = Vec::new();
    let mut uses_bls = false;
    for menu in &menus {
        let environment = files.environment_beside(&menu.path);
        let shown = menu_entries(probe, menu, &environment, &bls_files, findings)?;
        uses_bls |= shown.uses_bls;
        for mut entry in shown.entries {
            // The first menu with a default decides; entries that two menus share are told once.
            let seen = |other: &&Entry| (&other.source, &other.title) == (&entry.source, &entry.title);
            entry.default &= entries.iter().all(|other: &Entry| !other.default);
            if entry.source == menu.path || entries.iter().find(seen).is_none() {
                entries.push(entry);
            }
        }
    }
    if uses_bls {
        files
            .configs
            .extend(bls_files.into_iter().map(|bls| Config { role: Role::BlsEntry, file: bls.file }));
    }
    files.add(&guest_path("/etc/default/grub"), Role::Defaults)?;
    let drop_ins = guest_path("/etc/default/grub.d");
    for name in probe.tree.list(&drop_ins)?.iter().filter(|name| name.ends_with(".cfg")) {
        files.add(&drop_ins.join(name), Role::Defaults)?;
    }
    files.add(&guest_path("/etc/kernel/cmdline"), Role::KernelCmdline)?;
    for name in ["40_custom", "41_custom"] {
        files.add(&guest_path("/etc/grub.d").join(name), Role::MenuTemplate)?;
    }
    Ok(Some((Loader { kind: LoaderKind::Grub2, disk, configs: files.configs }, entries)))
}

/// `/boot` first: what is on an ESP is mostly a stub, and BIOS never reads it.
fn menu_directories(probe: &Probe<'_>) -> Result<Vec<GuestPath>, ReadError> {
    let mut directories: Vec<GuestPath> = DIRECTORIES.iter().map(|directory| guest_path(directory)).collect();
    for esp in ESPS.iter().map(|esp| guest_path(esp)) {
        for efi in probe.tree.list(&esp)?.iter().filter(|name| name.eq_ignore_ascii_case("efi")) {
            let efi = esp.join(efi);
            directories.extend(probe.tree.list(&efi)?.iter().map(|vendor| efi.join(vendor)));
        }
    }
    Ok(directories)
}

fn is_menu(text: &str) -> bool {
    let starts = |words: &[grub_cfg::Word]| {
        let name = words.first().map(grub_cfg::Word::text).unwrap_or_default();
        name == "menuentry" || name == "blscfg" || starts_kernel(&name) || name.starts_with("kernelopts=")
    };
    grub_cfg::items(text).any(|item| match item {
        grub_cfg::Item::Command(words) | grub_cfg::Item::Open(words) => starts(&words),
        grub_cfg::Item::Close => false,
    })
}

/// Files that are collected, each once: `grubenv` and menus may be links into the ESP.
struct Files<'a> {
    probe: &'a Probe<'a>,
    configs: Vec<Config>,
}

impl Files<'_> {
    fn add(&mut self, path: &GuestPath, role: Role) -> Result<(), ReadError> {
        super::add_config(self.probe, &mut self.configs, path, role)
    }

    fn of(&self, role: Role) -> impl Iterator<Item = &TextFile> {
        self.configs.iter().filter(move |config| config.role == role).map(|config| &config.file)
    }

    /// The environment block beside the menu; a menu in `/boot` may have a link to one on the ESP, so any other will do.
    fn environment_beside(&self, menu: &GuestPath) -> Vec<(String, String)> {
        let beside = self.of(Role::Environment).find(|file| file.path.parent() == menu.parent());
        let file = beside.or_else(|| self.of(Role::Environment).next());
        file.map(|file| grubenv::variables(&file.text)).unwrap_or_default()
    }
}

struct Shown {
    entries: Vec<Entry>,
    uses_bls: bool,
}

fn menu_entries(
    probe: &Probe<'_>,
    file: &TextFile,
    environment: &[(String, String)],
    bls_files: &[BlsFile],
    findings: &mut Vec<Finding>,
) -> Result<Shown, ReadError> {
    let bls: Vec<_> = bls_files.iter().map(|file| menu::Bls { id: &file.id, title: file.title() }).collect();
    let followed = menu::follow(&file.text, environment, &bls);
    for other in &followed.others {
        let what = other.chainloads.as_deref().unwrap_or_default();
        super::add_other(probe, &file.path, &other.title, other.root.as_deref(), what, findings);
    }
    let mut entries = Vec::new();
    for shown in followed.entries {
        let of_bls = shown.bls.and_then(|at| bls_files.get(at));
        if let Some(bls) = of_bls {
            let known = |name: &str| followed.variables.get(name).cloned();
            let entry = bls::entry(probe, LoaderKind::Grub2, bls, shown.root.as_deref(), &known)?;
            entries.extend(entry.map(|entry| Entry { default: shown.default, ..entry }));
            continue;
        }
        let options = shown.arguments.join(" ");
        let words = cmdline::words(&options);
        let device = shown.root.as_deref();
        if super::is_no_kernel(&shown.kernel) {
            continue;
        }
        let mut initrds = Vec::new();
        for initrd in &shown.initrds {
            initrds.extend(paths::file(probe, &file.path, device, initrd)?);
        }
        entries.push(Entry {
            loader: LoaderKind::Grub2,
            source: file.path.clone(),
            kernel: paths::file(probe, &file.path, device, &shown.kernel)?,
            recovery: super::is_recovery(&words, &[&shown.title, &shown.id, &shown.kernel]),
            root: cmdline::value(&words, "root").and_then(|spec| devices::resolve(probe.layout, spec)),
            subvolume: super::subvolume(&words),
            title: shown.title,
            kernel_text: shown.kernel,
            initrds,
            options,
            default: shown.default,
        });
    }
    Ok(Shown { entries, uses_bls: followed.uses_bls })
}
