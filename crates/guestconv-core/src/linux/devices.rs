//! The guest's own names for its devices (`/dev/sda1`, `/dev/xvda1`, `UUID=…`) and what they mean in the layout.
//!
//! Names of buses (`sda`, `vda`, `xvda`, `nvme0n1` …) count disks: the first disk is `a`, whatever the bus is called. Names
//! by path or by id tell the source's hardware: they are clear only where the guest has one disk. Names by content
//! (`UUID=` and its like) and names of volumes hold on every bus; these are what unstable names are replaced by.

use crate::layout::{Array, DeviceName, Disk, Encrypted, Filesystem, Layout};

/// What a name in the guest's files means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// This device.
    One(DeviceName),
    /// Several devices: cloned disks, a label given twice.
    Several,
    /// No device that is there, or it cannot be told.
    None,
}

/// Returns the device of the layout that a name in the guest's files means; `None` if it means none, several, or cannot
/// be told.
pub fn resolve(layout: &Layout, spec: &str) -> Option<DeviceName> {
    match meaning(layout, spec) {
        Meaning::One(device) => Some(device),
        Meaning::Several | Meaning::None => None,
    }
}

/// Returns what a name in the guest's files means in the layout.
pub fn meaning(layout: &Layout, spec: &str) -> Meaning {
    if let Some((tag, value)) = tagged(spec) {
        return by_tag(layout, tag, &value);
    }
    let Some(name) = unquoted(spec).strip_prefix("/dev/").map(str::to_owned) else { return Meaning::None };
    if let Some(link) = name.strip_prefix("disk/") {
        return by_hardware(layout, link);
    }
    if let Some(volume) = volume(layout, &name) {
        return Meaning::One(volume);
    }
    if let Some(meaning) = array(layout, &name).or_else(|| opened(layout, &name)) {
        return meaning;
    }
    positional(&name).map_or(Meaning::None, |place| one(place.device(layout)))
}

/// Returns whether a name depends on the source's hardware, so that it may mean another device, or none, on the target.
pub fn is_unstable(spec: &str) -> bool {
    if tagged(spec).is_some() {
        return false;
    }
    let spec = unquoted(spec);
    let Some(name) = spec.strip_prefix("/dev/") else { return false };
    match name.strip_prefix("disk/by-id/") {
        Some(id) => !["dm-", "md-", "lvm-"].iter().any(|volume| id.starts_with(volume)),
        None => name.starts_with("disk/by-path/") || name.starts_with("dm-") || positional(name).is_some(),
    }
}

/// Returns whether a name says the content or the partition's own identity: `UUID=` and its like.
pub fn is_tagged(spec: &str) -> bool {
    tagged(spec).is_some()
}

/// Returns the name that means this device on every bus: `UUID=` of what is on it, else `PARTUUID=`, else `LABEL=`; a
/// logical volume's own. `None` if it has none that no other device of the guest has.
pub fn stable_name(layout: &Layout, device: &DeviceName) -> Option<String> {
    if is_volume(layout, device) {
        return Some(device.0.clone());
    }
    let content = layout.filesystem(device).filter(|content| named_by_content(content));
    let uuid = content.and_then(|content| unique(layout, "UUID", content.uuid.as_deref()?));
    let label = || content.and_then(|content| unique(layout, "LABEL", content.label.as_deref()?));
    uuid.or_else(|| partuuid_name(layout, device)).or_else(label)
}

/// Returns the `PARTUUID=` of a partition, which the kernel itself understands without an initramfs; `None` if it has
/// none that no other partition of the guest has.
pub fn partuuid_name(layout: &Layout, device: &DeviceName) -> Option<String> {
    let (_, partition) = layout.partition(device)?;
    unique(layout, "PARTUUID", partition.partuuid.as_deref()?)
}

/// Returns whether another file system of the guest has the same UUID as what is on this device.
pub fn has_duplicate_uuid(layout: &Layout, device: &DeviceName) -> bool {
    let uuid = layout.filesystem(device).and_then(|content| content.uuid.as_deref());
    uuid.is_some_and(|uuid| by_tag(layout, "UUID", uuid) == Meaning::Several)
}

