//! Volumes, encrypted devices and file systems that others made, of the test data: what is found on each, or why not.

#![allow(clippy::unwrap_used, reason = "it is a test: what fails here fails the test")]

use guestconv::core::facts::Facts;
use guestconv::{DiskSpec, Format, Guest, Options};
use guestconv_system_tests::test_data;

/// Returns what is found on disks of the test data, one thing in each line; an error is its code. `None` if there is no data.
fn found(files: &[&str], format: Format, key: Option<&str>) -> Option<Vec<String>> {
    let directory = tempfile::tempdir().unwrap();
    let disks: Option<Vec<_>> = files
        .iter()
        .enumerate()
        .map(|(number, file)| {
            // A file may be given twice: then it is a copy.
            let directory = directory.path().join(number.to_string());
            std::fs::create_dir(&directory).unwrap();
            test_data(&format!("images/{file}"), &directory)
        })
        .map(|path| Some(DiskSpec { format, ..DiskSpec::new(path?) }))
        .collect();
    let keys = key.iter().map(|key| key.parse().unwrap()).collect();
    let opened = Guest::open(disks?, Options { keys, ..Options::default() });
    Some(match opened.and_then(|mut guest| guest.inspect().map(lines)) {
        Ok(lines) => lines,
        Err(error) => vec![error.code().to_owned()],
    })
}

fn lines(facts: &Facts) -> Vec<String> {
    let layout = &facts.layout;
    let mut lines = Vec::new();
    for array in &layout.arrays {
        let (device, level, metadata) = (&array.device, &array.level, &array.metadata);
        lines.push(format!(
            "{device}: {level} {metadata}, {} of {}",
            array.members.len(),
            array.whole_members
        ));
    }
    for volume in layout.volume_groups.iter().flat_map(|group| &group.logical_volumes) {
        lines.push(format!("{}: {}", volume.device, volume.segment_types.join(" ")));
    }
    for encrypted in &layout.encrypted {
        let state = if encrypted.opened.is_some() { "open" } else { "closed" };
        lines.push(format!("{}: LUKS{} {state}", encrypted.device, encrypted.version));
    }
    let is_content = |kind: &str| !kind.ends_with("_member") && kind != "crypto_LUKS";
    let contents = layout.filesystems.iter().filter(|found| is_content(&found.kind));
    lines.extend(contents.map(|found| {
        let device = found.device.0.split("luks-").next().unwrap_or_default();
        format!("{device}: {}", found.kind)
    }));
    lines.extend(facts.findings.iter().map(|finding| finding.code.clone()));
    lines
}

