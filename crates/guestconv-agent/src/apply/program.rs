//! Running a program of the guest, the only code of the guest that ever runs, and only if the caller asked for it.
//!
//! It runs in the root with the appliance's `/dev`, `/proc` and `/sys`, no network, and an environment of our own.

use crate::start::failure;
use guestconv_core::report::Failure;
use rustix::mount::{MountFlags, UnmountFlags, mount_bind, mount_remount, unmount};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How much of what the program says is kept for the error, in characters.
const CAP_WORDS: usize = 2000;

/// Runs a program and waits for it.
pub(super) fn run(root: &Path, argv: &[String]) -> Result<(), Failure> {
    let (program, arguments) = argv.split_first().ok_or_else(|| failure("request-failed", "no program"))?;
    let failed =
        |what: String| failure("guest-program-failed", format!("{} of the guest {what}", argv.join(" ")));
    let mut bound = Vec::new();
    let result = bind(root, &mut bound).and_then(|()| output(root, program, arguments));
    let mut unbound = Ok(());
    for place in bound.iter().rev() {
        unbound = unbound.and(unmount(place, UnmountFlags::empty()));
    }
    let output = result.map_err(|error| failed(format!("cannot be run: {error}")))?;
    unbound.map_err(|error| failed(format!("left something that is still running: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said: String = String::from_utf8_lossy(&said).chars().rev().take(CAP_WORDS).collect();
    let said: String = said.chars().rev().collect();
    Err(failed(format!("failed ({}): {}", output.status, said.trim())))
}

/// Puts the kernel's file systems into the root, and lets programs be executed there.
fn bind(root: &Path, bound: &mut Vec<PathBuf>) -> io::Result<()> {
    mount_remount(root, MountFlags::BIND | MountFlags::NODEV | MountFlags::NOSUID, "")?;
    for name in ["dev", "proc", "sys"] {
        let place = root.join(name);
        // A link there would lead out of the root.
        if !std::fs::symlink_metadata(&place)?.is_dir() {
            return Err(io::Error::other(format!("/{name} is no directory")));
        }
        mount_bind(format!("/{name}"), &place)?;
        bound.push(place);
    }
    Ok(())
}

fn output(root: &Path, program: &str, arguments: &[String]) -> io::Result<std::process::Output> {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().stdin(Stdio::null());
    command.envs([("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("LC_ALL", "C"), ("HOME", "/root")]);
    let root = root.to_owned();
    #[allow(unsafe_code, reason = "changing the root of a child is possible only between fork and exec")]
    // SAFETY: chroot and chdir are system calls that are safe between fork and exec; nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            rustix::process::chroot(&root)?;
            Ok(rustix::process::chdir("/")?)
        });
    }
    command.output()
}
