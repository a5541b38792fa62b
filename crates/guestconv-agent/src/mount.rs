//! Mounting: file systems at places of our own, and those of a root at their places inside it.
//!
//! Inspection mounts read-only: what is written then is a journal's replay alone, in a throw-away overlay.

use crate::kmsg;
use crate::layout::Scan;
use crate::sign;
use crate::tree::{RootTree, by_descriptor};
use guestconv_core::facts::Mount;
use guestconv_core::layout::{DeviceName, Layout};
use guestconv_core::path::GuestPath;
use rustix::fs::OFlags;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::ffi::CString;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Whether what is mounted can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Only read.
    Read,
    /// Read and written.
    Write,
}

/// What is mounted by us; unmounted in reverse order.
#[derive(Debug)]
pub(crate) struct Mounted {
    access: Access,
    places: Vec<PathBuf>,
    made: usize,
    /// How many bytes are free on what was mounted.
    free_bytes: Vec<(DeviceName, u64)>,
    /// The lines of the kernel's log about what it refused to mount.
    refused: Vec<Range<usize>>,
}

/// Returns whether a file system of that kind can be a root.
pub(crate) fn can_be_root(kind: &str) -> bool {
    matches!(kind, "ext2" | "ext3" | "ext4" | "xfs" | "btrfs" | "jfs" | "f2fs" | "nilfs2")
}

impl Mounted {
    /// Returns that nothing is mounted yet.
    pub(crate) fn nothing(access: Access) -> Self {
        Self { access, places: Vec::new(), made: 0, free_bytes: Vec::new(), refused: Vec::new() }
    }

    /// Mounts a file system at a place of ours; returns the place. `options` are those of the file system.
    pub(crate) fn apart(&mut self, scan: &Scan, mount: &Mount, options: Option<&str>) -> io::Result<PathBuf> {
        let place = PathBuf::from(format!("/run/guest/{}", self.made));
        fs::create_dir_all(&place)?;
        self.made += 1;
        self.at(scan, mount, options, &place)?;
        self.mounted(mount, place.clone());
        Ok(place)
    }

    /// Mounts a file system at its place in a root that is mounted at `root`.
    pub(crate) fn inside(&mut self, scan: &Scan, root: &Path, mount: &Mount) -> io::Result<()> {
        let tree = RootTree::at(root)?;
        let missing = || io::Error::other(format!("{} is no directory", mount.mountpoint));
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let directory = tree.resolved(&mount.mountpoint, flags)?.ok_or_else(missing)?;
        let place = fs::read_link(by_descriptor(&directory))?;
        self.at(scan, mount, None, Path::new(&by_descriptor(&directory)))?;
        self.mounted(mount, place);
        Ok(())
    }

    fn mounted(&mut self, mount: &Mount, place: PathBuf) {
        // A file system that does not say how much is free is not asked to have room.
        if let Ok(space) = rustix::fs::statvfs(&place) {
            let free_bytes = space.f_bavail.saturating_mul(space.f_frsize);
            self.free_bytes.push((mount.device.clone(), free_bytes));
        }
        self.places.push(place);
    }

    /// Writes down how much is free on what was mounted so far.
    pub(crate) fn tell_free(&self, layout: &mut Layout) {
        for filesystem in &mut layout.filesystems {
            let found = self.free_bytes.iter().find(|(device, _)| *device == filesystem.device);
            filesystem.free_bytes = found.map(|(_, free_bytes)| *free_bytes);
        }
    }

