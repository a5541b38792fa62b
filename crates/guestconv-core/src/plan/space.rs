//! The room that a plan needs: in each file system of the guest, and on the host. Both are bounds from above, and known
//! before anything is written.

use super::{Plan, PlanError, PlanRoot, Step};
use crate::change::{Change, InitramfsAppend};
use crate::facts::{Facts, Mount};
use crate::layout::DeviceName;
use crate::path::GuestPath;
use std::collections::BTreeMap;

/// The block of most file systems: a file takes whole ones.
const BLOCK_BYTES: u64 = 4096;
/// What an entry, its inode and their places in journal and tables take at most.
const ENTRY_BYTES: u64 = 16 << 10;
/// The head of an archive's member, with its name and padding.
const MEMBER_BYTES: u64 = 512;
/// The generated index of modules.
const INDEX_BYTES: u64 = 256 << 10;
/// Growth below this is tried: it fits into what ext4 keeps for root, and into blocks that are there.
const TRIED_BYTES: u64 = 128 << 10;
/// What mounting and unmounting write whatever is done: journals that are replayed, superblocks, free space tables.
const MOUNT_BYTES: u64 = 8 << 20;
/// Partition tables, boot loader, ESP.
const HEAD_BYTES: u64 = 4 << 20;

/// Fails if a file system of the guest has not the room that the steps need.
///
/// # Errors
/// `no-space`: which, how much is free, how much is needed.
pub(super) fn require_room(facts: &Facts, roots: &[PlanRoot], steps: &[Step]) -> Result<(), PlanError> {
    let mut needed: BTreeMap<(&DeviceName, &GuestPath), u64> = BTreeMap::new();
    for step in steps {
        let Some(root) = roots.get(step.root) else { continue };
        for change in &step.changes {
            let mount = change.path().and_then(|path| mount_of(&root.mounts, path));
            if let Some(mount) = mount {
                *needed.entry((&mount.device, &mount.mountpoint)).or_default() += growth_bytes(change);
            }
        }
    }
    for ((device, mountpoint), needed_bytes) in needed {
        let free_bytes = facts.layout.filesystem(device).and_then(|filesystem| filesystem.free_bytes);
        let is_short = free_bytes.is_some_and(|free_bytes| needed_bytes > free_bytes.max(TRIED_BYTES));
        if let Some(free_bytes) = free_bytes.filter(|_| is_short) {
            let message = format!(
                "{mountpoint} of the guest ({device}) needs {} more and has {} free; make room there, as by removing an \
                 old kernel in the guest",
                mebibytes(needed_bytes),
                mebibytes(free_bytes)
            );
            return Err(PlanError::new("no-space", message));
        }
    }
    Ok(())
}

impl Plan {
    /// Returns how many bytes of the disks carrying out the plan writes at most.
    pub fn written_bytes(&self) -> u64 {
        let changes = self.steps.iter().flat_map(|step| &step.changes);
        let written = changes.map(|change| growth_bytes(change).saturating_add(replaced_bytes(change)));
        let roots = u64::try_from(self.roots.len()).unwrap_or(u64::MAX);
        written.fold(MOUNT_BYTES.saturating_mul(roots.max(1)), u64::saturating_add)
    }
}

/// Returns the mount that holds a path: the deepest.
fn mount_of<'a>(mounts: &'a [Mount], path: &GuestPath) -> Option<&'a Mount> {
    let holds = |mount: &&Mount| {
        let point = mount.mountpoint.as_str().trim_end_matches('/');
        path.as_str().strip_prefix(point).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    mounts.iter().filter(holds).max_by_key(|mount| mount.mountpoint.as_str().len())
}

/// Returns how much more of its file system the change takes.
fn growth_bytes(change: &Change) -> u64 {
    match change {
        Change::Write { before: Some(before), after, .. } => {
            blocks(length(after)).saturating_sub(blocks(length(before)))
        }
        Change::Write { before: None, after, .. } => blocks(length(after)) + ENTRY_BYTES,
        Change::Copy { source, .. } => blocks(source.size_bytes).saturating_add(ENTRY_BYTES),
        Change::AppendInitramfs(append) => appended_bytes(append),
        Change::LayOut(_) => 0,
        // What a program of the guest writes is not known: mostly a new initramfs beside the old one.
        Change::Run { .. } => 0,
        Change::Remove { .. } | Change::Link { .. } => 0,
    }
}

