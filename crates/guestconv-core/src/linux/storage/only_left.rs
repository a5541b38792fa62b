//! A device that fstab names where no disk is, as EC2's `/dev/xvdf`: letters there are chosen, not counted. Where just one
//! such name is left, and just one device that nothing names, of the kind that the line wants, one is the other.

use crate::formats::fstab::Entry;
use crate::layout::{DeviceName, Filesystem, Layout};
use crate::linux::devices;

/// Returns the name that can only mean the device that is left, and that device; `None` if there is not just one of each.
pub(super) fn only_left<'a>(layout: &'a Layout, entries: &'a [Entry]) -> Option<(&'a str, &'a DeviceName)> {
    let own = || entries.iter().filter(|entry| !is_of_cloud_init(entry));
    let is_lost = |entry: &&Entry| {
        devices::is_unstable(&entry.spec)
            && devices::resolve(layout, &entry.spec).is_none()
            && !entry.is_swap()
    };
    let mut lost = own().filter(is_lost).filter(|entry| !super::is_removable(&entry.spec));
    let entry = lost.next().filter(|_| lost.next().is_none())?;
    let named: Vec<DeviceName> = own().filter_map(|entry| devices::resolve(layout, &entry.spec)).collect();
    let is_left = |filesystem: &&Filesystem| {
        let kind = filesystem.kind.as_str();
        let is_wanted = entry.kind.split(',').any(|wanted| wanted == kind || wanted == "auto");
        let holds_files =
            !["swap", "swsuspend", "vfat", "crypto_LUKS"].contains(&kind) && !kind.ends_with("_member");
        is_wanted && holds_files && !named.contains(&filesystem.device)
    };
    let mut left = layout.filesystems.iter().filter(is_left);
    let filesystem = left.next().filter(|_| left.next().is_none())?;
    Some((&entry.spec, &filesystem.device))
}

/// Returns whether cloud-init wrote the line: instance stores, which come with the machine and not with the disks.
pub(super) fn is_of_cloud_init(entry: &Entry) -> bool {
    entry.option("comment") == Some("cloudconfig")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::fstab;
    use crate::layout::Disk;

    #[test]
    fn one_name_and_one_device_are_the_same() {
        let layout = |devices: &[(&str, &str)]| Layout {
            disks: devices.iter().map(|(name, _)| Disk::blank(name, 1 << 30)).collect(),
            filesystems: (devices.iter())
                .map(|(name, kind)| Filesystem::new(DeviceName(format!("/dev/{name}")), kind))
                .collect(),
            ..Layout::default()
        };
        let root = "/dev/xvda1 / ext4\n/dev/xvdb /mnt auto nofail,comment=cloudconfig\n";
        let two = [("sda", "ext4"), ("sdb", "ext4")];
        let three = [("sda", "ext4"), ("sdb", "ext4"), ("sdc", "xfs")];
        for (devices, data, expected) in [
            (&two[..], "/dev/xvdf /srv ext4", Some(("/dev/xvdf", "/dev/sdb"))),
            (&two, "/dev/xvdf /srv auto", Some(("/dev/xvdf", "/dev/sdb"))),
            (&two, "/dev/xvdf /srv xfs", None),
            (&two, "/dev/xvdf none swap", None),
            (&two, "/dev/xvdf /srv ext4\n/dev/xvdg /data ext4", None),
            (&two[..1], "/dev/xvdf /srv ext4", None),
            (&three, "/dev/xvdf /srv ext4", Some(("/dev/xvdf", "/dev/sdb"))),
            (&three, "/dev/xvdf /srv auto", None),
            (&two, "UUID=1234 /srv ext4", None),
        ] {
            let (layout, entries) = (layout(devices), fstab::entries(&format!("{root}{data}\n")));
            let found = only_left(&layout, &entries).map(|(spec, device)| (spec, device.0.as_str()));
            assert_eq!(found, expected, "{data}");
        }
    }
}
