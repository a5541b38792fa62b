//! What took long to make: kernels, agents, guests. Kept outside the checkout, named by the hash of what went in.
//!
//! `$GUESTCONV_CACHE` or `~/.cache/guestconv` holds `KIND/HASH/`, an entry, and beside it `HASH.lock`. An entry is made
//! in `HASH.building/` and renamed when it is whole, so an entry that is there is whole. The lock is held while it is
//! made: who else wants it waits and then finds it. An entry is never changed; whoever wants to write copies it.

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::env;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// How many bytes of the hash are in a name: short enough for the path of a socket in an entry, and no accident.
const NAME_BYTES: usize = 10;

/// Returns the cache's directory, which need not exist yet.
///
/// # Errors
/// If neither `GUESTCONV_CACHE`, `XDG_CACHE_HOME` nor `HOME` is set.
pub(crate) fn root() -> Result<PathBuf> {
    let named = |variable| env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    let root = named("GUESTCONV_CACHE")
        .or_else(|| named("XDG_CACHE_HOME").map(|directory| directory.join("guestconv")))
        .or_else(|| named("HOME").map(|home| home.join(".cache/guestconv")))
        .context("no place for the cache: set GUESTCONV_CACHE")?;
    std::path::absolute(&root).with_context(|| format!("cannot resolve {}", root.display()))
}

/// Returns the directory of the entry of this kind that is made from these inputs; `build` makes it in the empty directory
/// that it is given if it is not there.
///
/// # Errors
/// If `build` fails, and then there is no entry; or if the cache cannot be written.
pub(crate) fn entry(
    kind: &str,
    inputs: &[&[u8]],
    build: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    entry_in(&root()?, kind, inputs, build)
}

/// Returns the name of the entry that is made from these inputs.
pub(crate) fn name(inputs: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for input in inputs {
        // With their lengths, so that ["ab", "c"] and ["a", "bc"] differ.
        hash.update((input.len() as u64).to_le_bytes());
        hash.update(input);
    }
    hash.finalize().iter().take(NAME_BYTES).map(|byte| format!("{byte:02x}")).collect()
}

fn entry_in(
    root: &Path,
    kind: &str,
    inputs: &[&[u8]],
    build: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let name = name(inputs);
    let place = root.join(kind);
    let entry = place.join(&name);
    if entry.is_dir() {
        return Ok(entry);
    }
    fs::create_dir_all(&place).with_context(|| format!("cannot make {}", place.display()))?;
    let _lock = locked(&place.join(format!("{name}.lock")))?;
    if entry.is_dir() {
        return Ok(entry);
    }
    let building = place.join(format!("{name}.building"));
    emptied(&building)?;
    if let Err(error) = build(&building) {
        // What there is of it is of no use; that it cannot be removed would hide why it failed.
        let _ = fs::remove_dir_all(&building);
        return Err(error);
    }
    fs::rename(&building, &entry).with_context(|| format!("cannot rename to {}", entry.display()))?;
    Ok(entry)
}

/// Returns the lock file, locked until it is dropped.
fn locked(path: &Path) -> Result<File> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => eprintln!("waiting for another that makes {}", path.display()),
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("cannot lock {}", path.display()));
        }
    }
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

/// Makes the directory, empty.
fn emptied(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {}", directory.display()));
        }
        _ => {}
    }
    fs::create_dir(directory).with_context(|| format!("cannot make {}", directory.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    #[test]
    fn an_entry_is_made_once_and_whole_or_not_at_all() {
        let root = tempfile::tempdir().unwrap();
        let failed = entry_in(root.path(), "kind", &[b"input"], |directory| {
            fs::write(directory.join("half"), "")?;
            bail!("the build failed")
        });
        assert_eq!(failed.unwrap_err().to_string(), "the build failed");

        let builds = AtomicUsize::new(0);
        let build = || {
            entry_in(root.path(), "kind", &[b"input"], |directory| {
                builds.fetch_add(1, Ordering::Relaxed);
                thread::sleep(std::time::Duration::from_millis(20));
                Ok(fs::write(directory.join("file"), "whole")?)
            })
        };
        let entries: Vec<PathBuf> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(build)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap().unwrap()).collect()
        });
        let expected = root.path().join("kind").join(name(&[b"input"]));
        assert_eq!(entries, vec![expected.clone(); 4]);
        assert_eq!(builds.into_inner(), 1);
        let files: Vec<_> = fs::read_dir(expected).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(files, ["file"]);
    }

    #[test]
    fn other_inputs_have_another_name() {
        let lists: [&[&[u8]]; 5] = [&[], &[b""], &[b"ab", b"c"], &[b"a", b"bc"], &[b"abc"]];
        let mut names: Vec<String> = lists.iter().map(|inputs| name(inputs)).collect();
        assert!(names.iter().all(|name| name.len() == 2 * NAME_BYTES), "{names:?}");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), lists.len());
    }
}
