//! The manifest: a line for every file of every file system. What it does not say (times) may differ.

use crate::clock::Clock;
use crate::layout;
use crate::mount::{Access, Mounted, can_be_root, whole};
use crate::start::failure;
use crate::tree::{RootTree, by_descriptor, kind_of};
use guestconv_core::path::GuestPath;
use guestconv_core::protocol::SlotKey;
use guestconv_core::report::Failure;
use guestconv_core::text::visible;
use guestconv_core::tree::{FileKind, GuestTree, hash, hex};
use rustix::fs::{OFlags, fstat, getxattr, listxattr};
use std::io;

/// Returns the lines, in the order of devices and names.
pub(crate) fn lines(disks: &[String], keys: &[SlotKey], clock: &mut Clock) -> Result<Vec<String>, Failure> {
    let scan = layout::scan(disks, keys)?;
    let mut mounted = Mounted::nothing(Access::Read);
    let mut lines = Vec::new();
    for filesystem in &scan.layout.filesystems {
        if !can_be_root(&filesystem.kind) && filesystem.kind != "vfat" {
            continue;
        }
        let top = (filesystem.kind == "btrfs").then_some("subvolid=5");
        let device = &filesystem.device;
        // A btrfs over several devices is found on each.
        if scan.layout.same_btrfs(device).first().is_some_and(|first| *first != device) {
            continue;
        }
        let result = mounted
            .apart(&scan, &whole(device, None), top)
            .and_then(|place| walk(&RootTree::at(&place)?, &device.0, &mut lines));
        result.map_err(|error| failure("manifest-failed", format!("{device} of the guest: {error}")))?;
        clock.ended(format!("manifest {device}"));
    }
    // Nothing is unmounted or closed: it was only read, and the machine is gone as soon as it has answered.
    Ok(lines)
}

fn walk(tree: &RootTree, device: &str, lines: &mut Vec<String>) -> io::Result<()> {
    let mut todo = vec![GuestPath::root()];
    while let Some(path) = todo.pop() {
        let Some(file) = tree.resolved(&path, OFlags::PATH | OFlags::NOFOLLOW)? else { continue };
        let stat = fstat(&file)?;
        let (kind, content) = match kind_of(&stat) {
            FileKind::Directory => {
                let names = tree.list(&path).map_err(io::Error::other)?;
                todo.extend(names.iter().rev().map(|name| path.join(name)));
                ("directory", String::new())
            }
            FileKind::Link => ("link", tree.read_link(&path).map_err(io::Error::other)?.unwrap_or_default()),
            FileKind::File => {
                let hash = hash(tree, &path).map_err(io::Error::other)?;
                ("file", hash.map(|hash| format!("{} {}", hash.size_bytes, hash.blake3)).unwrap_or_default())
            }
            FileKind::Other => ("other", format!("{}", stat.st_rdev)),
        };
        let attributes = attributes(&by_descriptor(&file))?;
        let (mode, user, group) = (stat.st_mode & 0o7777, stat.st_uid, stat.st_gid);
        let path = visible(path.as_str());
        lines.push(format!("{device} {path} {kind} {mode:04o} {user} {group} {content:?} {attributes}"));
    }
    Ok(())
}

fn attributes(file: &str) -> io::Result<String> {
    let mut names = vec![0; 64 << 10];
    let length = match listxattr(file, &mut names) {
        Ok(length) => length,
        Err(rustix::io::Errno::OPNOTSUPP) => return Ok(String::new()),
        Err(error) => return Err(error.into()),
    };
    names.truncate(length);
    let mut all = Vec::new();
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 64 << 10];
        let length = getxattr(file, name, &mut value)?;
        let value = hex(value.get(..length).unwrap_or_default());
        all.push(format!("{}={value}", String::from_utf8_lossy(name)));
    }
    all.sort();
    Ok(all.join(","))
}
