//! A guest of EC2's paravirtual kind: what it is laid out as, and what cannot be.

use super::*;
use crate::describe::describe;
use crate::facts::{FACTS_SCHEMA, Facts, Firmware, Mount, Root};
use crate::finding::Severity;
use crate::fixtures;
use crate::knowledge;
use crate::layout::{BootCode, DeviceName, Disk, Filesystem, Layout};
use crate::linux;
use crate::linux::bootloader::{Config, Loader, LoaderKind, Role};
use crate::path::{GuestPath, guest_path};
use crate::text::TextFile;

const UUID: &str = "6f2f3f4f-0001-4001-8001-ec2000000001";

fn sda() -> DeviceName {
    DeviceName("/dev/sda".into())
}

fn root(kind: LoaderKind, menu: &'static str) -> Root {
    let mut linux = linux::Facts::default();
    let file = TextFile { path: guest_path(menu), text: String::new(), mode: 0o644 };
    let configs = vec![Config { role: Role::Menu, file }];
    linux.bootloader.loaders = vec![Loader { kind, disk: Some("sda".into()), configs }];
    let top = Mount { mountpoint: GuestPath::root(), device: sda(), subvolume: None };
    Root { mounts: vec![top], ..fixtures::root(sda(), linux) }
}

fn facts() -> Facts {
    let filesystem = Filesystem {
        uuid: Some(UUID.into()),
        size_bytes: Some(900 << 20),
        features: Some(0x2c2),
        ..Filesystem::new(sda(), "ext4")
    };
    let layout = Layout {
        disks: vec![Disk::blank("sda", (1 << 30) + 512)],
        filesystems: vec![filesystem],
        ..Layout::default()
    };
    let roots = vec![root(LoaderKind::GrubLegacy, "/boot/grub/menu.lst")];
    Facts { schema: FACTS_SCHEMA, layout, firmware: Firmware::None, roots, findings: Vec::new() }
}

#[test]
fn the_old_content_becomes_partition_1_and_a_second_look_finds_nothing_to_do() {
    let facts = facts();
    let lay_out = needed(&facts).unwrap().unwrap();
    assert_eq!(
        lay_out.to_string(),
        "\
# lay out the disk sda: GPT 8cb4d900-a01e-89af-a7cd-d2478917fa20, 1612709888 bytes in all
#   /dev/sda1: 1073742336 bytes from 536870912, what is there now: ext4 6f2f3f4f-0001-4001-8001-ec2000000001
#   /dev/sda14: 1031168 bytes from 17408, GRUB for BIOS
#   /dev/sda15: 535822336 bytes from 1048576, EFI system partition, FAT A34A-649A, GRUB for UEFI
#   GRUB begins with:
#     if [ \"$grub_platform\" = pc ]; then
#       if serial --unit=0 --speed=115200; then
#         terminal_input --append serial
#         terminal_output --append serial
#       fi
#     fi
#     search.fs_uuid 6f2f3f4f-0001-4001-8001-ec2000000001 root hd0,gpt1
#     set prefix=($root)/boot/grub
#     function linux16 { linux \"$@\"; }
#     function initrd16 { initrd \"$@\"; }
#     function linuxefi { linux \"$@\"; }
#     function initrdefi { initrd \"$@\"; }
#     if [ -e ($root)/boot/grub/grub.cfg ]; then
#       configfile ($root)/boot/grub/grub.cfg
#     else
#       legacy_configfile ($root)/boot/grub/menu.lst
#     fi
"
    );
    let after = lay_out.after(&facts);
    let mut expected = facts.clone();
    expected.layout.disks = vec![Disk {
        table: Some(lay_out.table.clone()),
        boot_code: Some(BootCode::Grub),
        ..Disk::blank("sda", lay_out.size_bytes)
    }];
    let (root, esp) = (DeviceName("/dev/sda1".into()), DeviceName("/dev/sda15".into()));
    expected.layout.filesystems[0].device = root.clone();
    let vfat = Filesystem { uuid: Some(lay_out.esp_id.clone()), ..Filesystem::new(esp.clone(), "vfat") };
    expected.layout.filesystems.push(vfat);
    expected.roots[0].device = root.clone();
    expected.roots[0].mounts[0].device = root;
    expected.firmware = Firmware::Both { esps: vec![esp] };
    assert_eq!(after, expected);
    assert_eq!(needed(&after), Ok(None));
    // The document is good before and after; only what there is to say differs.
    let target = knowledge::target("kvm").unwrap();
    let (before, mut expected) = (describe(&facts, target, &[]), describe(&after, target, &[]));
    expected.findings.push(lay_out.finding());
    expected.findings.rotate_right(1);
    assert_eq!(before, expected);
}

