//! What is to be mounted in a root beside `/`: what its fstab says, and the ESP and `/boot` that systemd would mount by
//! their partition types where fstab does not name them.
//!
//! Only file systems that hold the system are mounted. Data (`/home`, `/srv`, `/data`) is not looked at: no journal of it
//! is replayed, and nothing of it is written. What fstab says of swap, network, memory and bind mounts is no mount here.

use crate::facts::Mount;
use crate::finding::Finding;
use crate::formats::fstab::{self, Entry};
use crate::layout::{DeviceName, Filesystem, GPT_ESP, Layout, Partition};
use crate::linux::{devices, distribution};
use crate::path::{GuestPath, guest_path};
use crate::tree::{GuestTree, ReadError};

/// GPT type of the Boot Loader Specification's extended boot partition.
const GPT_XBOOTLDR: &str = "bc13c2ff-59e6-4262-a352-b275fd6f7172";

/// Directories that hold the system; what is mounted elsewhere is data.
const SYSTEM: [&str; 12] =
    ["/boot", "/efi", "/etc", "/usr", "/var", "/opt", "/lib", "/lib64", "/bin", "/sbin", "/nix", "/root"];

/// The most lines of fstab that are mounted: a system that gives each of its directories a file system has twenty.
const CAP_MOUNTS: usize = 64;

/// Where systemd and distributions mount an ESP that fstab does not name, in order of preference.
const ESP_PLACES: [&str; 3] = ["/boot/efi", "/efi", "/boot"];

/// See [`crate::inspect::mounts`].
pub(super) fn mounts(
    tree: &dyn GuestTree,
    layout: &Layout,
    device: &DeviceName,
    subvolume: Option<&str>,
    findings: &mut Vec<Finding>,
) -> Result<Option<Vec<Mount>>, ReadError> {
    if !distribution::is_system(tree)? {
        return Ok(None);
    }
    let text = tree.text(&guest_path("/etc/fstab"))?.map(|file| file.text).unwrap_or_default();
    let entries = fstab::entries(&text);
    if is_snapshot(&entries, layout.filesystem(device), subvolume) {
        return Ok(None);
    }
    let top = Mount {
        mountpoint: GuestPath::root(),
        device: device.clone(),
        subvolume: subvolume.map(str::to_owned),
    };
    let mut found = vec![top];
    let mut looked_at = 0;
    for entry in &entries {
        let Some(mountpoint) = system_place(entry) else { continue };
        looked_at += 1;
        if looked_at > CAP_MOUNTS {
            let text = format!(
                "/etc/fstab has more than {CAP_MOUNTS} file systems of the system: the rest is not looked at"
            );
            findings.push(Finding::warning("mounts-too-many", text).about(device.0.clone()));
            break;
        }
        match mount_of(entry, mountpoint, layout, device) {
            Ok(mount) if found.iter().all(|other| other.mountpoint != mount.mountpoint) => found.push(mount),
            Ok(_) => {}
            Err(finding) => findings.push(finding.about(device.0.clone())),
        }
    }
    by_partition_type(tree, layout, &mut found, findings)?;
    found.sort_by_key(|mount| mount.mountpoint.as_str().trim_end_matches('/').matches('/').count());
    Ok(Some(found))
}

/// A copy of a root in another subvolume of the same btrfs is a snapshot, no system of its own: its fstab names another
/// subvolume as `/`, or none where the file system's default is another (SUSE).
fn is_snapshot(entries: &[Entry], filesystem: Option<&Filesystem>, subvolume: Option<&str>) -> bool {
    let (Some(filesystem), Some(root)) = (filesystem, entries.iter().find(|entry| entry.file == "/")) else {
        return false;
    };
    let this = subvolume.map(trimmed);
    match (root.option("subvol"), root.option("subvolid")) {
        (Some(named), _) => Some(trimmed(named)).filter(|name| !name.is_empty()) != this,
        (None, Some(_)) => false,
        (None, None) => {
            filesystem.default_subvolume.is_some() && filesystem.default_subvolume.as_deref() != this
        }
    }
}

fn trimmed(subvolume: &str) -> &str {
    subvolume.trim_matches('/')
}

