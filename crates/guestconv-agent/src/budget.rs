//! What looking at a guest may take, counted and not timed, so that every machine gives the same answer.
//!
//! One budget holds for a whole run. What goes beyond is an error of the file that was about to be read, and so a finding of
//! its root. `docs/limits.md` has the reasons of the numbers.

use std::cell::Cell;
use std::io;

/// The most names that are listed of one directory: a guest's largest that are looked at have a thousand.
pub(crate) const CAP_NAMES: usize = 10_000;
/// The most lookups of paths in one run.
pub(crate) const CAP_LOOKUPS: u64 = 500_000;
/// The most bytes of texts and indexes that are read in one run.
pub(crate) const CAP_READ_BYTES: u64 = 512 << 20;
/// The most bytes of initramfs images, modules and loaders that are read in one run.
pub(crate) const CAP_STREAM_BYTES: u64 = 4 << 30;

/// What is left.
#[derive(Debug)]
pub(crate) struct Budget {
    lookups: Cell<u64>,
    read_bytes: Cell<u64>,
    stream_bytes: Cell<u64>,
}

impl Budget {
    /// Returns the budget of a run that looks.
    pub(crate) fn of_a_look() -> Self {
        Self {
            lookups: Cell::new(CAP_LOOKUPS),
            read_bytes: Cell::new(CAP_READ_BYTES),
            stream_bytes: Cell::new(CAP_STREAM_BYTES),
        }
    }

    /// Counts a lookup of a path.
    pub(crate) fn lookup(&self) -> io::Result<()> {
        take(&self.lookups, 1).ok_or_else(|| spent(format!("{CAP_LOOKUPS} files were looked for")))
    }

    /// Counts bytes of a text.
    pub(crate) fn read(&self, bytes: u64) -> io::Result<()> {
        take(&self.read_bytes, bytes)
            .ok_or_else(|| spent(format!("{CAP_READ_BYTES} bytes of texts were read")))
    }

    /// Counts bytes of a large file.
    pub(crate) fn stream(&self, bytes: u64) -> io::Result<()> {
        take(&self.stream_bytes, bytes)
            .ok_or_else(|| spent(format!("{CAP_STREAM_BYTES} bytes of large files were read")))
    }
}

fn take(left: &Cell<u64>, count: u64) -> Option<()> {
    let rest = left.get().checked_sub(count);
    left.set(rest.unwrap_or(0));
    rest.map(drop)
}

fn spent(what: String) -> io::Error {
    io::Error::other(format!("{what} in this guest already, and more are not"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_stays_spent() {
        let budget = Budget::of_a_look();
        assert!(budget.stream(CAP_STREAM_BYTES - 1).is_ok());
        assert!(budget.stream(2).is_err(), "what does not fit is refused whole");
        assert!(budget.stream(1).is_err(), "and nothing is left then");
        assert!(budget.read(CAP_READ_BYTES).is_ok());
        assert!(budget.lookup().is_ok());
    }
}
