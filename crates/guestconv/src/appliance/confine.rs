//! What is taken from the appliance's process before it becomes the kernel: it parses hostile file systems, and a fault
//! there must reach nothing of the host. GRUB's program is confined so, too. All without privilege; what an old host kernel
//! lacks is left out.
//!
//! Landlock: only the private directory, and execution of the kernel's own file; no network. `no_new_privs`. Death with
//! its parent. No descriptors but those it is given. Limits on core dumps, file size, processor time. One processor.

#![allow(
    unsafe_code,
    reason = "pre_exec and two system calls that no crate wraps; listed in ARCHITECTURE.md"
)]

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, Scope,
};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, getppid, getrlimit, set_parent_process_death_signal, setrlimit,
};
use rustix::thread::{CpuSet, sched_setaffinity, set_no_new_privs};
use std::error::Error;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// What a process may have.
pub(crate) struct Confinement<'a> {
    /// The one file that it may execute.
    pub(crate) executable: &'a Path,
    /// The one directory that it may use.
    pub(crate) directory: &'a Path,
    /// What else it may read and execute: a program with libraries needs them; `None`: nothing.
    pub(crate) readable: Option<&'a Path>,
    /// The descriptors that it inherits, beside the standard ones.
    pub(crate) descriptors: &'a [BorrowedFd<'a>],
    /// The processor that it is pinned to; `None`: any.
    pub(crate) processor: Option<CpuSet>,
    /// The largest file that it may write.
    pub(crate) file_cap_bytes: u64,
    /// How much processor time it may use.
    pub(crate) time_cap: Duration,
}

/// Whether Landlock confines a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Landlock {
    /// It does.
    Confines,
    /// The host's kernel has none.
    Missing,
}

/// Lets `command` start only so confined. The descriptors of `confinement` must stay open until it is started.
pub(crate) fn confine(command: &mut Command, confinement: &Confinement<'_>) -> io::Result<Landlock> {
    let ruleset = ruleset(confinement).map_err(io::Error::other)?;
    let landlock = if ruleset.is_some() { Landlock::Confines } else { Landlock::Missing };
    let child = Child {
        ruleset,
        parent: rustix::process::getpid(),
        descriptors: confinement.descriptors.iter().map(AsRawFd::as_raw_fd).collect(),
        processor: confinement.processor,
        limits: [
            (Resource::Core, 0),
            (Resource::Fsize, confinement.file_cap_bytes),
            (Resource::Cpu, confinement.time_cap.as_secs().saturating_add(1)),
            (Resource::Nofile, 1024),
        ],
    };
    // SAFETY: between fork and exec only system calls are made (Child::become_confined): nothing is allocated, no lock
    // is taken, nothing of the parent's memory is written.
    unsafe { command.pre_exec(move || child.become_confined()) };
    Ok(landlock)
}

/// Returns the Landlock ruleset; `None` if the host's kernel has no Landlock.
fn ruleset(confinement: &Confinement<'_>) -> Result<Option<OwnedFd>, Box<dyn Error + Send + Sync>> {
    let abi = ABI::V6;
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?;
    let executable = PathFd::new(confinement.executable)?;
    let directory = PathFd::new(confinement.directory)?;
    let ruleset = ruleset
        .add_rule(PathBeneath::new(executable, AccessFs::Execute | AccessFs::ReadFile))?
        .add_rule(PathBeneath::new(directory, AccessFs::from_all(abi) & !AccessFs::Execute))?;
    let ruleset = match confinement.readable {
        Some(path) => ruleset.add_rule(PathBeneath::new(PathFd::new(path)?, AccessFs::from_read(abi)))?,
        None => ruleset,
    };
    Ok(ruleset.into())
}

/// What the new process does to itself.
struct Child {
    ruleset: Option<OwnedFd>,
    parent: Pid,
    descriptors: Vec<RawFd>,
    processor: Option<CpuSet>,
    limits: [(Resource, u64); 4],
}

impl Child {
    fn become_confined(&self) -> io::Result<()> {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        if getppid() != Some(self.parent) {
            return Err(io::ErrorKind::BrokenPipe.into()); // the parent died before it could be noticed
        }
        if let Some(processor) = &self.processor {
            // The set may have changed since it was read; a run that is not pinned is slow, not wrong.
            let _ = sched_setaffinity(None, processor);
        }
        for (resource, cap) in self.limits {
            let maximum = getrlimit(resource).maximum;
            let most = Some(maximum.map_or(cap, |maximum| maximum.min(cap)));
            // valgrind keeps the hard limit of descriptors for itself and refuses to change it (EPERM).
            setrlimit(resource, Rlimit { current: most, maximum: most })
                .or_else(|_| setrlimit(resource, Rlimit { current: most, maximum }))?;
        }
        self.close_descriptors()?;
        set_no_new_privs(true)?;
        if let Some(ruleset) = &self.ruleset {
            // SAFETY: the system call takes a descriptor that is open and flags, and touches no memory.
            let result = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0) };
            if result != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    }

    /// Marks all descriptors but the wanted ones as to be closed by exec.
    fn close_descriptors(&self) -> io::Result<()> {
        // SAFETY: the system call takes three numbers and touches no memory.
        let result =
            unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
        if result != 0 {
            // Before Linux 5.11: one by one, as far as the limit goes that was just set.
            for number in 3..1024 {
                // SAFETY: the descriptor is only borrowed for this call; if there is none, the call says so.
                let _ = fcntl_setfd(unsafe { BorrowedFd::borrow_raw(number) }, FdFlags::CLOEXEC);
            }
        }
        for number in &self.descriptors {
            // SAFETY: the caller of `confine` keeps these descriptors open.
            fcntl_setfd(unsafe { BorrowedFd::borrow_raw(*number) }, FdFlags::empty())?;
        }
        Ok(())
    }
}
