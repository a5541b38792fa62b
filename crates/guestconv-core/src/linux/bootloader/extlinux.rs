//! EXTLINUX: Alpine, small systems, boards.
//!
//! On disk: `extlinux.conf` beside `ldlinux.sys`, which the boot sector knows by its blocks; Alpine makes the menu from
//! `/etc/update-extlinux.conf`. Its disk is the one that BIOS started, on every bus: only command lines name devices.

use super::{Config, Entry, Loader, LoaderKind, Role, paths};
use crate::formats::cmdline;
use crate::formats::extlinux::{parse, starts_linux};
use crate::linux::{Probe, devices};
use crate::path::{GuestPath, guest_path};
use crate::tree::ReadError;

const MENUS: [&str; 6] = [
    "/boot/extlinux.conf",
    "/boot/extlinux/extlinux.conf",
    "/boot/syslinux/extlinux.conf",
    "/boot/syslinux/syslinux.cfg",
    "/extlinux/extlinux.conf",
    "/extlinux.conf",
];
const DEFAULTS: &str = "/etc/update-extlinux.conf";

/// Reads EXTLINUX's files; `None` if there is no menu of it.
///
/// # Errors
/// [`ReadError`] if a file that is there cannot be read.
pub(super) fn facts(probe: &Probe<'_>) -> Result<Option<(Loader, Vec<Entry>)>, ReadError> {
    let mut configs: Vec<Config> = Vec::new();
    for path in MENUS {
        super::add_config(probe, &mut configs, &guest_path(path), Role::Menu)?;
    }
    let Some(first) = configs.first().map(|config| config.file.path.clone()) else { return Ok(None) };
    let mut entries = Vec::new();
    for Config { file, .. } in &configs {
        entries.extend(menu_entries(probe, &file.path, &file.text, entries.is_empty())?);
    }
    super::add_config(probe, &mut configs, &guest_path(DEFAULTS), Role::Defaults)?;
    let disk = paths::disk_of(probe, &first);
    Ok(Some((Loader { kind: LoaderKind::Extlinux, disk, configs }, entries)))
}

fn menu_entries(
    probe: &Probe<'_>,
    source: &GuestPath,
    text: &str,
    has_default: bool,
) -> Result<Vec<Entry>, ReadError> {
    let menu = parse(text);
    // A default that is no label is a menu program: then the first entry is taken.
    let default =
        menu.entries.iter().position(|entry| Some(&entry.label) == menu.default.as_ref()).unwrap_or(0);
    let file = |name: &str| match name.starts_with('/') {
        true => paths::file(probe, source, None, name),
        false => Ok(Some(source.parent().join(name))),
    };
    let mut entries = Vec::new();
    for (number, entry) in menu.entries.iter().enumerate() {
        let is_linux = !entry.kernel.is_empty() && starts_linux(&entry.kernel);
        if !is_linux || super::is_no_kernel(&entry.kernel) {
            continue;
        }
        let words = cmdline::words(&entry.append);
        let mut initrds = Vec::new();
        for initrd in &entry.initrds {
            initrds.extend(file(initrd)?);
        }
        let title = if entry.title.is_empty() { &entry.label } else { &entry.title };
        entries.push(Entry {
            loader: LoaderKind::Extlinux,
            source: source.clone(),
            title: title.clone(),
            kernel: file(&entry.kernel)?,
            kernel_text: entry.kernel.clone(),
            initrds,
            options: entry.append.clone(),
            root: cmdline::value(&words, "root").and_then(|spec| devices::resolve(probe.layout, spec)),
            subvolume: super::subvolume(&words),
            default: has_default && number == default,
            recovery: super::is_recovery(&words, &[title, &entry.kernel]),
        });
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::MemTree;
    use crate::layout::Layout;
    use crate::text::TextFile;

    #[test]
    fn alpines_menu_is_found_with_what_it_is_made_from() {
        let menu = "DEFAULT menu.c32\nLABEL virt\n MENU DEFAULT\n MENU LABEL Linux virt\n LINUX vmlinuz-virt\n INITRD initramfs-virt\n APPEND root=UUID=1 modules=ext4 quiet\n";
        let tree = MemTree::of(&[
            ("/boot/extlinux.conf", menu),
            ("/boot/vmlinuz-virt", ""),
            ("/boot/initramfs-virt", ""),
            ("/etc/update-extlinux.conf", "default_kernel_opts=\"quiet\"\n"),
        ]);
        let probe = Probe { tree: &tree, layout: &Layout::default(), mounts: &[], known: Some(&[]) };
        let (loader, entries) = facts(&probe).unwrap().unwrap();
        let files: Vec<_> = loader.configs.iter().map(|one| (one.role, one.file.path.as_str())).collect();
        assert_eq!(
            files,
            [(Role::Menu, "/boot/extlinux.conf"), (Role::Defaults, "/etc/update-extlinux.conf")]
        );
        let expected = Entry {
            loader: LoaderKind::Extlinux,
            source: guest_path("/boot/extlinux.conf"),
            title: "Linux virt".into(),
            kernel: Some(guest_path("/boot/vmlinuz-virt")),
            kernel_text: "vmlinuz-virt".into(),
            initrds: vec![guest_path("/boot/initramfs-virt")],
            options: "root=UUID=1 modules=ext4 quiet".into(),
            root: None,
            subvolume: None,
            default: true,
            recovery: false,
        };
        assert_eq!(entries, [expected]);
    }

    #[test]
    fn menu_and_settings_get_new_names() {
        use crate::formats::cmdline::{CmdlineEdit, Operation};
        use crate::linux::bootloader::{edits, names::Initramfs};
        let (before, after) = ("root=/dev/sda3", "root=UUID=1");
        for (role, text, expected) in [
            (
                Role::Menu,
                "LABEL a\n LINUX k\n APPEND root=/dev/sda3\n",
                "LABEL a\n LINUX k\n APPEND root=UUID=1\n",
            ),
            (
                Role::Defaults,
                "default_kernel_opts=\"quiet\"\nroot=/dev/sda3\n",
                "default_kernel_opts=\"quiet\"\nroot=UUID=1\n",
            ),
        ] {
            let config = Config { role, file: TextFile::new(guest_path("/x"), text.to_owned(), 0o644) };
            let mut decide = |words: &[cmdline::Word], _: Initramfs| {
                let there = cmdline::has(words, before);
                let replace = Operation::Replace { before: before.into(), after: after.into() };
                CmdlineEdit { operations: there.then_some(replace).into_iter().collect() }
            };
            let edited = edits::edited(LoaderKind::Extlinux, &config, text, Initramfs::Used, &mut decide);
            assert_eq!(edited, Ok(expected.to_owned()), "{role:?}");
        }
    }
}