/// Returns how much of what is there the change writes anew.
fn replaced_bytes(change: &Change) -> u64 {
    match change {
        Change::Write { before: Some(before), .. } => blocks(length(before)) + ENTRY_BYTES,
        Change::LayOut(_) => HEAD_BYTES,
        Change::Run { .. } => 256 << 20,
        _ => ENTRY_BYTES,
    }
}

fn appended_bytes(append: &InitramfsAppend) -> u64 {
    let modules = append.modules.iter().map(|module| module.file.size_bytes);
    let texts = append.files.iter().map(|text| length(&text.text));
    let members = modules.chain(texts).chain(append.directories.iter().map(|_| 0));
    let members = members.map(|bytes| bytes.saturating_add(MEMBER_BYTES)).fold(0, u64::saturating_add);
    let index = if append.modules.is_empty() { 0 } else { INDEX_BYTES };
    members.saturating_add(index)
}

fn blocks(bytes: u64) -> u64 {
    bytes.checked_next_multiple_of(BLOCK_BYTES).unwrap_or(u64::MAX)
}

fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

/// Returns a size for people.
fn mebibytes(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10).div_ceil(1 << 20);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::FileHash;
    use crate::layout::{Filesystem, Layout};
    use crate::path::guest_path;

    fn facts(free: &[(&str, u64)]) -> Facts {
        let filesystem = |(device, free_bytes): &(&str, u64)| Filesystem {
            free_bytes: Some(*free_bytes),
            ..Filesystem::new(DeviceName((*device).into()), "ext4")
        };
        let layout = Layout { filesystems: free.iter().map(filesystem).collect(), ..Layout::default() };
        crate::inspect::facts(layout, Vec::new(), Vec::new())
    }

    #[test]
    fn each_file_system_needs_its_own_room() {
        let mount = |mountpoint: &'static str, device: &str| Mount {
            mountpoint: guest_path(mountpoint),
            device: DeviceName(device.into()),
            subvolume: None,
        };
        let root = PlanRoot {
            device: DeviceName("/dev/sda2".into()),
            subvolume: None,
            mounts: vec![mount("/", "/dev/sda2"), mount("/boot", "/dev/sda1")],
        };
        let copy = |to: &'static str, size_bytes| Change::Copy {
            from: guest_path("/x"),
            source: FileHash { size_bytes, blake3: String::new() },
            to: guest_path(to),
        };
        let step = Step {
            id: "a/b".into(),
            root: 0,
            why: "it is a test".into(),
            changes: vec![copy("/boot/a", 3 << 20), copy("/bootx", 1 << 20), copy("/boot/b", 1 << 20)],
        };
        let roots = [root];
        let (boot, top) = ((4 << 20) + 2 * ENTRY_BYTES, (1 << 20) + ENTRY_BYTES);
        for (free, expected) in [
            (vec![("/dev/sda1", boot), ("/dev/sda2", top)], None),
            (
                vec![("/dev/sda1", boot - 1), ("/dev/sda2", top)],
                Some("/boot of the guest (/dev/sda1) needs 4.1 MiB more and has 4.1 MiB free"),
            ),
            (
                vec![("/dev/sda1", boot), ("/dev/sda2", 0)],
                Some("/ of the guest (/dev/sda2) needs 1.1 MiB more and has 0.0 MiB free"),
            ),
            (vec![], None),
        ] {
            let advice = "; make room there, as by removing an old kernel in the guest";
            let expected = expected.map(|text| PlanError::new("no-space", format!("{text}{advice}")));
            assert_eq!(
                require_room(&facts(&free), &roots, std::slice::from_ref(&step)).err(),
                expected,
                "{free:?}"
            );
        }
    }
}