#[test]
fn what_others_made_is_found_or_named() {
    let luks = Some("all:key:password");
    let rows: [(&[&str], Option<&str>, &[&str]); 43] = [
        (
            &["volume/md-raid1-1.bin.gz", "volume/md-raid1-2.bin.gz"],
            None,
            &["/dev/md/raid1: raid1 1.2, 2 of 2"],
        ),
        (&["volume/md-raid1-1.bin.gz"], None, &["/dev/md/raid1: raid1 1.2, 1 of 2", "array-degraded"]),
        (
            &["volume/md-90-raid1-1.bin.gz", "volume/md-90-raid1-2.bin.gz"],
            None,
            &["/dev/md127: raid1 0.90, 2 of 2"],
        ),
        (
            &["volume/md-raid0-3.bin.gz", "volume/md-raid0-1.bin.gz", "volume/md-raid0-2.bin.gz"],
            None,
            &["/dev/md/raid0: raid0 1.2, 3 of 3"],
        ),
        (
            &["volume/md-raid0-1.bin.gz", "volume/md-raid0-2.bin.gz"],
            None,
            &["/dev/md/raid0: raid0 1.2, 2 of 3", "raid-not-assembled"],
        ),
        (
            &["volume/md-raid5-1.bin.gz", "volume/md-raid5-2.bin.gz", "volume/md-raid5-3.bin.gz"],
            None,
            &["/dev/md/raid5: raid5 1.2, 3 of 3"],
        ),
        (
            &["volume/md-raid5-1.bin.gz", "volume/md-raid5-3.bin.gz"],
            None,
            &["/dev/md/raid5: raid5 1.2, 2 of 3", "array-degraded"],
        ),
        (&["volume/md-raid5-2.bin.gz"], None, &["/dev/md/raid5: raid5 1.2, 1 of 3", "raid-not-assembled"]),
        (
            &["volume/ddf-raid1-1.bin.gz", "volume/ddf-raid1-2.bin.gz"],
            None,
            &["raid-not-assembled", "raid-not-assembled"],
        ),
        (
            &["volume/lvm-mirror-1.bin.gz", "volume/lvm-mirror-2.bin.gz"],
            None,
            &["/dev/lvm-mirror/mirrormirror: mirror"],
        ),
        (
            &["volume/lvm-mirror-2.bin.gz"],
            None,
            &["/dev/lvm-mirror/mirrormirror: mirror", "volume-not-mapped"],
        ),
        (
            &["volume/lvm-mirror-1.bin.gz", "volume/lvm-mirror-1.bin.gz", "volume/lvm-mirror-2.bin.gz"],
            None,
            &["physical-volume-twice", "volume-group-not-opened"],
        ),
        (&["volume/lvm.bin.gz"], None, &["/dev/vg_test/lv_test: linear"]),
        (
            &["volume/dfvfs-lvm.raw.xz"],
            None,
            &[
                "/dev/test_volume_group/test_logical_volume1: linear",
                "/dev/test_volume_group/test_logical_volume2: linear",
                "/dev/test_volume_group/test_logical_volume1: ext2",
            ],
        ),
        (&["volume/dm-thin-data.bin.gz"], None, &[]),
        (&["volume/dm-thin-metadata.bin.gz"], None, &[]),
        (&["volume/dfvfs-gpt.raw.xz"], None, &["/dev/sda1: ext2", "/dev/sda2: ext4"]),
        (&["volume/dfvfs-gpt_empty_with_mbr.raw.xz"], None, &["/dev/sda1: ext2"]),
        (&["volume/dfvfs-gpt_non_sequential.raw.xz"], None, &[]),
        (&["volume/dfvfs-mbr.raw.xz"], None, &["/dev/sda1: ext2", "/dev/sda5: ext4"]),
        // Only their tables are there.
        (&["volume/gpt.bin"], None, &["disk-truncated"]),
        (&["volume/gpt_4k.bin"], None, &["disk-truncated"]),
        (&["volume/mbr.bin"], None, &["disk-truncated"]),
        (&["volume/gpt_no_name_xff.bin"], None, &["gpt-damaged"]),
        (&["crypt/luks2-aes-xts-plain64.bin.gz"], luks, &["/dev/sda: LUKS2 open"]),
        (&["crypt/luks2-multiple-slots.bin.gz"], None, &["/dev/sda: LUKS2 closed", "device-encrypted"]),
        (&["crypt/luks2-multiple-slots.bin.gz"], Some("/dev/sda:key:wrong"), &["key-wrong"]),
        (
            &["crypt/dfvfs-luks1.raw.xz"],
            Some("d806b968-2f02-4138-ae61-54586be6f8ec:key:luksde-TEST"),
            &["/dev/sda: LUKS1 open", "/dev/mapper/: ext2"],
        ),
        (&["crypt/bde-aes-xts_128.bin.gz"], None, &["/dev/sda: BitLocker", "device-encrypted"]),
        (&["crypt/bde-suspended.bin.gz"], None, &["/dev/sda: BitLocker", "device-encrypted"]),
        (&["crypt/bde-vista.bin.gz"], None, &["/dev/sda: BitLocker", "device-encrypted"]),
        (
            &["fs/btrfs-raid1-1.bin.gz", "fs/btrfs-raid1-2.bin.gz"],
            None,
            &["/dev/sda: btrfs", "/dev/sdb: btrfs"],
        ),
        (&["fs/btrfs-raid1-2.bin.gz"], None, &["/dev/sda: btrfs", "filesystem-not-mounted"]),
        (&["fs/btrfs-default.bin.gz"], None, &["/dev/sda: btrfs"]),
        (&["fs/btrfs-subvolume.bin.gz"], None, &["/dev/sda: btrfs"]),
        (&["fs/btrfs-subvolume-custom-default.bin.gz"], None, &["/dev/sda: btrfs"]),
        (&["fs/ext4.bin.gz"], None, &["/dev/sda: ext4"]),
        (&["fs/dfvfs-ext4.raw.xz"], None, &["/dev/sda: ext4"]),
        (&["fs/xfs.bin.gz"], None, &["/dev/sda: xfs"]),
        (&["fs/xfs_bigtime.bin.gz"], None, &["/dev/sda: xfs"]),
        // It ends before the file system does.
        (&["fs/dfvfs-xfs.raw.xz"], None, &["/dev/sda: xfs", "filesystem-not-mounted"]),
        (&["fs/ntfs.bin.gz"], None, &["/dev/sda: ntfs"]),
        (&["fs/dfvfs-ntfs.raw.xz"], None, &["/dev/sda: ntfs"]),
    ];
    for (files, key, expected) in rows {
        let Some(found) = found(files, Format::Raw, key) else { return };
        assert_eq!(found, expected, "{files:?}");
    }
}

