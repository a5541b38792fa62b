//! What `/proc` says of a process and of all that it started.
//!
//! Times and bytes of a process hold those of the children that it has waited for, so they are whole when it has ended
//! and nobody has waited for it yet. Memory is gone by then: it must be looked at meanwhile.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// How many of the kernel's ticks, which `stat` counts in, make a second; it is the same on all Linux of today.
const TICKS_PER_SECOND: u64 = 100;

/// One line of the table of processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// Its number.
    pub(crate) pid: i32,
    /// Who started it, or who took it over.
    pub(crate) parent: i32,
    /// Its process group.
    group: i32,
    /// Has it ended, and nobody has waited for it yet?
    pub(crate) has_ended: bool,
    /// The processor time that it took, with the children that it has waited for.
    ticks: u64,
}

/// Bytes that went through system calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// Read: from files, pipes and sockets, from the page cache too.
    pub(crate) read_bytes: u64,
    /// Written.
    pub(crate) written_bytes: u64,
}

impl Process {
    /// Returns the process of that number; `None` if there is none (any more).
    pub(crate) fn of(pid: i32) -> Option<Process> {
        stat_in(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Has it come to `parent` from another that has gone? What `parent` starts itself is in its group or leads one.
    pub(crate) fn is_orphan_of(&self, parent: i32) -> bool {
        let own_group = Process::of(parent).map(|parent| parent.group);
        self.parent == parent && self.group != self.pid && Some(self.group) != own_group
    }

    /// Returns the processor time in seconds.
    #[expect(clippy::cast_precision_loss, reason = "ticks of years fit")]
    pub(crate) fn cpu_seconds(&self) -> f64 {
        self.ticks as f64 / TICKS_PER_SECOND as f64
    }

    /// Returns what it, and the children that it has waited for, read and wrote.
    ///
    /// # Errors
    /// If the kernel does not count it, or does not tell us.
    pub(crate) fn traffic(&self) -> Result<Traffic> {
        let path = PathBuf::from(format!("/proc/{}/io", self.pid));
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        traffic_in(&text).with_context(|| format!("{} does not say rchar and wchar", path.display()))
    }

    /// Returns the memory that it uses, in bytes: its share of each page that several use, so that the sum over
    /// processes counts a page once. `None` if it has ended meanwhile.
    pub(crate) fn memory_bytes(&self) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid)).ok()?;
        size_in(&text, "Pss:")
    }

    /// Returns the most that it has ever had in memory, in bytes, shared pages in full. `None` if it has ended meanwhile.
    pub(crate) fn highest_bytes(&self) -> Option<u64> {
        size_in(&fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?, "VmHWM:")
    }
}

/// Returns all processes of the machine.
pub(crate) fn all() -> Result<Vec<Process>> {
    let entries = fs::read_dir("/proc").context("cannot list /proc")?;
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(pids.filter_map(Process::of).collect())
}

/// Returns the memory, in bytes, that the processes have in files without a name (`memfd_create(2)`): an overlay that is
/// thrown away is one. They are written, not mapped, so that no process's own memory has them; each counts once.
pub(crate) fn files_in_memory<'a>(processes: impl Iterator<Item = &'a Process>) -> u64 {
    let mut files = BTreeMap::new();
    for process in processes {
        let Ok(descriptors) = fs::read_dir(format!("/proc/{}/fd", process.pid)) else { continue };
        for path in descriptors.flatten().map(|entry| entry.path()) {
            let is_in_memory =
                fs::read_link(&path).is_ok_and(|to| to.to_string_lossy().starts_with("/memfd:"));
            if let Some(file) = is_in_memory.then(|| fs::metadata(&path).ok()).flatten() {
                files.insert(file.ino(), file.blocks() * 512);
            }
        }
    }
    files.values().sum()
}

/// Returns those of the processes that `leader` started, directly or not, itself with them; and those of its group, whose
/// parents may have ended.
pub(crate) fn tree(all: &[Process], leader: i32) -> Vec<Process> {
    let mut found: Vec<Process> =
        all.iter().filter(|process| process.pid == leader || process.group == leader).copied().collect();
    let mut at = 0;
    while let Some(parent) = found.get(at).map(|process| process.pid) {
        for process in all.iter().filter(|process| process.parent == parent) {
            if !found.iter().any(|known| known.pid == process.pid) {
                found.push(*process);
            }
        }
        at += 1;
    }
    found
}