    fn at(&mut self, scan: &Scan, what: &Mount, options: Option<&str>, place: &Path) -> io::Result<()> {
        let node =
            scan.devices.node(&what.device).ok_or_else(|| io::Error::other("there is no such device"))?;
        let filesystem = scan.layout.filesystem(&what.device);
        let kind = filesystem.map(|filesystem| filesystem.kind.as_str());
        let kind = kind.ok_or_else(|| io::Error::other("there is no file system on it"))?;
        let subvolume = what.subvolume.as_ref().map(|subvolume| format!("subvol={subvolume}"));
        let own = match kind {
            "vfat" => Some("utf8=1,shortname=mixed".to_owned()),
            "xfs" => Some("nouuid".to_owned()),
            "btrfs" => Some(devices_of(scan, &what.device)),
            _ => None,
        };
        let all = [subvolume, own, options.map(str::to_owned)].into_iter().flatten();
        let all: Vec<String> = all.filter(|option| !option.is_empty()).collect();
        let all = CString::new(all.join(",")).map_err(io::Error::other)?;
        sign::looking_at(&format!("mounting {} as {kind}", what.device));
        let read_only = if self.access == Access::Read { MountFlags::RDONLY } else { MountFlags::empty() };
        let flags =
            MountFlags::NODEV | MountFlags::NOSUID | MountFlags::NOEXEC | MountFlags::NOATIME | read_only;
        let before = kmsg::count();
        mount(node, place, kind, flags, Some(all.as_c_str())).map_err(|error| {
            let error = io::Error::from(error);
            let words = kmsg::last_words(before, &WORDS);
            self.refused.push(before..kmsg::lines().len());
            io::Error::new(error.kind(), format!("{error}{words}{}", repair(kind, &error)))
        })
    }

    /// Unmounts all that was mounted after `keep` mounts.
    ///
    /// # Errors
    /// The first that cannot be unmounted: what was written there may not be on the disk.
    pub(crate) fn unmount(&mut self, keep: usize) -> io::Result<()> {
        while self.places.len() > keep {
            let Some(place) = self.places.last() else { break };
            unmount(place, UnmountFlags::empty())
                .map_err(|error| io::Error::other(format!("cannot unmount {}: {error}", place.display())))?;
            self.places.pop();
        }
        Ok(())
    }

    /// Returns the lines of the kernel's log about what it refused to mount.
    pub(crate) fn refused(&self) -> &[Range<usize>] {
        &self.refused
    }

    /// Returns how many are mounted.
    pub(crate) fn count(&self) -> usize {
        self.places.len()
    }
}

/// What the kernel's messages about file systems begin with.
const WORDS: [&str; 9] =
    ["EXT4-fs", "EXT3-fs", "EXT2-fs", "XFS", "BTRFS", "F2FS-fs", "JFS", "FAT-fs", "NILFS"];

/// Returns the command that mends a file system of that kind.
pub(crate) fn repair_command(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "ext2" | "ext3" | "ext4" => "e2fsck -f",
        "xfs" => "xfs_repair",
        "btrfs" => "btrfs check",
        "f2fs" => "fsck.f2fs",
        "jfs" => "jfs_fsck -f",
        "vfat" => "fsck.fat",
        _ => return None,
    })
}

/// Returns what to do about a file system that the kernel refuses.
fn repair(kind: &str, error: &io::Error) -> String {
    let Some(command) = repair_command(kind) else { return String::new() };
    let has_reason = error.raw_os_error().map(rustix::io::Errno::from_raw_os_error);
    let is_damage = matches!(
        has_reason,
        Some(
            rustix::io::Errno::UCLEAN
                | rustix::io::Errno::INVAL
                | rustix::io::Errno::IO
                | rustix::io::Errno::BADMSG
        )
    );
    if is_damage { format!("; if it is damaged, {command} may mend it") } else { String::new() }
}

/// Returns the options that name the other devices of a btrfs, which share its UUID: udev would have told the kernel of them.
fn devices_of(scan: &Scan, device: &DeviceName) -> String {
    let others = scan.layout.same_btrfs(device).into_iter().filter(|other| *other != device);
    let nodes = others.filter_map(|other| scan.devices.node(other));
    nodes.map(|node| format!("device={}", node.display())).collect::<Vec<_>>().join(",")
}

/// Returns the mount of a whole file system.
pub(crate) fn whole(device: &DeviceName, subvolume: Option<&str>) -> Mount {
    Mount { mountpoint: GuestPath::root(), device: device.clone(), subvolume: subvolume.map(str::to_owned) }
}
