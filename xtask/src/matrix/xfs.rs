//! XFS as the releases of RHEL, SUSE and Debian made it.

use super::row::{DIRTY_AGAIN, Row};

pub(super) const ROWS: &[Row] = &[
    Row::xfs("xfs", "mkfs.xfs -q $dev"),
    Row::xfs("xfs-rhel6", "mkfs.xfs -q -m crc=0,finobt=0 -n ftype=0 -l lazy-count=0 $dev"),
    Row::xfs("xfs-rhel7-first", "mkfs.xfs -q -m crc=0,finobt=0 -n ftype=0 $dev"),
    Row::xfs("xfs-rhel7", "mkfs.xfs -q -m crc=1,finobt=0,reflink=0,rmapbt=0,bigtime=0,inobtcount=0 -n ftype=1 $dev"),
    Row::xfs("xfs-rhel8", "mkfs.xfs -q -m reflink=1,bigtime=0,inobtcount=0 $dev"),
    Row::xfs("xfs-bigtime", "mkfs.xfs -q -m bigtime=1,inobtcount=1,reflink=1 $dev"),
    Row::xfs("xfs-rmap", "mkfs.xfs -q -m rmapbt=1 $dev"),
    Row::xfs("xfs-nrext64", "mkfs.xfs -q -i nrext64=1 $dev"),
    Row::xfs("xfs-1k", "mkfs.xfs -q -b size=1024 $dev"),
    Row::xfs("xfs-64k-directories", "mkfs.xfs -q -n size=65536 $dev"),
    Row::xfs("xfs-4k-sectors", "mkfs.xfs -q -s size=4096 $dev"),
    Row::xfs("xfs-inodes-2k", "mkfs.xfs -q -i size=2048,maxpct=50 $dev"),
    Row { options: "-o prjquota,uquota", ..Row::xfs("xfs-project", "mkfs.xfs -q $dev") },
    Row {
        fill: "sync; echo late > $root/home/user/late; sync -f $root/home/user/late; dd if=/dev/vda1 iflag=direct bs=1M status=none | gzip -1 > /tmp/dirty",
        close: DIRTY_AGAIN,
        ..Row::xfs("xfs-dirty", "mkfs.xfs -q $dev")
    }
    .with(&["journal-replayed"]),
    Row {
        disks: &[384, 96],
        table: None,
        stack: "dev=/dev/vda",
        open: "dev=/dev/vda",
        options: "-o logdev=/dev/vdb",
        ..Row::xfs("xfs-external-log", "mkfs.xfs -q -l logdev=/dev/vdb $dev")
    }
    .refused("no-system", &["filesystem-not-mounted"]),
];
