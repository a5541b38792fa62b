//! Locks on images, as QEMU takes them: a running virtual machine is noticed, and notices us.
//!
//! QEMU (`block/file-posix.c`) locks single bytes of the file by open file description locks, all of them shared: byte
//! 100 + P says "I use permission P", byte 200 + P says "I do not share permission P". Whoever locks checks afterwards
//! that nobody holds the opposite byte. Permissions: 0 consistent read, 1 write, 3 resize.

use crate::error::{Error, ErrorKind, Result};
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use std::fs::File;
use std::io;
use std::path::Path;

const CONSISTENT_READ: i64 = 0;
const WRITE: i64 = 1;
const RESIZE: i64 = 3;
const USED: i64 = 100;
const UNSHARED: i64 = 200;

/// A lock on an image; it goes when this goes.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// Returns a lock for reading: others may read, nobody may write. `file` is an open file description of its own.
    pub(crate) fn for_reading(file: File, path: &Path) -> Result<Self> {
        let lock = Self { file };
        lock.acquire(&[CONSISTENT_READ], path)?;
        Ok(lock)
    }

    /// Returns the file, which is open for reading.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Makes this a lock for writing as well.
    pub(crate) fn upgrade(&self, path: &Path) -> Result<()> {
        self.acquire(&[CONSISTENT_READ, WRITE], path).inspect_err(|_| self.downgrade())
    }

    /// Makes this a lock for reading only.
    pub(crate) fn downgrade(&self) {
        // Unlocking cannot fail in a way that anybody could act on; closing the file unlocks too.
        drop(self.set(USED + WRITE, libc::F_UNLCK));
    }

    fn acquire(&self, permissions: &[i64], path: &Path) -> Result<()> {
        let unshared = [WRITE, RESIZE];
        let mine = permissions.iter().map(|p| USED + p).chain(unshared.iter().map(|p| UNSHARED + p));
        for byte in mine {
            match self.set(byte, libc::F_RDLCK) {
                Ok(()) => {}
                Err(error) if is_unsupported(&error) => return Ok(()),
                Err(error) => {
                    return Err(Error::io(
                        "disk-lock-failed",
                        format_args!("lock {}", path.display()),
                        error,
                    ));
                }
            }
        }
        let theirs = permissions.iter().map(|p| UNSHARED + p).chain(unshared.iter().map(|p| USED + p));
        for byte in theirs {
            let is_held = self.is_held_by_another(byte).map_err(|error| {
                Error::io("disk-lock-failed", format_args!("look at the locks of {}", path.display()), error)
            })?;
            if is_held {
                return Err(Error::new(
                    ErrorKind::Disk,
                    "disk-in-use",
                    format!(
                        "{} is in use by a running virtual machine or another conversion; stop it first",
                        path.display()
                    ),
                ));
            }
        }
        Ok(())
    }

    fn set(&self, byte: i64, kind: libc::c_int) -> io::Result<()> {
        fcntl(&self.file, FcntlArg::F_OFD_SETLK(&one_byte(byte, kind)))?;
        Ok(())
    }

    fn is_held_by_another(&self, byte: i64) -> io::Result<bool> {
        let mut probe = one_byte(byte, libc::F_WRLCK);
        fcntl(&self.file, FcntlArg::F_OFD_GETLK(&mut probe))?;
        Ok(libc::c_int::from(probe.l_type) != libc::F_UNLCK)
    }
}

impl Drop for Lock {
    /// A child that was started meanwhile has the file open until it executes its program, and with it the lock.
    fn drop(&mut self) {
        for byte in (0..=RESIZE).flat_map(|permission| [USED + permission, UNSHARED + permission]) {
            drop(self.set(byte, libc::F_UNLCK));
        }
    }
}

/// Network file systems without a lock service cannot lock: QEMU goes on without there, and so do we.
fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOLCK | libc::EOPNOTSUPP | libc::EINVAL | libc::ENOSYS))
}

fn one_byte(byte: i64, kind: libc::c_int) -> libc::flock {
    let short = |value: libc::c_int| libc::c_short::try_from(value).unwrap_or_default();
    libc::flock { l_type: short(kind), l_whence: short(libc::SEEK_SET), l_start: byte, l_len: 1, l_pid: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_share_and_a_writer_is_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("disk");
        std::fs::write(&path, [0; 512]).unwrap();
        let open = || Lock::for_reading(File::open(&path).unwrap(), &path);
        let code = |result: Result<()>| result.err().map(|error| error.code().to_owned());
        let in_use = Some("disk-in-use".to_owned());

        let first = open().unwrap();
        let second = open().unwrap();
        assert_eq!(code(first.upgrade(&path)), in_use, "another reads");
        drop(second);
        assert_eq!(code(first.upgrade(&path)), None);
        assert_eq!(code(open().map(drop)), in_use, "another writes");
        first.downgrade();
        assert_eq!(code(open().map(drop)), None);
    }
}
