//! Partition tables.

use super::row::{Row, WHOLE_DISK};

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "table-mbr-logical",
        table: Some("label: dos\n,16M,83\n,,E\n,32M,82\n,,83\n"),
        stack: "dev=/dev/vda6",
        open: "dev=/dev/vda6",
        ..Row::PLAIN
    },
    Row { name: "table-gpt", table: Some("label: gpt\n,,L\n"), ..Row::PLAIN },
    Row {
        name: "table-gpt-128",
        table: Some("label: gpt\nstart=2048,size=64M,type=L\n7:size=64M,type=S\n128:type=L\n"),
        stack: "dev=/dev/vda128",
        open: "dev=/dev/vda128",
        ..Row::PLAIN
    },
    Row {
        name: "table-gpt-broken-primary",
        // The kernel looks at the backup only if it is told to.
        open: "[ -e /dev/vda1 ] || partx -a /dev/vda; dev=/dev/vda1",
        table: Some("label: gpt\n,,L\n"),
        host: "dd if=/dev/zero of=$image bs=512 seek=1 count=1 conv=notrunc status=none",
        ..Row::PLAIN
    }
    .with(&["gpt-primary-damaged"]),
    Row {
        name: "table-gpt-broken-backup",
        table: Some("label: gpt\n,,L\n"),
        host: "dd if=/dev/zero of=$image bs=512 seek=393215 count=1 conv=notrunc status=none",
        ..Row::PLAIN
    }
    .with(&["gpt-backup-damaged"]),
    Row {
        name: "table-hybrid",
        table: Some("label: gpt\n,,L\n"),
        host: "sgdisk --hybrid=1 $image",
        ..Row::PLAIN
    },
    Row { name: "table-none", table: None, stack: "dev=/dev/vda", open: WHOLE_DISK, ..Row::PLAIN },
    Row {
        // Written on disks with sectors of 4 KiB, and copied to one of 512 bytes: the kernel sees nothing, we do.
        name: "table-gpt-4k",
        modules: "loop",
        table: None,
        stack: "dd if=/dev/zero of=/dev/vda bs=1M count=1 status=none; losetup -b 4096 -P /dev/loop0 /dev/vda; printf 'label: gpt\\n,,L\\n' | sfdisk -q /dev/loop0; partx -u /dev/loop0 || partx -a /dev/loop0; dev=/dev/loop0p1",
        open: "losetup -b 4096 -P /dev/loop0 /dev/vda; partx -u /dev/loop0 || partx -a /dev/loop0; dev=/dev/loop0p1",
        close: "losetup -d /dev/loop0",
        mkfs: "mkfs.ext4 -q -b 4096 $dev",
        ..Row::PLAIN
    },
];