/// Returns whether the device is a logical volume.
pub fn is_volume(layout: &Layout, device: &DeviceName) -> bool {
    layout
        .volume_groups
        .iter()
        .flat_map(|group| &group.logical_volumes)
        .any(|volume| volume.device == *device)
}

/// Returns the disks that a device lies on.
pub fn disks<'a>(layout: &'a Layout, device: &DeviceName) -> Vec<&'a Disk> {
    let names = layout.disks_of(device);
    layout.disks.iter().filter(|disk| names.contains(&disk.name.as_str())).collect()
}

/// Returns the device of a whole disk.
pub fn whole(disk: &Disk) -> DeviceName {
    DeviceName(format!("/dev/{}", disk.name))
}

fn unquoted(spec: &str) -> String {
    spec.chars().filter(|c| *c != '"' && *c != '\'').collect()
}

/// Splits `TAG=value`, quotes left out; `/dev/disk/by-uuid/…` and its like say the same.
fn tagged(spec: &str) -> Option<(&'static str, String)> {
    const TAGS: [(&str, &str); 4] = [
        ("UUID", "/dev/disk/by-uuid/"),
        ("LABEL", "/dev/disk/by-label/"),
        ("PARTUUID", "/dev/disk/by-partuuid/"),
        ("PARTLABEL", "/dev/disk/by-partlabel/"),
    ];
    let spec = unquoted(spec);
    TAGS.into_iter().find_map(|(tag, link)| {
        let value = spec.strip_prefix(tag).and_then(|rest| rest.strip_prefix('='));
        let value = value.map(str::to_owned).or_else(|| spec.strip_prefix(link).map(udev_decoded));
        Some((tag, value?))
    })
}

/// Decodes `\x20` and its like in names that udev makes.
fn udev_decoded(name: &str) -> String {
    let mut parts = name.split("\\x");
    let mut text = parts.next().unwrap_or("").as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                text.push(byte);
                text.extend(part.bytes().skip(2));
            }
            None => text.extend([b"\\x", part.as_bytes()].concat()),
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn by_tag(layout: &Layout, tag: &str, value: &str) -> Meaning {
    let same = |has: &Option<String>| has.as_deref().is_some_and(|has| has.eq_ignore_ascii_case(value));
    let exact = |has: &Option<String>| has.as_deref() == Some(value);
    let contents = layout.filesystems.iter();
    let partitions = layout.disks.iter().filter_map(|disk| disk.table.as_ref()).flat_map(|t| &t.partitions);
    let devices: Vec<&DeviceName> = match tag {
        "UUID" => contents.filter(|content| same(&content.uuid)).map(|content| &content.device).collect(),
        "LABEL" => contents.filter(|content| exact(&content.label)).map(|content| &content.device).collect(),
        "PARTUUID" => partitions.filter(|part| same(&part.partuuid)).map(|part| &part.device).collect(),
        _ => partitions.filter(|part| exact(&part.label)).map(|part| &part.device).collect(),
    };
    match devices.as_slice() {
        [] => Meaning::None,
        [device] => Meaning::One((*device).clone()),
        // A btrfs over several devices is on each of them.
        [device, ..] if layout.same_btrfs(device).len() == devices.len() => Meaning::One((*device).clone()),
        _ => Meaning::Several,
    }
}

fn unique(layout: &Layout, tag: &str, value: &str) -> Option<String> {
    let plain = !value.is_empty() && value.chars().all(|c| c.is_ascii_graphic() && c != '"' && c != '\'');
    (plain && matches!(by_tag(layout, tag, value), Meaning::One(_))).then(|| format!("{tag}={value}"))
}

/// Members of an array or a group share their UUID, or it names the group: it does not name the device.
fn named_by_content(content: &Filesystem) -> bool {
    !content.kind.ends_with("_member")
}

