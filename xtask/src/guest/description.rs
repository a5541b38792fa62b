//! What a guest is: `guests/NAME.toml`.

use serde::Deserialize;

/// A guest's description.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Description {
    /// What is particular about it, one sentence.
    #[expect(dead_code, reason = "for the reader of the file; required so that each file has it")]
    pub(super) about: String,
    /// The guest whose root tree this one has: then there is none of its own, from `suite` to `tree`, and what differs is
    /// done by `install`.
    #[serde(default)]
    pub(super) tree_of: Option<String>,
    /// The Debian release.
    #[serde(default)]
    pub(super) suite: String,
    /// Debian's name of its architecture.
    #[serde(default = "amd64")]
    pub(super) arch: String,
    /// The packages beside the smallest system.
    #[serde(default)]
    pub(super) packages: Vec<String>,
    /// Globs of files that the packages do not install: hooks that would run while they are set up, and fail there.
    #[serde(default)]
    pub(super) excluded: Vec<String>,
    /// Files of the root tree, written before the packages' settings are made final.
    #[serde(default)]
    pub(super) files: Vec<File>,
    /// Shell script that runs in the finished root tree, as its root: initramfs, passwords.
    #[serde(default)]
    pub(super) tree: String,
    /// Size of the disk in MiB.
    pub(super) size_mib: u64,
    /// The partition table, as sfdisk reads it; `None`: the disk has none.
    #[serde(default)]
    pub(super) table: Option<String>,
    /// The disks after the first: `/dev/vdb` and on.
    #[serde(default)]
    pub(super) disks: Vec<Disk>,
    /// Shell script that makes the file systems of `/dev/vda` and mounts them at `$root`; runs with the host's programs, and
    /// has the root tree as `$tar`.
    pub(super) format: String,
    /// Shell script that runs in the unpacked root with `/dev`, `/proc` and `/sys`: the boot loader.
    pub(super) install: String,
    /// Shell script that runs on the host at the end, with the disk's image as `$image`, the root tree as `$tar` and an
    /// empty directory as its own: for what User Mode Linux cannot run, 32-bit programs.
    #[serde(default)]
    pub(super) host: Option<String>,
}

/// A disk after the first.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Disk {
    /// Its size in MiB.
    pub(super) size_mib: u64,
    /// The partition table, as sfdisk reads it; `None`: it has none.
    #[serde(default)]
    pub(super) table: Option<String>,
}

/// A file of the root tree.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// Where, absolute.
    pub(super) path: String,
    /// What it holds.
    pub(super) text: String,
    /// Its permission bits, octal; 644 if not given.
    #[serde(default = "mode")]
    pub(super) mode: String,
}

impl Description {
    /// Is it for another architecture than User Mode Linux has?
    pub(super) fn is_foreign(&self) -> bool {
        self.arch != "amd64"
    }

    /// Returns size in MiB and partition table of each disk.
    pub(super) fn all_disks(&self) -> impl Iterator<Item = (u64, Option<&str>)> {
        let first = (self.size_mib, self.table.as_deref());
        std::iter::once(first).chain(self.disks.iter().map(|disk| (disk.size_mib, disk.table.as_deref())))
    }
}

fn amd64() -> String {
    "amd64".to_owned()
}

fn mode() -> String {
    "644".to_owned()
}