/// Returns the place of a mount that inspection needs; `None` if it needs none of this line.
fn system_place(entry: &Entry) -> Option<GuestPath> {
    let place = GuestPath::new(&entry.file).ok()?;
    let is_device = entry.spec.starts_with("/dev/") || devices::is_tagged(&entry.spec);
    let of_the_system = SYSTEM.iter().any(|top| place.is_below(&guest_path(top)));
    let is_boot = ["/boot", "/efi"].iter().any(|top| place.is_below(&guest_path(top)));
    let bound = ["bind", "rbind", "loop"].iter().any(|option| entry.has_option(option));
    let wanted = is_device && of_the_system && !bound && !entry.is_swap() && place != GuestPath::root();
    (wanted && (is_boot || !entry.has_option("noauto"))).then_some(place)
}

fn mount_of(
    entry: &Entry,
    mountpoint: GuestPath,
    layout: &Layout,
    root: &DeviceName,
) -> Result<Mount, Finding> {
    let subvolume =
        || entry.option("subvol").map(|name| trimmed(name).to_owned()).filter(|name| !name.is_empty());
    let same_filesystem = layout.filesystem(root).is_some_and(|filesystem| {
        filesystem.kind == "btrfs" && filesystem.uuid.is_some() && names_uuid(&entry.spec, filesystem)
    });
    // All devices of a btrfs share its UUID, so that it is no single device's name; the root's will do.
    let device = if same_filesystem { Some(root.clone()) } else { devices::resolve(layout, &entry.spec) };
    match device {
        Some(device) => Ok(Mount { mountpoint, subvolume: subvolume(), device }),
        None => Err(Finding::warning(
            "mount-device-unknown",
            format!(
                "{} of /etc/fstab is on {}, which is no device of the guest's disks; its files are not looked at",
                mountpoint, entry.spec
            ),
        )),
    }
}

fn names_uuid(spec: &str, filesystem: &Filesystem) -> bool {
    let uuid = filesystem.uuid.as_deref().unwrap_or_default();
    [format!("UUID={uuid}"), format!("/dev/disk/by-uuid/{uuid}")]
        .iter()
        .any(|name| name.eq_ignore_ascii_case(&spec.replace(['"', '\''], "")))
}