/// Names below `/dev/disk/by-id` and `by-path`: volumes by their name, disks only where there is just one.
fn by_hardware(layout: &Layout, link: &str) -> Meaning {
    if let Some(volume_name) = link.strip_prefix("by-id/dm-name-") {
        return one(volume(layout, &format!("mapper/{volume_name}")));
    }
    if let Some(array) = link.strip_prefix("by-id/md-") {
        let has_name = |found: &&Array| match array.split_once('-') {
            Some(("uuid", uuid)) => hex_digits(uuid) == hex_digits(&found.uuid),
            Some(("name", name)) => found.name.as_deref() == Some(name),
            _ => false,
        };
        return one(layout.arrays.iter().find(has_name).map(|array| array.device.clone()));
    }
    let ([disk], true) =
        (layout.disks.as_slice(), link.starts_with("by-id/") || link.starts_with("by-path/"))
    else {
        return Meaning::None;
    };
    if ["by-id/dm-", "by-id/md-", "by-id/lvm-"].iter().any(|volume| link.starts_with(volume)) {
        return Meaning::None;
    }
    let partition = link.rsplit_once("-part").and_then(|(_, number)| number.parse().ok());
    one(Place { disk: 0, partition }.device_of(disk))
}

fn one(device: Option<DeviceName>) -> Meaning {
    device.map_or(Meaning::None, Meaning::One)
}

/// Names of logical volumes: `VG/LV`, or `mapper/VG-LV` with dashes in the names doubled.
fn volume(layout: &Layout, name: &str) -> Option<DeviceName> {
    layout.volume_groups.iter().find_map(|group| {
        let volume = group.logical_volumes.iter().find(|volume| {
            let mapper = [&group.name, &volume.name].map(|part| part.replace('-', "--")).join("-");
            name.strip_prefix("mapper/") == Some(&mapper)
                || name.split_once('/') == Some((&group.name, &volume.name))
        })?;
        Some(volume.device.clone())
    })
}

/// Names of arrays: `md0`, `md/0`, `md/NAME`, with or without the host; what mdadm counts down from `md127` where it knows no
/// name can only mean an array if there is just one. `None` if it is no such name.
fn array(layout: &Layout, name: &str) -> Option<Meaning> {
    let rest = name.strip_prefix("md")?;
    let rest = rest.strip_prefix('/').unwrap_or(rest);
    let ends = [format!("/dev/md{rest}"), format!("/dev/md/{rest}")];
    let found = layout.arrays.iter().find(|array| {
        ends.contains(&array.device.0) || array.name.as_deref().is_some_and(|name| name == rest)
    });
    let is_counted = rest.parse().is_ok_and(|number: u32| (100..128).contains(&number));
    Some(match (found, layout.arrays.as_slice()) {
        (Some(array), _) => Meaning::One(array.device.clone()),
        (None, [array]) if is_counted => Meaning::One(array.device.clone()),
        _ => Meaning::None,
    })
}

/// Names of what encrypted devices hold, by the guest's crypttab, or as dracut names them. `None` if it is no such name.
fn opened(layout: &Layout, name: &str) -> Option<Meaning> {
    let name = name.strip_prefix("mapper/")?;
    let is_named = |encrypted: &&Encrypted| {
        encrypted.names.iter().any(|known| known == name)
            || name.strip_prefix("luks-").is_some_and(|uuid| uuid == encrypted.uuid)
    };
    let mut found = layout.encrypted.iter().filter(is_named).map(|encrypted| encrypted.opened.clone());
    match (found.next(), found.next()) {
        (None, _) => None,
        (Some(opened), None) => Some(one(opened)),
        (Some(_), Some(_)) => Some(Meaning::Several),
    }
}

fn hex_digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_hexdigit).map(|digit| digit.to_ascii_lowercase()).collect()
}

/// A disk by its order, and perhaps a partition of it.
struct Place {
    disk: usize,
    partition: Option<u32>,
}

impl Place {
    /// A disk that the caller named `sdf` is the guest's `/dev/xvdf`; disks with other names are counted.
    fn device(&self, layout: &Layout) -> Option<DeviceName> {
        let place = |disk: &Disk| positional(&disk.name).filter(|place| place.partition.is_none());
        let disk = match layout.disks.iter().all(|disk| place(disk).is_some()) {
            true => layout.disks.iter().find(|disk| place(disk).is_some_and(|place| place.disk == self.disk)),
            false => layout.disks.get(self.disk),
        };
        self.device_of(disk?)
    }

    /// EC2's `xvda1` on a disk without a table is the disk itself.
    fn device_of(&self, disk: &Disk) -> Option<DeviceName> {
        match (self.partition, &disk.table) {
            (None, _) | (Some(1), None) => Some(whole(disk)),
            (Some(number), Some(table)) => {
                let partition = table.partitions.iter().find(|partition| partition.number == number)?;
                Some(partition.device.clone())
            }
            (Some(_), None) => None,
        }
    }
}