fn stat_in(text: &str) -> Option<Process> {
    // The name is in parentheses and may hold anything, parentheses too.
    let (start, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<i64>().ok();
    let ticks = (11..=14).map(|at| number(at).map(|value| value.max(0).unsigned_abs()));
    Some(Process {
        pid: start.split(' ').next()?.parse().ok()?,
        parent: i32::try_from(number(1)?).ok()?,
        group: i32::try_from(number(2)?).ok()?,
        has_ended: matches!(*fields.first()?, "Z" | "X"),
        ticks: ticks.sum::<Option<u64>>()?,
    })
}

fn traffic_in(text: &str) -> Option<Traffic> {
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok());
    Some(Traffic { read_bytes: value("rchar:")?, written_bytes: value("wchar:")? })
}

/// Returns the size of that name, which is in units of 1024 bytes.
fn size_in(text: &str, key: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: u64 = value.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn process(pid: i32, parent: i32, group: i32) -> Process {
        Process { pid, parent, group, has_ended: false, ticks: 0 }
    }

    #[test]
    fn a_name_may_hold_anything() {
        let text = "42 (a) Z (b) S 7 40 40 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 100 0 0\n";
        let expected = Process { pid: 42, parent: 7, group: 40, has_ended: false, ticks: 26 };
        assert_eq!(stat_in(text), Some(expected));
        assert_eq!(expected.cpu_seconds(), 0.26);
        let ended = Process { has_ended: true, ..expected };
        assert_eq!(stat_in(&text.replace(") S", ") Z")), Some(ended));
        assert_eq!(stat_in("42 (a) S 7 40"), None);
    }

    #[test]
    fn values_are_found_by_their_names() {
        let io = "rchar: 10\nwchar: 20\nsyscr: 1\nread_bytes: 7\n";
        assert_eq!(traffic_in(io), Some(Traffic { read_bytes: 10, written_bytes: 20 }));
        assert_eq!(traffic_in("wchar: 20\n"), None);
        let sizes = "Rss:    8 kB\nPss:              12 kB\nPss_Dirty:  1 kB\nVmHWM:\t  16 kB\n";
        assert_eq!((size_in(sizes, "Pss:"), size_in(sizes, "VmHWM:")), (Some(12288), Some(16384)));
        assert_eq!(size_in("Pss: much\n", "Pss:"), None);
    }

    #[test]
    fn a_tree_is_what_the_leader_started() {
        let all = [
            process(1, 0, 1),
            process(10, 1, 10),
            process(13, 12, 13),
            process(12, 10, 10),
            process(14, 1, 10),
            process(20, 1, 20),
        ];
        let mut pids: Vec<i32> = tree(&all, 10).iter().map(|process| process.pid).collect();
        pids.sort_unstable();
        assert_eq!(pids, [10, 12, 13, 14]);
        assert_eq!(tree(&all, 99), []);
    }

    #[test]
    fn a_file_in_memory_counts_once() {
        let own = Process::of(i32::try_from(std::process::id()).unwrap()).unwrap();
        let before = files_in_memory([own].iter());
        let file = rustix::fs::memfd_create("counted", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        let file = fs::File::from(file);
        std::io::Write::write_all(&mut &file, &[1; 1 << 20]).unwrap();
        let _again = file.try_clone().unwrap();
        assert_eq!(files_in_memory([own, own].iter()) - before, 1 << 20);
    }

    #[test]
    fn our_own_process_is_there_and_has_memory() {
        let own = i32::try_from(std::process::id()).unwrap();
        let found = all().unwrap().into_iter().find(|process| process.pid == own).unwrap();
        assert!(!found.has_ended);
        assert!(found.memory_bytes().unwrap() > 1 << 20, "{:?}", found.memory_bytes());
        assert!(found.highest_bytes().unwrap() > 1 << 20, "{:?}", found.highest_bytes());
        assert!(found.traffic().unwrap().read_bytes > 0);
    }
}
