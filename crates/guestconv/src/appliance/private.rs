//! The private directory of one run: the appliance's memory file, its sockets, its own small files. Removed afterwards;
//! what a killed process left is removed by the next run.

use crate::error::{Error, Result};
use rustix::fs::{StatVfsMountFlags, statvfs};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

const PREFIX: &str = "guestconv-run-";
/// A directory is made under this prefix and gets its own when it is locked: so others never see one that is in use and
/// not locked yet.
const NEW_PREFIX: &str = "guestconv-new-";
/// How old an unfinished directory must be to have been left by a process that was killed.
const LEFT_AFTER: Duration = Duration::from_secs(3600);
/// Held while the directory is in use.
const LOCK_FILE: &str = "lock";

/// A private directory; removed when this goes.
pub(crate) struct PrivateDir {
    path: PathBuf,
    _lock: File,
}

impl PrivateDir {
    /// Returns a new private directory, in memory if the host has room for `memory_bytes` there.
    pub(crate) fn new(memory_bytes: u64) -> Result<Self> {
        let place = place(memory_bytes);
        sweep(&place);
        let failed =
            |error| Error::io("private-directory-failed", format_args!("use {}", place.display()), error);
        let dir = tempfile::Builder::new()
            .prefix(&format!("{NEW_PREFIX}{}-", std::process::id()))
            .tempdir_in(&place)
            .map_err(failed)?;
        let lock = File::create(dir.path().join(LOCK_FILE)).map_err(failed)?;
        lock.try_lock().map_err(|error| failed(error.into()))?;
        DirBuilder::new().mode(0o700).create(dir.path().join("uml")).map_err(failed)?;
        let name =
            dir.path().file_name().unwrap_or_default().to_string_lossy().replacen(NEW_PREFIX, PREFIX, 1);
        let path = place.join(name);
        fs::rename(dir.path(), &path).map_err(failed)?;
        // It has gone from where it was made: what is removed later is removed here.
        let _ = dir.keep();
        Ok(Self { path, _lock: lock })
    }

    /// Returns its path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PrivateDir {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next run.
        drop(fs::remove_dir_all(&self.path));
    }
}

/// The appliance's memory is a file that is mapped with the right to execute: best on a tmpfs without `noexec`.
fn place(memory_bytes: u64) -> PathBuf {
    let shared = Path::new("/dev/shm");
    let is_good = statvfs(shared).is_ok_and(|there| {
        let free_bytes = there.f_bavail.saturating_mul(there.f_frsize);
        !there.f_flag.contains(StatVfsMountFlags::NOEXEC) && free_bytes > memory_bytes.saturating_mul(2)
    });
    let is_ours = rustix::fs::access(shared, rustix::fs::Access::WRITE_OK).is_ok();
    if is_good && is_ours { shared.to_owned() } else { std::env::temp_dir() }
}

/// Removes the private directories of processes that were killed. Failing to is no reason to fail.
fn sweep(place: &Path) {
    let Ok(entries) = fs::read_dir(place) else { return };
    let names = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    for path in names.map(|entry| entry.path()) {
        drop(remove_if_dead(&path));
    }
    let Ok(entries) = fs::read_dir(place) else { return };
    let new = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(NEW_PREFIX));
    for path in new.map(|entry| entry.path()) {
        drop(remove_if_left(&path));
    }
}

/// Removes a directory of ours that was never finished: that takes no time, so an old one is nobody's.
fn remove_if_left(path: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    let is_ours = metadata.uid() == rustix::process::geteuid().as_raw();
    let is_old = metadata.modified()?.elapsed().is_ok_and(|age| age > LEFT_AFTER);
    if is_ours && is_old { fs::remove_dir_all(path) } else { Ok(()) }
}

fn remove_if_dead(path: &Path) -> io::Result<()> {
    let is_ours = fs::symlink_metadata(path)?.uid() == rustix::process::geteuid().as_raw();
    if is_ours && File::open(path.join(LOCK_FILE))?.try_lock().is_ok() {
        fs::remove_dir_all(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_process_left_is_removed_and_what_lives_is_not() {
        let place = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let dir = place.path().join(format!("{PREFIX}{name}"));
            fs::create_dir(&dir).unwrap();
            File::create(dir.join(LOCK_FILE)).unwrap()
        };
        drop(make("dead"));
        let alive = make("alive");
        alive.try_lock().unwrap();
        fs::create_dir(place.path().join("guestconv-run-new")).unwrap();
        fs::create_dir(place.path().join("other")).unwrap();
        for (name, age) in [("guestconv-new-left", LEFT_AFTER * 2), ("guestconv-new-young", LEFT_AFTER / 2)] {
            fs::create_dir(place.path().join(name)).unwrap();
            let dir = File::open(place.path().join(name)).unwrap();
            dir.set_modified(std::time::SystemTime::now() - age).unwrap();
        }
        sweep(place.path());
        let mut left: Vec<_> = fs::read_dir(place.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["guestconv-new-young", "guestconv-run-alive", "guestconv-run-new", "other"]);
    }
}
