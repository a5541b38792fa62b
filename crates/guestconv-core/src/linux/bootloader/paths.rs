//! Where the files that a menu names are in the root. Menus name a file by a device (or by none: the one that the loader
//! started from) and its path in that file system; a root sees the same file below the place where it mounts the device.

use crate::facts::Mount;
use crate::layout::{DeviceName, Layout};
use crate::linux::{Probe, devices};
use crate::path::GuestPath;
use crate::tree::ReadError;

/// Returns the mount that holds a path of the root.
pub(super) fn mount_of<'a>(mounts: &'a [Mount], path: &GuestPath) -> Option<&'a Mount> {
    mounts
        .iter()
        .filter(|mount| path.is_below(&mount.mountpoint))
        .max_by_key(|mount| mount.mountpoint.as_str().len())
}

/// Returns the name of the disk that holds a path of the root: `sda`.
pub(super) fn disk_of(probe: &Probe<'_>, path: &GuestPath) -> Option<String> {
    let mount = mount_of(probe.mounts, path)?;
    devices::disks(probe.layout, &mount.device).first().map(|disk| disk.name.clone())
}

/// Returns the device that a loader's words mean: `hd0,msdos1`, `lvm/VG-LV`, or `UUID=…` as a search leaves it.
pub(super) fn device(layout: &Layout, name: &str) -> Option<DeviceName> {
    if let Some(volume) = name.strip_prefix("lvm/") {
        return devices::resolve(layout, &format!("/dev/mapper/{volume}"));
    }
    let Some(rest) = name.strip_prefix("hd") else { return devices::resolve(layout, name) };
    let (disk, partition) = match rest.split_once(',') {
        Some((disk, partition)) => (disk, Some(partition)),
        None => (rest, None),
    };
    let disk = layout.disks.get(disk.parse::<usize>().ok()?)?;
    let Some(partition) = partition else { return Some(devices::whole(disk)) };
    // BSD labels and their like add a second partition, which is never ours.
    let number = partition.trim_start_matches(|c: char| c.is_ascii_alphabetic()).parse::<u32>().ok()?;
    let table = disk.table.as_ref()?;
    table
        .partitions
        .iter()
        .find(|partition| partition.number == number)
        .map(|partition| partition.device.clone())
}

/// Returns the path in the root of a file that a menu names, `menu` being the menu's own path; `None` if it is on a file
/// system that the root does not mount.
///
/// # Errors
/// [`ReadError`] if a path cannot be looked at.
pub(super) fn file(
    probe: &Probe<'_>,
    menu: &GuestPath,
    root: Option<&str>,
    text: &str,
) -> Result<Option<GuestPath>, ReadError> {
    let (named, path) = match text.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        Some((device, path)) => (Some(device), path),
        None => (root, text),
    };
    if !path.starts_with('/') {
        return Ok(None);
    }
    match named.map(|name| device(probe.layout, name)) {
        Some(Some(device)) => Ok(below(probe.mounts, &device, path)),
        // The device is not told, or its name means nothing here: where the menu itself is, if the file is there.
        Some(None) | None => {
            let Some(mount) = mount_of(probe.mounts, menu) else { return Ok(None) };
            let Some(found) = below(probe.mounts, &mount.device, path) else { return Ok(None) };
            let trusted = named.is_none() || probe.tree.exists(&found)?;
            Ok(trusted.then_some(found))
        }
    }
}

/// Paths in a btrfs begin with the subvolume, unless they are meant relative to the default one.
fn below(mounts: &[Mount], device: &DeviceName, path: &str) -> Option<GuestPath> {
    let here = || mounts.iter().filter(|mount| mount.device == *device);
    let inside = here().find_map(|mount| {
        let subvolume = mount.subvolume.as_deref()?;
        let rest = path.trim_start_matches('/').strip_prefix(subvolume)?;
        rest.starts_with('/').then(|| mount.mountpoint.join(rest))
    });
    inside.or_else(|| Some(here().next()?.mountpoint.join(path)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::MemTree;
    use crate::path::guest_path;

    #[test]
    fn files_are_where_their_device_is_mounted() {
        let mount = |place, device: &str, subvolume: Option<&str>| Mount {
            mountpoint: guest_path(place),
            device: DeviceName(device.into()),
            subvolume: subvolume.map(str::to_owned),
        };
        let mounts = [
            mount("/", "/dev/sda", Some("@")),
            mount("/boot", "/dev/sdb", None),
            mount("/var", "/dev/sda", Some("@var")),
        ];
        let disk = |name: &str| crate::layout::Disk::blank(name, 0);
        let layout = Layout { disks: vec![disk("sda"), disk("sdb"), disk("sdc")], ..Layout::default() };
        let tree = MemTree::of(&[("/boot/vmlinuz", "")]);
        let probe = Probe { tree: &tree, layout: &layout, mounts: &mounts, known: Some(&[]) };
        for (root, text, path) in [
            (None, "/vmlinuz", Some("/boot/vmlinuz")),
            (None, "/absent", Some("/boot/absent")),
            (Some("hd1"), "/vmlinuz", Some("/boot/vmlinuz")),
            (Some("hd0"), "/@/vmlinuz", Some("/vmlinuz")),
            (Some("hd0"), "/@var/x", Some("/var/x")),
            (Some("hd0"), "/vmlinuz", Some("/vmlinuz")),
            (Some("hd0"), "(hd1)/x", Some("/boot/x")),
            (Some("hd2"), "/vmlinuz", None),
            (Some("$unknown"), "/vmlinuz", Some("/boot/vmlinuz")),
            (Some("$unknown"), "/absent", None),
            (None, "vmlinuz", None),
        ] {
            let found = file(&probe, &guest_path("/boot/grub/grub.cfg"), root, text).unwrap();
            assert_eq!(found.as_ref().map(GuestPath::as_str), path, "{root:?} {text}");
        }
    }
}
