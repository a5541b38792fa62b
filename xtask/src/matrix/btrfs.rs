//! btrfs: profiles, checksums, compression, subvolumes, several devices.

use super::row::Row;

/// Two disks without partitions.
const TWO: Row = Row {
    disks: &[384, 384],
    table: None,
    stack: "dev=/dev/vda",
    open: "btrfs device scan; dev=/dev/vda; [ ! -e /dev/vda1 ] || dev=/dev/vda1",
    ..Row::btrfs("", "")
};

/// Makes subvolumes as distributions do, before the root is filled.
const SUBVOLUMES: &str = "mkfs.btrfs -q $dev; mount $dev $root; btrfs subvolume create $root/@; btrfs subvolume create $root/@home; umount $root";

pub(super) const ROWS: &[Row] = &[
    Row::btrfs("btrfs", "mkfs.btrfs -q $dev"),
    Row::btrfs("btrfs-sles12", "mkfs.btrfs -q -O ^no-holes -R ^free-space-tree --nodesize 16k $dev"),
    Row::btrfs(
        "btrfs-old",
        "mkfs.btrfs -q -O ^no-holes,^skinny-metadata,^extref -R ^free-space-tree --nodesize 4k $dev",
    ),
    Row::btrfs("btrfs-mixed", "mkfs.btrfs -q --mixed $dev"),
    Row::btrfs("btrfs-single", "mkfs.btrfs -q -m single -d single $dev"),
    Row::btrfs("btrfs-dup", "mkfs.btrfs -q -m dup -d dup $dev"),
    Row::btrfs("btrfs-xxhash", "mkfs.btrfs -q --csum xxhash $dev"),
    Row::btrfs("btrfs-sha256", "mkfs.btrfs -q --csum sha256 $dev"),
    Row::btrfs("btrfs-blake2", "mkfs.btrfs -q --csum blake2 $dev"),
    Row { options: "-o compress-force=zstd", ..Row::btrfs("btrfs-zstd", "mkfs.btrfs -q $dev") },
    Row { options: "-o compress-force=lzo", ..Row::btrfs("btrfs-lzo", "mkfs.btrfs -q $dev") },
    Row { options: "-o compress-force=zlib", ..Row::btrfs("btrfs-zlib", "mkfs.btrfs -q $dev") },
    Row { options: "-o subvol=@", ..Row::btrfs("btrfs-subvolumes", SUBVOLUMES) },
    Row {
        fill: "btrfs subvolume snapshot -r $root $root/home/user/kept; btrfs quota enable $root",
        ..Row::btrfs("btrfs-snapshot-quota", "mkfs.btrfs -q $dev")
    }
    .with(&["snapshot-left"]),
    Row { name: "btrfs-raid0", mkfs: "mkfs.btrfs -q -f -m raid0 -d raid0 $all", ..TWO },
    Row { name: "btrfs-raid1", mkfs: "mkfs.btrfs -q -f -m raid1 -d raid1 $all", ..TWO },
    Row { name: "btrfs-raid10", disks: &[256; 4], mkfs: "mkfs.btrfs -q -f -m raid10 -d raid10 $all", ..TWO },
    Row { name: "btrfs-raid5", disks: &[256; 3], mkfs: "mkfs.btrfs -q -f -m raid1 -d raid5 $all", ..TWO },
    Row { name: "btrfs-raid1c3", disks: &[256; 3], mkfs: "mkfs.btrfs -q -f -m raid1c3 -d raid1 $all", ..TWO },
    Row {
        name: "btrfs-missing",
        mkfs: "mkfs.btrfs -q -f -m raid0 -d raid0 $all",
        host: "truncate -s 0 disk-2.raw; truncate -s 384M disk-2.raw",
        ..TWO
    }
    .refused("no-system", &["filesystem-not-mounted"]),
];
