//! Programs for 64-bit ARM on this machine, for as long as they are needed: its kernel gives them to QEMU, and forgets it
//! again. As root and outside of most containers only.

use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The part of a script in User Mode Linux after which they run there.
pub(super) const IN_UML: &str = include_str!("emulate.sh");
/// Where the kernel is told of it (Documentation/admin-guide/binfmt-misc.rst).
const PLACE: &str = "/proc/sys/fs/binfmt_misc";
/// Our entry there.
const NAME: &str = "guestconv-aarch64";
/// The line of `emulate.sh` has the same magic, mask and flags: QEMU is opened at once, so that it runs in every root.
const ENTRY: &str = concat!(
    r":guestconv-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:",
    r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:",
    "/usr/bin/qemu-aarch64-static:F"
);

/// As long as it lives, the kernel runs them.
pub(super) struct Emulation {
    /// One at a time: the first to end would take it from the other.
    _only: MutexGuard<'static, ()>,
    /// Whether the kernel's file system was mounted for it.
    is_mounted: bool,
    /// Our entry; `None`: there was one.
    entry: Option<PathBuf>,
}

impl Emulation {
    /// Returns it.
    ///
    /// # Errors
    /// If the kernel cannot, or does not let us.
    pub(super) fn start() -> Result<Self> {
        let place = Path::new(PLACE);
        static ONLY: Mutex<()> = Mutex::new(());
        let only = ONLY.lock().unwrap_or_else(PoisonError::into_inner);
        let mut emulation = Self { _only: only, is_mounted: false, entry: None };
        if !place.join("register").exists() {
            let mount = quietly(Command::new("mount").args(["-t", "binfmt_misc", "binfmt_misc", PLACE]));
            ensure!(mount, "the kernel has no binfmt_misc for us");
            emulation.is_mounted = true;
        }
        if !["qemu-aarch64", NAME].iter().any(|known| place.join(known).exists()) {
            fs::write(place.join("register"), ENTRY)
                .context("cannot tell the kernel what runs programs for ARM")?;
            emulation.entry = Some(place.join(NAME));
        }
        Ok(emulation)
    }
}

impl Drop for Emulation {
    fn drop(&mut self) {
        if let Some(entry) = &self.entry {
            let _removed = fs::write(entry, "-1");
        }
        if self.is_mounted {
            quietly(Command::new("umount").arg(PLACE));
        }
    }
}

fn quietly(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
