//! A row of the matrix as data: what lies on the disks, how it is made, opened and checked, and what must come of it.

/// Ends a row with the disk as `/tmp/dirty` has it; the first call is before the listing, which replays the journal.
pub(super) const DIRTY_AGAIN: &str =
    "[ ! -e /tmp/once ] || gzip -dc < /tmp/dirty > /dev/vda1; if [ -e /tmp/dirty ]; then : > /tmp/once; fi";

/// Opens a file system on a whole disk, which has a partition table once it is converted.
pub(super) const WHOLE_DISK: &str = "dev=/dev/vda; [ ! -e /dev/vda1 ] || dev=/dev/vda1";

/// One set of disks with a small system on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// Its name: `KIND-WHAT`.
    pub(super) name: &'static str,
    /// The size of each disk, in MiB.
    pub(super) disks: &'static [u64],
    /// What `sfdisk` makes of every disk, on the host; without it the disks have no partition table.
    pub(super) table: Option<&'static str>,
    /// The modules of Debian's User Mode Linux that it needs.
    pub(super) modules: &'static str,
    /// A shell script that makes what lies between disk and file system, and sets `dev` to the device of the root.
    pub(super) stack: &'static str,
    /// A shell script that finds it again after a start, and sets `dev`.
    pub(super) open: &'static str,
    /// A shell script that ends it, with all unmounted.
    pub(super) close: &'static str,
    /// The command that makes the file system on `$dev`.
    pub(super) mkfs: &'static str,
    /// Options of the mount that fills it.
    pub(super) options: &'static str,
    /// A shell script that runs once the tree is there, in `$root`.
    pub(super) fill: &'static str,
    /// The command that judges `$dev`, unmounted and not written to.
    pub(super) check: &'static str,
    /// How `/etc/fstab` names the root; empty: by its UUID.
    pub(super) spec: &'static str,
    /// A script on the host over the finished disk `$image`.
    pub(super) host: &'static str,
    /// The format that the first disk is turned into, with the options of `qemu-img convert`; empty: it stays raw.
    pub(super) image: &'static str,
    /// The argument of `--key`.
    pub(super) key: Option<&'static str>,
    /// What must come of it.
    pub(super) expect: Expect,
}

/// What must come of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    /// It is converted, and these codes are among the findings.
    Converted(&'static [&'static str]),
    /// It is converted into a new image.
    Copied,
    /// It is refused with this code; these codes are among the findings of the inspection.
    Refused(&'static str, &'static [&'static str]),
}

impl Row {
    /// An ext4 on the only partition of a disk.
    pub(super) const PLAIN: Self = Self {
        name: "",
        disks: &[192],
        table: Some("label: dos\n,,83,*\n"),
        modules: "",
        stack: "dev=/dev/vda1",
        open: "dev=/dev/vda1",
        close: "",
        mkfs: "mkfs.ext4 -q $dev",
        options: "",
        fill: "",
        check: "e2fsck -fn $dev",
        spec: "",
        host: "",
        image: "",
        key: None,
        expect: Expect::Converted(&[]),
    };

    /// Returns an ext family's file system on the only partition.
    pub(super) const fn ext(name: &'static str, mkfs: &'static str) -> Self {
        Self { name, mkfs, ..Self::PLAIN }
    }

    /// Returns an XFS on the only partition.
    pub(super) const fn xfs(name: &'static str, mkfs: &'static str) -> Self {
        Self { name, mkfs, disks: &[384], check: "xfs_repair -n $dev", ..Self::PLAIN }
    }

    /// Returns a btrfs on the only partition.
    pub(super) const fn btrfs(name: &'static str, mkfs: &'static str) -> Self {
        Self { name, mkfs, disks: &[384], check: "btrfs check --readonly $dev", ..Self::PLAIN }
    }

    /// Returns a volume of LVM that `lvcreate` makes on four disks: `root` in the group `vg`.
    pub(super) const fn lvm(name: &'static str, stack: &'static str) -> Self {
        Self {
            name,
            stack,
            disks: &[128, 128, 128, 128],
            modules: "dm-mod dm-raid raid0 raid1 raid10 raid456 dm-mirror dm-snapshot dm-thin-pool dm-cache dm-cache-smq dm-writecache",
            table: None,
            open: "L vgchange -ay vg; dmsetup mknodes; dev=/dev/mapper/vg-root",
            close: "L vgchange -an vg",
            spec: "/dev/mapper/vg-root",
            ..Self::PLAIN
        }
    }

    /// Returns an array of md, `/dev/md0`, of all disks.
    pub(super) const fn md(name: &'static str, disks: &'static [u64], stack: &'static str) -> Self {
        Self {
            name,
            disks,
            stack,
            table: None,
            modules: "md-mod raid0 raid1 raid10 raid456 linear",
            open: "mdadm -A --readonly --run /dev/md0 $(for disk in $all; do mdadm -E $disk > /dev/null 2>&1 && echo $disk; done); dev=/dev/md0",
            close: "mdadm --stop /dev/md0",
            ..Self::PLAIN
        }
    }

    /// Returns what is refused with a code.
    pub(super) const fn refused(mut self, code: &'static str, findings: &'static [&'static str]) -> Self {
        self.expect = Expect::Refused(code, findings);
        self
    }

    /// Returns what is converted with findings.
    pub(super) const fn with(mut self, findings: &'static [&'static str]) -> Self {
        self.expect = Expect::Converted(findings);
        self
    }
}
