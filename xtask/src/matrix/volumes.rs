//! LVM, arrays of md, and what lies on them.

use super::row::Row;

/// A group of all disks, and volumes of it.
macro_rules! in_group {
    ($volumes:literal) => {
        concat!(
            "L pvcreate -y $all; L vgcreate vg $all; ",
            $volumes,
            "; dmsetup mknodes; dev=/dev/mapper/vg-root"
        )
    };
}

/// An array of all disks, of a version of metadata and a level; nobody waits for its members to be made equal.
macro_rules! array {
    ($metadata:literal, $level:literal) => {
        concat!(
            "set -- $all; [ ",
            $level,
            " = 0 ] || [ ",
            $level,
            " = linear ] || clean=--assume-clean; mdadm -C /dev/md0 --run -e ",
            $metadata,
            " -l ",
            $level,
            " -n $# ${clean:-} $all; dev=/dev/md0"
        )
    };
}

pub(super) const ROWS: &[Row] = &[
    Row::lvm("lvm-linear", "L pvcreate -y /dev/vda; L vgcreate vg /dev/vda; L lvcreate -Zn -Wn -y -L 96m -n root vg; dmsetup mknodes; dev=/dev/mapper/vg-root"),
    Row::lvm("lvm-two-disks", in_group!("L lvcreate -Zn -Wn -y -L 200m -n root vg")),
    Row::lvm("lvm-striped", in_group!("L lvcreate -Zn -Wn -y -L 120m -i 3 -n root vg")),
    Row::lvm("lvm-mirror", in_group!("L lvcreate -Zn -Wn -y --type mirror -m1 --mirrorlog core -L 96m -n root vg")),
    Row::lvm("lvm-raid0", in_group!("L lvcreate -Zn -Wn -y --type raid0 -i 2 -L 96m -n root vg")),
    Row::lvm("lvm-raid1", in_group!("L lvcreate -Zn -Wn -y --type raid1 -m1 -L 96m -n root vg")),
    Row::lvm("lvm-raid4", in_group!("L lvcreate -Zn -Wn -y --type raid4 -i 2 -L 96m -n root vg")),
    Row::lvm("lvm-raid5", in_group!("L lvcreate -Zn -Wn -y --type raid5 -i 2 -L 96m -n root vg")),
    Row {
        disks: &[64; 5],
        ..Row::lvm("lvm-raid6", in_group!("L lvcreate -Zn -Wn -y --type raid6 -i 3 -L 96m -n root vg"))
    },
    Row::lvm("lvm-raid10", in_group!("L lvcreate -Zn -Wn -y --type raid10 -i 2 -m1 -L 96m -n root vg")),
    Row::lvm(
        "lvm-thin",
        in_group!("L lvcreate -Zn -y --type thin-pool -L 120m --poolmetadatasize 4m --poolmetadataspare n -n pool vg; L lvcreate -y --type thin -V 160m --thinpool pool -n root vg"),
    ),
    Row::lvm(
        "lvm-cache-pool",
        in_group!("L lvcreate -Zn -Wn -y -L 96m -n root vg /dev/vda; L lvcreate -y --type cache-pool -L 16m --poolmetadatasize 4m --poolmetadataspare n -n cpool vg /dev/vdb; L lvconvert -y --type cache --cachepool vg/cpool --cachemode writeback vg/root"),
    ),
    Row::lvm(
        "lvm-cache-volume",
        in_group!("L lvcreate -Zn -Wn -y -L 96m -n root vg /dev/vda; L lvcreate -Zn -Wn -y -L 16m -n cvol vg /dev/vdb; L lvconvert -y --type cache --cachevol vg/cvol vg/root"),
    ),
    Row::lvm(
        "lvm-writecache",
        in_group!("L lvcreate -Zn -Wn -y -L 96m -n root vg /dev/vda; L lvcreate -Zn -Wn -y -L 16m -n wcv vg /dev/vdb; L lvchange -an vg/wcv; L lvconvert -y --type writecache --cachevol wcv vg/root"),
    ),
    Row {
        fill: "sync; L lvcreate -y -s -L 48m -n snap vg/root",
        ..Row::lvm("lvm-snapshot", in_group!("L lvcreate -Zn -Wn -y -L 96m -n root vg"))
    },
    Row {
        host: "truncate -s 0 disk-2.raw; truncate -s 128M disk-2.raw",
        ..Row::lvm("lvm-missing", in_group!("L lvcreate -Zn -Wn -y -L 300m -n root vg"))
    }
    .refused("no-system", &["volume-not-mapped"]),
    Row {
        host: "cp --sparse=always disk-1.raw disk-4.raw",
        ..Row::lvm("lvm-duplicate", "L pvcreate -y /dev/vda; L vgcreate vg /dev/vda; L lvcreate -Zn -Wn -y -L 96m -n root vg; dmsetup mknodes; dev=/dev/mapper/vg-root")
    }
    .refused("no-system", &["physical-volume-twice"]),
    Row::md("md-raid1-0.90", &[160; 2], array!("0.90", "1")),
    Row::md("md-raid1-1.0", &[160; 2], array!("1.0", "1")),
    Row::md("md-raid1-1.1", &[160; 2], array!("1.1", "1")),
    Row::md("md-raid1", &[160; 2], array!("1.2", "1")),
    Row::md("md-raid0", &[96; 3], array!("1.2", "0")),
    Row::md("md-linear", &[96; 2], array!("1.2", "linear")),
    Row::md("md-raid4", &[96; 3], array!("1.2", "4")),
    Row::md("md-raid5", &[96; 3], array!("1.2", "5")),
    Row::md("md-raid6", &[96; 4], array!("1.2", "6")),
    Row::md("md-raid10", &[96; 4], array!("1.2", "10")),
    Row {
        host: "truncate -s 0 disk-2.raw; truncate -s 96M disk-2.raw",
        ..Row::md("md-raid5-degraded", &[96; 3], array!("1.2", "5"))
    }
    .with(&["array-degraded"]),
    Row {
        host: "truncate -s 0 disk-2.raw; truncate -s 96M disk-2.raw",
        ..Row::md("md-raid0-missing", &[96; 3], array!("1.2", "0"))
    }
    .refused("no-system", &["raid-not-assembled"]),
    Row {
        stack: "mdadm -C /dev/md0 --run -e 1.2 -l 1 -n 2 --assume-clean $all; L pvcreate -y /dev/md0; L vgcreate vg /dev/md0; L lvcreate -Zn -Wn -y -L 96m -n root vg; dmsetup mknodes; dev=/dev/mapper/vg-root",
        open: "mdadm -A --run /dev/md0 $all; L vgchange -ay vg; dmsetup mknodes; dev=/dev/mapper/vg-root",
        close: "L vgchange -an vg; mdadm --stop /dev/md0",
        modules: "md-mod raid1 dm-mod",
        spec: "/dev/mapper/vg-root",
        ..Row::md("md-lvm", &[160; 2], "")
    },
];
