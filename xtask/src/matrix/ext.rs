//! ext2, ext3 and ext4, with every set of features that an mkfs of a distribution chose, and the odd ones.

use super::row::{DIRTY_AGAIN, Expect, Row};

pub(super) const ROWS: &[Row] = &[
    Row::ext("ext2", "mkfs.ext2 -q $dev"),
    Row::ext("ext2-rev0", "mkfs.ext2 -q -r 0 -O none -I 128 $dev"),
    Row::ext("ext3", "mkfs.ext3 -q $dev"),
    Row::ext("ext3-rhel5", "mkfs.ext3 -q -I 128 -O none,has_journal,ext_attr,resize_inode,dir_index,filetype,sparse_super,large_file $dev"),
    Row::ext("ext4", "mkfs.ext4 -q $dev"),
    Row::ext(
        "ext4-rhel6",
        "mkfs.ext4 -q -O none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,flex_bg,sparse_super,large_file,huge_file,uninit_bg,dir_nlink,extra_isize $dev",
    ),
    Row::ext(
        "ext4-sles12",
        "mkfs.ext4 -q -O none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,uninit_bg,dir_nlink,extra_isize $dev",
    ),
    Row::ext("ext4-1k", "mkfs.ext4 -q -b 1024 $dev"),
    Row::ext("ext4-2k", "mkfs.ext4 -q -b 2048 $dev"),
    Row::ext("ext4-bigalloc", "mkfs.ext4 -q -O bigalloc -C 16384 $dev"),
    Row::ext("ext4-inline-data", "mkfs.ext4 -q -I 1024 -O inline_data $dev"),
    Row::ext("ext4-ea-inode", "mkfs.ext4 -q -O ea_inode $dev"),
    Row::ext("ext4-csum-seed", "mkfs.ext4 -q -O metadata_csum_seed,orphan_file $dev"),
    Row { modules: "quota_tree quota_v2", options: "-o prjquota", ..Row::ext("ext4-project", "mkfs.ext4 -q -O quota,project -E quotatype=prjquota:usrquota:grpquota $dev") },
    Row::ext("ext4-large-dir", "mkfs.ext4 -q -O large_dir,sparse_super2,stable_inodes $dev"),
    Row::ext("ext4-mmp", "mkfs.ext4 -q -O mmp $dev"),
    Row::ext("ext4-no-journal", "mkfs.ext4 -q -O ^has_journal $dev"),
    Row::ext("ext4-meta-bg", "mkfs.ext4 -q -O meta_bg,^resize_inode $dev"),
    Row::ext("ext4-data-journal", "mkfs.ext4 -q $dev; tune2fs -o journal_data,acl,user_xattr $dev"),
    Row {
        // The journal has what the disk has not.
        fill: "sync; mount -o remount,commit=300 $root; echo late > $root/home/user/late; sync -f $root/home/user/late; dd if=/dev/vda1 iflag=direct bs=1M status=none | gzip -1 > /tmp/dirty",
        close: DIRTY_AGAIN,
        ..Row::ext("ext4-dirty", "mkfs.ext4 -q $dev")
    }
    .with(&["journal-replayed"]),
    Row {
        disks: &[192, 32],
        table: None,
        stack: "dev=/dev/vda; mke2fs -q -O journal_dev /dev/vdb",
        open: "dev=/dev/vda",
        ..Row::ext("ext4-external-journal", "mkfs.ext4 -q -J device=/dev/vdb $dev")
    }
    .refused("no-system", &["filesystem-not-mounted"]),
    Row {
        host: "debugfs -w -R 'feature FEATURE_I29' $image?offset=1048576",
        ..Row::ext("ext4-newer", "mkfs.ext4 -q $dev")
    }
    .refused("no-system", &["filesystem-not-mounted"]),
    Row {
        // The inode of the root directory.
        host: "debugfs -w -R 'clri <2>' $image?offset=1048576",
        ..Row::ext("ext4-no-root", "mkfs.ext4 -q $dev")
    }
    .refused("no-system", &["filesystem-not-mounted"]),
    Row {
        // A block of a directory.
        host: "block=$(debugfs -R 'blocks /boot' $image?offset=1048576 2>/dev/null); printf '\\000\\000' | dd of=$image bs=1 seek=$((1048576 + block * 4096 + 4)) conv=notrunc status=none",
        ..Row::ext("ext4-damaged", "mkfs.ext4 -q -b 4096 -O ^metadata_csum $dev")
    }
    .refused("filesystem-damaged", &["filesystem-damaged"]),
    Row {
        fill: "cat /dev/zero > $root/home/user/full 2>/dev/null || true",
        ..Row::ext("ext4-full", "mkfs.ext4 -q -m 0 $dev")
    }
    .refused("no-space", &[]),
    Row { expect: Expect::Converted(&[]), disks: &[4096], ..Row::ext("ext4-4-gib", "mkfs.ext4 -q $dev") },
];