/// Images of every format, as their first bytes say it. Those without a line are whole, and hold a pattern or nothing.
#[test]
fn images_that_others_made_are_opened_or_refused() {
    let rows: [(&str, &[&str]); 24] = [
        ("dfvfs-ext2.qcow2.xz", &["/dev/sda: ext2"]),
        ("dfvfs-ext2.vhd.xz", &["/dev/sda: ext2"]),
        ("dfvfs-ext2.vhdx.xz", &["/dev/sda: ext2"]),
        ("dfvfs-ext2.vmdk.xz", &["/dev/sda: ext2"]),
        ("dfvfs-ntfs-differential.vhd.xz", &["disk-differencing"]),
        ("dfvfs-ntfs-differential.vhdx.xz", &["disk-differencing"]),
        ("dfvfs-ntfs-dynamic.vhd.xz", &["/dev/sda1: ntfs"]),
        ("dfvfs-ntfs-dynamic.vhdx.xz", &["/dev/sda1: ntfs"]),
        ("dfvfs-ntfs-parent.vhd.xz", &["/dev/sda1: ntfs"]),
        ("dfvfs-ntfs-parent.vhdx.xz", &["/dev/sda1: ntfs"]),
        ("dfvfs-windows_volume.qcow2.xz", &["/dev/sda: ntfs"]),
        ("qemu-afl5.img.bz2", &["disk-truncated"]),
        ("qemu-d2v-zerofilled.vhd.bz2", &[]),
        ("qemu-empty.bochs.bz2", &["disk-format-unsupported"]),
        ("qemu-grub_mbr.raw.bz2", &["disk-truncated"]),
        ("qemu-iotest-dynamic-1G.vhdx.bz2", &[]),
        ("qemu-iotest-version3.vmdk.bz2", &[]),
        ("qemu-parallels-v1.bz2", &["disk-format-unsupported"]),
        ("qemu-parallels-v2.bz2", &["disk-format-unsupported"]),
        ("qemu-simple-dmg.dmg.bz2", &["disk-format-unsupported"]),
        ("qemu-simple-pattern.cloop.bz2", &["disk-format-unsupported"]),
        ("qemu-test-disk2vhd.vhdx.bz2", &[]),
        ("qemu-virtualpc-dynamic.vhd.bz2", &[]),
        (
            "scalibr-ext-exfat-fat32-ntfs.qcow2.xz",
            &["/dev/sda1: ext4", "/dev/sda2: exfat", "/dev/sda3: vfat", "/dev/sda4: ntfs"],
        ),
    ];
    for (file, expected) in rows {
        let Some(found) = found(&[&format!("formats/{file}")], Format::Auto, None) else { return };
        assert_eq!(found, expected, "{file}");
    }
}
