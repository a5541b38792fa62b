//! What is taken from a process before it becomes the appliance: it parses hostile file systems, and a fault there must reach
//! nothing of the host. Other programs that we run are confined so, too. All without privilege; `docs/confinement.md` has the
//! whole of it as a table.
//!
//! Landlock: only the private directory, and execution of the kernel's own file; no network, no signals. A list of system
//! calls, with a warden for what a list cannot decide. No capabilities, no new privileges. Death with its parent, of all its
//! processes. No descriptors but those it is given. Limits on core dumps, files, memory, processor time. One processor.

mod appliance;
mod calls;
mod child;
mod filter;
mod host;
mod leash;
mod names;
mod program;
mod ruleset;
#[cfg(test)]
mod tests;
mod warden;

pub(crate) use host::{Host, Seccomp};
pub(crate) use program::{PROGRAM_FILES, Sockets};
pub(crate) use warden::Warden;

use child::{Child, Filter};
use rustix::fs::{Mode, OFlags};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{Pid, Resource};
use rustix::thread::CpuSet;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use warden::Allowance;

/// How the programs that meet a guest are confined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Confinement {
    /// As far as the host's kernel can; what it cannot is a finding.
    #[default]
    BestEffort,
    /// Completely, or it is an error (`host-cannot-confine`) before anything is run.
    Required,
    /// Not at all: to measure what confinement costs, with guests that are trusted.
    Off,
}

/// What a process may have.
pub(crate) struct Rights<'a> {
    /// The one file that it may execute.
    pub(crate) executable: &'a Path,
    /// The one directory that it may use.
    pub(crate) directory: &'a Path,
    /// What else it may read and execute, if it is there: a program with libraries needs them.
    pub(crate) readable: &'a [&'a Path],
    /// The devices that it may use, if they are there.
    pub(crate) devices: &'a [&'a Path],
    /// The descriptors that it inherits, beside the standard ones.
    pub(crate) descriptors: &'a [BorrowedFd<'a>],
    /// The processor that it is pinned to; `None`: any.
    pub(crate) processor: Option<CpuSet>,
    /// The largest file that it may write.
    pub(crate) file_cap_bytes: u64,
    /// How much memory of its own each of its processes may have; `None`: any.
    pub(crate) memory_cap_bytes: Option<u64>,
    /// How much processor time each of its processes may use; `None`: any.
    pub(crate) time_cap: Option<Duration>,
    /// The system calls that it may make.
    pub(crate) calls: CallsOf<'a>,
}

/// Whose system calls are let through.
pub(crate) enum CallsOf<'a> {
    /// The appliance's.
    Appliance {
        /// The sockets of its disks, in order.
        sockets: &'a [&'a Path],
        /// How many processes it may have at a time.
        processes: u32,
    },
    /// Those of any program that is no part of this and of no other machine's business.
    Program(Sockets),
}

/// What is kept of a confined process that was not started yet.
pub(crate) struct Ready {
    channel: Option<UnixStream>,
    allowance: Option<Allowance>,
    leash: Option<OwnedFd>,
    host: Host,
}

/// What is kept while a confined process runs: when it goes, so does the process.
pub(crate) struct Hold {
    /// Answers its questions; `None` if it cannot ask.
    pub(crate) warden: Option<Warden>,
    /// What the host's kernel could do.
    pub(crate) host: Host,
    _leash: Option<OwnedFd>,
}

/// Lets `command` start only so confined. The descriptors of `rights` must stay open until it is started.
#[allow(
    unsafe_code,
    reason = "what runs between fork and exec can only be given so; listed in ARCHITECTURE.md"
)]
pub(crate) fn confine(
    command: &mut Command,
    rights: &Rights<'_>,
    confinement: Confinement,
    host: Host,
) -> io::Result<Ready> {
    let is_off = confinement == Confinement::Off;
    let has_landlock = !is_off && host.landlock > 0;
    let ruleset = if has_landlock { ruleset::new(rights).map_err(io::Error::other)? } else { None };
    let mut ready = Ready { channel: None, allowance: None, leash: None, host };
    let filter = if is_off || host.seccomp == Seccomp::Missing {
        None
    } else {
        Some(ready.filter(rights, confinement)?)
    };
    let mut child = Child {
        parent: rustix::process::getpid(),
        descriptors: rights.descriptors.iter().map(AsRawFd::as_raw_fd).collect(),
        processor: rights.processor,
        limits: if is_off { Vec::new() } else { limits(rights) },
        ruleset,
        filter,
        keeps_capabilities: is_off,
    };
    // SAFETY: between fork and exec only system calls are made (Child::become_confined): nothing is allocated, no lock
    // is taken, nothing of the parent's memory is written.
    unsafe { command.pre_exec(move || child.become_confined()) };
    Ok(ready)
}

fn limits(rights: &Rights<'_>) -> Vec<(Resource, u64)> {
    let mut limits =
        vec![(Resource::Core, 0), (Resource::Fsize, rights.file_cap_bytes), (Resource::Nofile, 1024)];
    limits.extend(rights.time_cap.map(|cap| (Resource::Cpu, cap.as_secs().saturating_add(1))));
    limits.extend(rights.memory_cap_bytes.map(|cap| (Resource::Data, cap)));
    limits
}

impl Ready {
    fn filter(&mut self, rights: &Rights<'_>, confinement: Confinement) -> io::Result<Filter> {
        let (sockets, processes) = match rights.calls {
            CallsOf::Appliance { sockets, processes } => (sockets, processes),
            CallsOf::Program(sockets) => {
                let alone = filter::program(&program::calls(sockets), false);
                return Ok(Filter { asking: None, alone, needs_warden: false, leash: None });
            }
        };
        let (ours, theirs) = leash::new()?;
        let parent = rustix::process::getpid().as_raw_nonzero().get().unsigned_abs();
        let calls = appliance::calls(theirs.as_raw_fd(), parent);
        self.leash = Some(ours);
        let asking = if self.host.seccomp == Seccomp::Asks {
            let (channel, sender) = UnixStream::pair()?;
            channel.set_nonblocking(true)?;
            self.channel = Some(channel);
            self.allowance = Some(Allowance {
                sockets: sockets.iter().map(PathBuf::from).collect(),
                processes,
                has_unnamed_files: has_unnamed_files(rights.directory),
            });
            Some((filter::program(&calls, true), OwnedFd::from(sender)))
        } else {
            None
        };
        Ok(Filter {
            asking,
            alone: filter::program(&calls, false),
            needs_warden: confinement == Confinement::Required,
            leash: Some(theirs),
        })
    }

    /// Returns what is kept of the process that was just started.
    pub(crate) fn started(self, group: Option<Pid>) -> io::Result<Hold> {
        // It was sent before the process became what it is.
        let listener = self.channel.as_ref().map(received).transpose()?.flatten();
        let warden = match (listener, group, &self.allowance) {
            (Some(listener), Some(group), Some(allowance)) => Some(Warden::new(listener, group, allowance)),
            _ => None,
        };
        let mut host = self.host;
        if self.channel.is_some() && warden.is_none() {
            host.seccomp = Seccomp::Filters;
        }
        Ok(Hold { warden, host, _leash: self.leash })
    }
}

fn received(channel: &UnixStream) -> io::Result<Option<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    match recvmsg(channel, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
        Ok(_) => {}
        Err(rustix::io::Errno::AGAIN) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let descriptors = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    Ok(descriptors.flatten().next())
}

fn has_unnamed_files(directory: &Path) -> bool {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    rustix::fs::open(directory, flags, Mode::RUSR | Mode::WUSR).is_ok()
}