#[test]
fn a_disk_with_partitions_and_no_boot_loader_is_told_of() {
    let mut facts = needed(&facts()).unwrap().unwrap().after(&facts());
    let codes = |facts: &Facts| {
        let described = describe(facts, knowledge::target("kvm").unwrap(), &[]);
        let errors = described.findings.into_iter().filter(|finding| finding.severity == Severity::Error);
        let told = errors.map(|finding| (finding.code, finding.subject));
        told.filter(|(code, _)| code != "no-driver").collect::<Vec<_>>()
    };
    assert_eq!(codes(&facts), []);
    facts.layout.disks[0].boot_code = None;
    facts.firmware = Firmware::None;
    assert_eq!(codes(&facts), [("boot-loader-missing".to_owned(), Some("sda".to_owned()))]);
    facts.layout.disks[0].boot_code = Some(BootCode::Unknown);
    assert_eq!(codes(&facts), []);
}

#[test]
fn a_disk_that_cannot_grow_needs_room_behind_its_file_system() {
    for (size_bytes, expected) in [
        ((900 + 512 + 1) << 20, Ok((900 << 20, (900 + 512 + 1) << 20))),
        ((900 + 512) << 20, Err("disk-no-room")),
        (4 << 30, Ok((900 << 20, 4 << 30))),
    ] {
        let mut facts = facts();
        facts.layout.disks = vec![Disk { fixed_size: true, ..Disk::blank("sda", size_bytes) }];
        let found =
            needed(&facts).map(|found| found.map(|found| (found.before.size_bytes, found.size_bytes)));
        assert_eq!(
            found.map_err(|error| error.code),
            expected.map(Some).map_err(str::to_owned),
            "{size_bytes}"
        );
    }
}

#[test]
fn what_grub_cannot_start_is_refused() {
    let with = |edit: &dyn Fn(&mut Facts)| {
        let mut facts = facts();
        edit(&mut facts);
        needed(&facts).map(|found| found.map(|found| found.grub.prefix)).map_err(|error| error.code)
    };
    let loaders = |facts: &mut Facts, kind, menu| facts.roots = vec![root(kind, menu)];
    let ok = |prefix: &str| Ok(Some(prefix.to_owned()));
    let err = |code: &str| Err(code.to_owned());
    for (name, found, expected) in [
        ("menu.lst", with(&|_| {}), ok("/boot/grub")),
        ("grub2", with(&|f| loaders(f, LoaderKind::Grub2, "/boot/grub2/grub.cfg")), ok("/boot/grub2")),
        ("btrfs", with(&|f| f.roots[0].mounts[0].subvolume = Some("@".into())), ok("/@/boot/grub")),
        ("extlinux", with(&|f| loaders(f, LoaderKind::Extlinux, "/extlinux.conf")), ok("/boot/grub")),
        ("xfs", with(&|f| f.layout.filesystems[0].kind = "xfs".into()), ok("/boot/grub")),
        (
            "zfs",
            with(&|f| f.layout.filesystems[0].kind = "zfs_member".into()),
            err("filesystem-not-bootable"),
        ),
        ("no UUID", with(&|f| f.layout.filesystems[0].uuid = None), err("filesystem-not-bootable")),
        ("no menu", with(&|f| loaders(f, LoaderKind::SystemdBoot, "/x")), err("boot-menu-missing")),
        ("ARM", with(&|f| f.roots[0].arch = "aarch64".into()), err("boot-loader-arch")),
        ("BIOS", with(&|f| f.firmware = Firmware::Bios), Ok(None)),
        ("no system", with(&|f| f.roots.clear()), Ok(None)),
    ] {
        assert_eq!(found, expected, "{name}");
    }
}
