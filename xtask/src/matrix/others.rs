//! Roots of other file systems, and file systems that only hold data.

use super::row::Row;

/// A root in the first partition, and something else in the second.
const BESIDE: Row = Row {
    modules: "vfat nls_cp437 nls_ascii nls_iso8859-1 nls_utf8",
    disks: &[320],
    table: Some("label: gpt\n,192M,L\n,,L\n"),
    ..Row::PLAIN
};

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "f2fs",
        modules: "crc32_generic f2fs",
        disks: &[384],
        mkfs: "mkfs.f2fs -q -f $dev",
        check: "fsck.f2fs --dry-run $dev",
        ..Row::PLAIN
    },
    Row {
        name: "f2fs-features",
        modules: "crc32_generic f2fs lzo_rle zstd",
        disks: &[384],
        mkfs: "mkfs.f2fs -q -f -O extra_attr,inode_checksum,sb_checksum,inode_crtime,flexible_inline_xattr,project_quota,compression $dev",
        check: "fsck.f2fs --dry-run $dev",
        ..Row::PLAIN
    },
    Row { name: "jfs", mkfs: "mkfs.jfs -q $dev", check: "jfs_fsck -n $dev", ..Row::PLAIN },
    Row {
        name: "nilfs2",
        modules: "nilfs2",
        disks: &[384],
        mkfs: "mkfs.nilfs2 -q $dev",
        check: "nilfs-tune -l $dev",
        ..Row::PLAIN
    },
    Row {
        name: "reiserfs",
        mkfs: "mkfs.reiserfs -q -f $dev",
        check: "reiserfsck --check -y $dev",
        ..Row::PLAIN
    }
    .refused("no-system", &["filesystem-not-mounted"]),
    Row {
        name: "boot-vfat",
        fill: "mkfs.vfat -F 32 -n ESP /dev/vda2; mkdir -p $root/boot/efi; mount /dev/vda2 $root/boot/efi; echo efi > $root/boot/efi/file; umount $root/boot/efi; echo \"UUID=$(blkid -p -o value -s UUID /dev/vda2) /boot/efi vfat umask=0077 0 1\" >> $root/etc/fstab",
        check: "e2fsck -fn $dev && fsck.vfat -n /dev/vda2",
        ..BESIDE
    },
    Row {
        name: "data-exfat",
        fill: "mkfs.exfat /dev/vda2; echo '/dev/sda2 /data exfat defaults 0 0' >> $root/etc/fstab",
        check: "e2fsck -fn $dev && fsck.exfat -n /dev/vda2",
        ..BESIDE
    },
    Row {
        name: "data-ntfs",
        fill: "mkfs.ntfs -Q -F /dev/vda2; echo '/dev/sda2 /data ntfs defaults 0 0' >> $root/etc/fstab",
        check: "e2fsck -fn $dev && ntfsfix -n /dev/vda2",
        ..BESIDE
    },
    Row {
        name: "swap",
        fill: "mkswap /dev/vda2; echo '/dev/sda2 none swap sw 0 0' >> $root/etc/fstab",
        ..BESIDE
    },
    Row {
        name: "data-squashfs",
        fill: "mksquashfs $root/etc /tmp/image -quiet -comp xz; cat /tmp/image > /dev/vda2",
        ..BESIDE
    },
    Row {
        name: "data-erofs",
        fill: "mkfs.erofs -zlz4hc /tmp/image $root/etc; cat /tmp/image > /dev/vda2",
        ..BESIDE
    },
    Row {
        name: "data-iso9660",
        fill: "genisoimage -quiet -R -o /tmp/image $root/etc; cat /tmp/image > /dev/vda2",
        ..BESIDE
    },
    Row { name: "data-udf", fill: "mkfs.udf --utf8 /dev/vda2", ..BESIDE },
];