/// Adds the ESP and the extended boot partition of the root's disks, as systemd-gpt-auto-generator(8) would, and on MBR too.
fn by_partition_type(
    tree: &dyn GuestTree,
    layout: &Layout,
    found: &mut Vec<Mount>,
    findings: &mut Vec<Finding>,
) -> Result<(), ReadError> {
    let Some(root) = found.first().map(|mount| mount.device.clone()) else { return Ok(()) };
    let disks = devices::disks(layout, &root);
    let partitions = || disks.iter().filter_map(|disk| disk.table.as_ref()).flat_map(|t| &t.partitions);
    let mut add = |partition: &Partition, places: &[&'static str]| -> Result<bool, ReadError> {
        if found.iter().any(|mount| mount.device == partition.device) {
            return Ok(true);
        }
        for place in places.iter().map(|place| guest_path(place)) {
            let taken = found.iter().any(|mount| mount.mountpoint == place);
            // A place below another mount cannot be looked at yet: it would be inside that file system.
            let hidden = found.iter().skip(1).any(|mount| place.is_below(&mount.mountpoint));
            if !taken && !hidden && tree.is_dir(&place)? && tree.list(&place)?.is_empty() {
                let device = partition.device.clone();
                found.push(Mount { mountpoint: place, device, subvolume: None });
                return Ok(true);
            }
        }
        Ok(false)
    };
    if let Some(boot) = partitions().find(|partition| partition.type_id == GPT_XBOOTLDR) {
        add(boot, &["/boot"])?;
    }
    let is_fat = |partition: &&Partition| {
        layout.filesystem(&partition.device).is_some_and(|filesystem| filesystem.kind == "vfat")
    };
    let esp = partitions()
        .filter(|partition| partition.type_id == GPT_ESP || partition.type_id == "ef")
        .find(is_fat);
    if let Some(esp) = esp
        && !add(esp, &ESP_PLACES)?
    {
        let text = "the EFI system partition has no place in this root: fstab names none, and none of /boot/efi, /efi, \
                    /boot is an empty directory; its loaders are not looked at";
        findings.push(Finding::info("esp-not-mounted", text).about(esp.device.0.clone()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{Entry as File, MemTree};
    use crate::layout::{Disk, PartitionTable, TableKind};

    fn layout() -> Layout {
        let rows = [
            (1, GPT_ESP, "vfat", "AAAA-0001"),
            (2, "x", "ext4", "u2"),
            (3, "x", "btrfs", "u3"),
            (4, "x", "swap", "u4"),
        ];
        let name = |number| DeviceName(format!("/dev/sda{number}"));
        let partition = |(number, type_id, _, _): &(u32, &str, &str, &str)| Partition {
            device: name(*number),
            number: *number,
            start_bytes: 0,
            size_bytes: 0,
            type_id: (*type_id).into(),
            partuuid: Some(format!("p{number}")),
            label: None,
            bootable: false,
        };
        let filesystem = |(number, _, kind, uuid): &(u32, &str, &str, &str)| Filesystem {
            uuid: Some((*uuid).into()),
            ..Filesystem::new(name(*number), kind)
        };
        let partitions = rows.iter().map(partition).collect();
        let table = PartitionTable { kind: TableKind::Gpt, id: "g".into(), partitions };
        Layout {
            disks: vec![Disk { table: Some(table), ..Disk::blank("sda", 0) }],
            filesystems: rows.iter().map(filesystem).collect(),
            ..Layout::default()
        }
    }

    fn tree(fstab: &str) -> MemTree {
        let mut tree = MemTree::of(&[("/etc/fstab", fstab), ("/sbin/init", ""), ("/lib/x", "")]);
        tree.insert("/boot/efi", File::Directory);
        tree.insert("/efi", File::Directory);
        tree
    }

    #[test]
    fn fstab_and_partition_types_say_what_is_mounted() {
        let with_esp = ["/boot", "/dev/sda2", "/efi", "/dev/sda1"];
        for (root, subvolume, fstab, mounts, codes) in [
            ("/dev/sda2", None, "", Some(vec!["/boot/efi", "/dev/sda1"]), vec![]),
            (
                "/dev/sda2",
                None,
                "/dev/sda1 /boot/efi vfat noauto",
                Some(vec!["/boot/efi", "/dev/sda1"]),
                vec![],
            ),
            (
                "/dev/sda3",
                Some("@"),
                "UUID=u3 / btrfs subvol=/@\nUUID=u2 /boot ext4",
                Some(with_esp.to_vec()),
                vec![],
            ),
            ("/dev/sda3", Some("@old"), "UUID=u3 / btrfs subvol=@\n", None, vec![]),
            (
                "/dev/sda3",
                Some("@"),
                "UUID=u3 / btrfs subvol=@\nUUID=u3 /var btrfs subvol=@var\nUUID=u3 /home btrfs subvol=@home\n\
                 /dev/sda4 none swap\n/var/x /usr/y none bind\nnfs:/z /opt/z nfs\ntmpfs /var/tmp tmpfs\n\
                 /dev/sdz9 /usr ext4",
                Some(vec!["/var", "/dev/sda3", "/boot/efi", "/dev/sda1"]),
                vec!["mount-device-unknown"],
            ),
        ] {
            let mut findings = Vec::new();
            let device = DeviceName(root.into());
            let all = super::mounts(&tree(fstab), &layout(), &device, subvolume, &mut findings).unwrap();
            let names = all.map(|all| {
                let pair = |mount: &Mount| [mount.mountpoint.as_str().to_owned(), mount.device.0.clone()];
                all.iter().skip(1).flat_map(pair).collect::<Vec<_>>()
            });
            assert_eq!(names, mounts.map(|m| m.into_iter().map(str::to_owned).collect()), "{fstab:?}");
            assert_eq!(findings.iter().map(|f| f.code.as_str()).collect::<Vec<_>>(), codes, "{fstab:?}");
        }
    }

    #[test]
    fn data_and_a_separate_usr_are_no_system() {
        for files in
            [vec![("/lib/systemd/systemd", "")], vec![("/grub/grub.cfg", "")], vec![("/etc/passwd", "")]]
        {
            let device = DeviceName("/dev/sda2".into());
            let tree = MemTree::of(&files);
            assert_eq!(super::mounts(&tree, &layout(), &device, None, &mut Vec::new()).unwrap(), None);
        }
    }
}
