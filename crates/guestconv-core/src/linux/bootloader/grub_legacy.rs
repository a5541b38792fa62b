//! GRUB legacy, 0.97: RHEL 4 to 6, SUSE to SLES 11, old Debian, EC2's pv-grub.
//!
//! On disk: `/boot/grub/grub.conf` or `menu.lst`, on UEFI `grub.conf` in the ESP; `device.map`. Their command lines name
//! devices; so does Debian's `# kopt=` comment, from which later entries are made. `root (hd0,0)` counts BIOS's disks and
//! holds on every bus: it is left alone, as are the stages in the boot sector. `root (hd0)` is pv-grub's way to say a file
//! system on the whole disk, and wrong where the disk has a partition table.

use super::{Config, Entry, Loader, LoaderKind, Role, paths};
use crate::finding::Finding;
use crate::formats::cmdline;
use crate::formats::grub_legacy::{Menu, is_hypervisor, parse, with_partitions};
use crate::linux::{Probe, devices};
use crate::path::guest_path;
use crate::plan::{Context, Draft};
use crate::tree::ReadError;

const MENUS: [&str; 5] = [
    "/boot/grub/grub.conf",
    "/boot/grub/menu.lst",
    "/boot/efi/EFI/redhat/grub.conf",
    "/boot/efi/EFI/centos/grub.conf",
    "/boot/efi/efi/SuSE/grub.conf",
];

/// Reads GRUB legacy's files; `None` if there is no menu of it.
///
/// # Errors
/// [`ReadError`] if a file that is there cannot be read.
pub(super) fn facts(
    probe: &Probe<'_>,
    findings: &mut Vec<Finding>,
) -> Result<Option<(Loader, Vec<Entry>)>, ReadError> {
    let mut configs: Vec<Config> = Vec::new();
    for path in MENUS {
        super::add_config(probe, &mut configs, &guest_path(path), Role::Menu)?;
    }
    let Some(first) = configs.first().map(|config| config.file.path.clone()) else { return Ok(None) };
    let mut entries = Vec::new();
    for Config { file, .. } in &configs {
        let menu = parse(&file.text);
        entries.extend(menu_entries(probe, &file.path, &menu, entries.is_empty())?);
        for (entry, what) in menu.entries.iter().filter_map(|entry| Some((entry, entry.chainloads.as_ref()?)))
        {
            let root = entry.root.as_deref().map(device_name);
            let what = with_device_name(what);
            super::add_other(probe, &file.path, &entry.title, root.as_deref(), &what, findings);
        }
    }
    super::add_config(probe, &mut configs, &guest_path("/boot/grub/device.map"), Role::DeviceMap)?;
    let disk = paths::disk_of(probe, &first);
    Ok(Some((Loader { kind: LoaderKind::GrubLegacy, disk, configs }, entries)))
}

/// Plans that menus read their files from the partition that they are in, where they say the whole disk.
pub(super) fn plan_partitions(context: &Context<'_>, loader: &Loader, draft: &mut Draft) {
    let why =
        "the disk has a partition table, and the menu's files are in a partition, not on the whole disk";
    draft.step(context, "grub-legacy/partition", why, |step| {
        for Config { file, .. } in loader.configs.iter().filter(|config| config.role == Role::Menu) {
            let device = paths::mount_of(&context.root.mounts, &file.path).map(|mount| &mount.device);
            let place = device.and_then(|device| context.facts.layout.partition(device));
            let Some((disk, partition)) = place else { continue };
            step.edit(file, |text| {
                with_partitions(text, |number| {
                    let named = context.facts.layout.disks.get(number);
                    named
                        .filter(|named| named.name == disk.name)
                        .and_then(|_| partition.number.checked_sub(1))
                })
            });
        }
    });
}

/// Entries that start no kernel count in `default`, but are not told.
fn menu_entries(
    probe: &Probe<'_>,
    source: &crate::path::GuestPath,
    menu: &Menu,
    has_default: bool,
) -> Result<Vec<Entry>, ReadError> {
    // `saved` is a number in the stage itself, which nobody writes but `savedefault`.
    let default = menu.default.as_deref().and_then(|number| number.parse().ok()).unwrap_or(0);
    let mut entries = Vec::new();
    for (number, entry) in menu.entries.iter().enumerate() {
        let kernel = entry.files.iter().position(|(file, _)| !is_hypervisor(file));
        let Some((at, (file, arguments))) = kernel.and_then(|at| Some((at, entry.files.get(at)?))) else {
            continue;
        };
        let root = entry.root.as_deref().map(device_name);
        let root = root.as_deref();
        let path = |text: &str| paths::file(probe, source, root, &with_device_name(text));
        let mut initrds = Vec::new();
        let modules = entry.files.iter().skip(at + 1).map(|(file, _)| file.as_str());
        for initrd in entry.initrd.as_deref().into_iter().chain(modules) {
            initrds.extend(path(initrd)?);
        }
        let words = cmdline::words(arguments);
        if super::is_no_kernel(file) {
            continue;
        }
        entries.push(Entry {
            loader: LoaderKind::GrubLegacy,
            source: source.clone(),
            title: entry.title.clone(),
            kernel: path(file)?,
            kernel_text: file.clone(),
            initrds,
            options: arguments.clone(),
            root: cmdline::value(&words, "root").and_then(|spec| devices::resolve(probe.layout, spec)),
            subvolume: None,
            default: has_default && number == default,
            recovery: super::is_recovery(&words, &[&entry.title, file]),
        });
    }
    Ok(entries)
}

/// `(hd0,0)` counts partitions from 0, GRUB 2's `hd0,1` from 1; `(hd0)` on a disk without a table is the disk.
fn device_name(root: &str) -> String {
    let inner = root.trim_start_matches('(').split(')').next().unwrap_or(root);
    let number = |(disk, partition): (&str, &str)| Some((disk.to_owned(), partition.parse::<u32>().ok()?));
    match inner.split_once(',').and_then(number) {
        Some((disk, partition)) => format!("{disk},{}", partition.saturating_add(1)),
        None if inner.starts_with("hd") => inner.to_owned(),
        None => format!("UUID={inner}"),
    }
}

fn with_device_name(file: &str) -> String {
    match file.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        Some((device, path)) => format!("({}){path}", device_name(device)),
        None => file.to_owned(),
    }
}