/// Reads a name that counts disks: `sda1`, `hdc`, `xvda1`, `nvme0n1p2`, `mmcblk0p1`, `cciss/c0d0p1`.
fn positional(name: &str) -> Option<Place> {
    for (prefix, infix) in [("nvme", "n1"), ("mmcblk", ""), ("cciss/c0d", "")] {
        let Some(rest) = name.strip_prefix(prefix) else { continue };
        let (disk, rest) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
        let rest = rest.strip_prefix(infix)?;
        let partition = match rest.strip_prefix('p') {
            Some(number) => Some(number.parse().ok()?),
            None if rest.is_empty() => None,
            None => return None,
        };
        return Some(Place { disk: disk.parse().ok()?, partition });
    }
    let rest = ["xvd", "sd", "hd", "vd"].iter().find_map(|bus| name.strip_prefix(bus))?;
    let digits = rest.trim_start_matches(|c: char| c.is_ascii_lowercase());
    let letters = rest.strip_suffix(digits).filter(|letters| (1..=3).contains(&letters.len()))?;
    let count = letters.bytes().fold(0, |count, letter| count * 26 + usize::from(letter - b'a') + 1);
    let partition = if digits.is_empty() { None } else { Some(digits.parse().ok()?) };
    Some(Place { disk: count - 1, partition })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{LogicalVolume, Partition, PartitionTable, TableKind, VolumeGroup};

    fn disk(name: &str, partitions: &[u32]) -> Disk {
        let partition = |number: &u32| Partition {
            device: DeviceName(format!("/dev/{name}{number}")),
            number: *number,
            start_bytes: 0,
            size_bytes: 0,
            type_id: "83".into(),
            partuuid: Some(format!("{name}-0{number}")),
            label: Some(format!("part{number}")),
            bootable: false,
        };
        let partitions: Vec<_> = partitions.iter().map(partition).collect();
        let table = (!partitions.is_empty()).then(|| PartitionTable {
            kind: TableKind::Gpt,
            id: "i".into(),
            partitions,
        });
        Disk { table, ..Disk::blank(name, 0) }
    }

    fn content(device: &str, kind: &str, uuid: &str, label: Option<&str>) -> Filesystem {
        Filesystem {
            uuid: (!uuid.is_empty()).then(|| uuid.into()),
            label: label.map(str::to_owned),
            ..Filesystem::new(DeviceName(device.into()), kind)
        }
    }

    /// Two disks; the second has a copy of the first's file system, and a disk without a table.
    fn layout() -> Layout {
        let volume = LogicalVolume {
            device: DeviceName("/dev/vg-a/lv-root".into()),
            name: "lv-root".into(),
            size_bytes: 0,
            segment_types: vec![],
        };
        Layout {
            disks: vec![disk("sda", &[1, 2, 3, 5]), disk("sdb", &[1, 2]), disk("sdc", &[])],
            volume_groups: vec![VolumeGroup {
                name: "vg-a".into(),
                uuid: "v".into(),
                physical_volumes: vec![DeviceName("/dev/sda3".into()), DeviceName("/dev/sdb2".into())],
                logical_volumes: vec![volume],
            }],
            filesystems: vec![
                content("/dev/sda1", "ext4", "ABCD-1", Some("my root")),
                content("/dev/sda2", "swap", "", Some("sw")),
                content("/dev/sda3", "LVM2_member", "pv1", None),
                content("/dev/sda5", "ext4", "same", None),
                content("/dev/sdb1", "ext4", "same", None),
                content("/dev/sdc", "xfs", "c-uuid", None),
                content("/dev/vg-a/lv-root", "xfs", "lv-uuid", None),
            ],
            ..Layout::default()
        }
    }

    #[test]
    fn the_guests_names_mean_devices_of_the_layout() {
        for (spec, device, unstable) in [
            ("UUID=abcd-1", Some("/dev/sda1"), false),
            ("UUID=\"ABCD-1\"", Some("/dev/sda1"), false),
            ("UUID=same", None, false),
            ("LABEL='my root'", Some("/dev/sda1"), false),
            ("/dev/disk/by-label/my\\x20root", Some("/dev/sda1"), false),
            ("/dev/disk/by-uuid/ABCD-1", Some("/dev/sda1"), false),
            ("PARTUUID=SDA-02", Some("/dev/sda2"), false),
            ("PARTLABEL=part3", Some("/dev/sda3"), false),
            ("PARTLABEL=part1", None, false),
            ("/dev/sda1", Some("/dev/sda1"), true),
            ("/dev/hda5", Some("/dev/sda5"), true),
            ("/dev/xvda1", Some("/dev/sda1"), true),
            ("/dev/vdb1", Some("/dev/sdb1"), true),
            ("/dev/vdb", Some("/dev/sdb"), true),
            ("/dev/xvdc1", Some("/dev/sdc"), true),
            ("/dev/xvdc2", None, true),
            ("/dev/sdz1", None, true),
            ("/dev/sda9", None, true),
            ("/dev/nvme1n1p2", Some("/dev/sdb2"), true),
            ("/dev/nvme0n1", Some("/dev/sda"), true),
            ("/dev/mmcblk0p1", Some("/dev/sda1"), true),
            ("/dev/cciss/c0d0p2", Some("/dev/sda2"), true),
            ("/dev/mapper/vg--a-lv--root", Some("/dev/vg-a/lv-root"), false),
            ("/dev/vg-a/lv-root", Some("/dev/vg-a/lv-root"), false),
            ("/dev/disk/by-id/dm-name-vg--a-lv--root", Some("/dev/vg-a/lv-root"), false),
            ("/dev/disk/by-id/ata-QEMU_1-part1", None, true),
            ("/dev/disk/by-path/pci-0000:00:10.0-scsi-0:0:0:0-part1", None, true),
            ("/dev/mapper/luks-1", None, false),
            ("/dev/md0", None, false),
            ("/dev/dm-0", None, true),
            ("/dev/sr0", None, false),
            ("/dev/root", None, false),
            ("/dev/sdaaaaaaaaaaaa1", None, false),
            ("tmpfs", None, false),
        ] {
            assert_eq!(resolve(&layout(), spec), device.map(|name| DeviceName(name.into())), "{spec}");
            assert_eq!(is_unstable(spec), unstable, "{spec}");
        }
    }

    #[test]
    fn names_of_hardware_are_clear_where_there_is_one_disk() {
        let layout = Layout { disks: vec![disk("sda", &[1])], ..Layout::default() };
        for (spec, device) in [
            ("/dev/disk/by-id/scsi-36000c29-part1", Some("/dev/sda1")),
            ("/dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:0:0", Some("/dev/sda")),
            ("/dev/disk/by-id/scsi-36000c29-part2", None),
            ("/dev/disk/by-id/dm-uuid-LVM-x", None),
        ] {
            assert_eq!(resolve(&layout, spec), device.map(|name| DeviceName(name.into())), "{spec}");
        }
    }

    #[test]
    fn the_stable_name_is_one_that_no_other_device_has() {
        for (device, name) in [
            ("/dev/sda1", Some("UUID=ABCD-1")),
            ("/dev/sda2", Some("PARTUUID=sda-02")),
            ("/dev/sda3", Some("PARTUUID=sda-03")),
            ("/dev/sda5", Some("PARTUUID=sda-05")),
            ("/dev/sdc", Some("UUID=c-uuid")),
            ("/dev/sdb", None),
            ("/dev/vg-a/lv-root", Some("/dev/vg-a/lv-root")),
        ] {
            let found = stable_name(&layout(), &DeviceName(device.into()));
            assert_eq!(found.as_deref(), name, "{device}");
        }
        assert!(has_duplicate_uuid(&layout(), &DeviceName("/dev/sdb1".into())));
    }

    #[test]
    fn a_volume_lies_on_the_disks_of_its_group() {
        for (device, names) in
            [("/dev/vg-a/lv-root", vec!["sda", "sdb"]), ("/dev/sdb1", vec!["sdb"]), ("/dev/sdc", vec!["sdc"])]
        {
            let layout = layout();
            let found: Vec<_> =
                disks(&layout, &DeviceName(device.into())).iter().map(|disk| disk.name.as_str()).collect();
            assert_eq!(found, names, "{device}");
        }
    }
}
