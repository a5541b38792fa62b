//! The warden: is asked by the host's kernel about system calls of the appliance that a list cannot decide
//! (`SECCOMP_RET_USER_NOTIF`, seccomp_unotify(2)), from within the loop that waits for the appliance.
//!
//! Only numbers are decided about, never what a pointer points to: that could change after the answer. So a connection is
//! not let through but made here, to the next disk, and the descriptor handed over. A process that waits for an answer when
//! we are gone gets an error.

use super::appliance::TEMPORARY;
use super::{calls, names};
use libc::{c_long, seccomp_data};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// How large files may be that are made after the kernel has its memory: its process number, its socket's name.
const SMALL_BYTES: u64 = 64 << 10;
/// How many calls are refused before it is sure that nobody makes them by mistake.
const REFUSED_CAP: u32 = 10_000;
/// What User Mode Linux tries its seccomp mode with has three pages.
const SHARED_CAP_BYTES: u64 = 256 << 10;
const SIGNALS: [c_long; 3] = [libc::SYS_kill, libc::SYS_tgkill, libc::SYS_tkill];

/// What may be had, and is counted.
#[derive(Clone, Debug)]
pub(super) struct Allowance {
    /// The sockets of its disks, in order.
    pub(super) sockets: Vec<PathBuf>,
    /// How many processes there may be at a time.
    pub(super) processes: u32,
    /// Whether files without a name can be made in its directory.
    pub(super) has_unnamed_files: bool,
}

/// Answers the kernel's questions about one appliance.
pub(crate) struct Warden {
    listener: OwnedFd,
    group: Pid,
    sockets: std::vec::IntoIter<PathBuf>,
    processes: u32,
    has_unnamed_files: bool,
    /// How many processes can be made before they are counted.
    uncounted: u32,
    large_files: u32,
    small_files: u32,
    directories: u32,
    programs: u32,
    shared: u32,
    refused: BTreeSet<i32>,
    refused_count: u32,
}

enum Verdict {
    Allow,
    Refuse(i32),
    /// The descriptor of that number becomes this one, and the call succeeds.
    Give(UnixStream, u32),
}

impl Warden {
    pub(super) fn new(listener: OwnedFd, group: Pid, allowance: &Allowance) -> Self {
        Self {
            listener,
            group,
            sockets: allowance.sockets.clone().into_iter(),
            processes: allowance.processes,
            has_unnamed_files: allowance.has_unnamed_files,
            uncounted: 0,
            large_files: 2, // a trial, and its memory
            small_files: 4,
            directories: 4,
            programs: 1,
            shared: 2,
            refused: BTreeSet::new(),
            refused_count: 0,
        }
    }

    /// Returns what becomes readable when there is a question.
    pub(crate) fn listener(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// Answers one question, which there must be. An asker that is gone by now is as it should be.
    ///
    /// # Errors
    /// If calls are refused all the time: then it is not a mistake, and it should be killed.
    pub(crate) fn answer(&mut self) -> io::Result<()> {
        let Some(question) = receive(self.listener())? else { return Ok(()) };
        let verdict = i32::try_from(question.pid)
            .ok()
            .and_then(Pid::from_raw)
            .map(|asker| self.verdict(asker, &question.data));
        match verdict.unwrap_or(Verdict::Refuse(libc::EPERM)) {
            Verdict::Allow => respond(self.listener(), question.id, 0, true),
            Verdict::Refuse(error) => {
                self.refused.insert(question.data.nr);
                self.refused_count += 1;
                respond(self.listener(), question.id, -error, false);
            }
            Verdict::Give(stream, number) => give(self.listener(), question.id, &stream, number),
        }
        if self.refused_count > REFUSED_CAP {
            return Err(io::Error::other("it insists on what it may not do"));
        }
        Ok(())
    }

    /// Returns the names of the calls that were refused.
    pub(crate) fn refused(&self) -> Vec<String> {
        self.refused.iter().map(|call| names::name(*call)).collect()
    }

    fn verdict(&mut self, asker: Pid, data: &seccomp_data) -> Verdict {
        let [first, second, third, ..] = data.args;
        let call = c_long::from(data.nr);
        let is_granted = match call {
            libc::SYS_clone => return self.new_process(),
            libc::SYS_connect => return self.connection(first),
            libc::SYS_openat => self.new_file(asker, low(third)),
            calls::SYS_mkdir => take(&mut self.directories),
            libc::SYS_memfd_create => take(&mut self.programs),
            libc::SYS_mmap => second <= SHARED_CAP_BYTES && take(&mut self.shared),
            // The one who leads the group holds the leash for all.
            libc::SYS_close_range => leader(asker).is_some_and(|process| process != self.group),
            libc::SYS_fcntl => self.is_ours(low(third).cast_signed()),
            call if SIGNALS.contains(&call) => self.is_ours(low(first).cast_signed()),
            _ => false,
        };
        if is_granted { Verdict::Allow } else { Verdict::Refuse(libc::EPERM) }
    }

    /// Processes are counted when as many were made as there may be.
    fn new_process(&mut self) -> Verdict {
        if self.uncounted == 0 {
            self.uncounted = self.processes.saturating_sub(count(self.group));
        }
        if take(&mut self.uncounted) { Verdict::Allow } else { Verdict::Refuse(libc::EAGAIN) }
    }

    fn connection(&mut self, number: u64) -> Verdict {
        // A descriptor is a number that User Mode Linux has just been given.
        match self.sockets.next().map(UnixStream::connect) {
            Some(Ok(stream)) => Verdict::Give(stream, low(number)),
            _ => Verdict::Refuse(libc::ECONNREFUSED),
        }
    }

    /// The first two may be as large as the limit of the process says; one of them is the kernel's memory. From then on it may
    /// make only small ones, and that limit is of every process to come, since there is no other yet.
    fn new_file(&mut self, asker: Pid, flags: u32) -> bool {
        let is_unnamed = flags & TEMPORARY != 0;
        if is_unnamed && !self.has_unnamed_files {
            return true; // it fails
        }
        if is_unnamed == self.has_unnamed_files && self.large_files > 0 {
            return take(&mut self.large_files);
        }
        let limit = Rlimit { current: Some(SMALL_BYTES), maximum: Some(SMALL_BYTES) };
        !is_unnamed
            && self.small_files > 0
            && asker == self.group
            && count(self.group) == 1
            && prlimit(Some(asker), Resource::Fsize, limit).is_ok()
            && take(&mut self.small_files)
    }

    /// Returns whether a number as kill(2) takes it names processes of the group only.
    fn is_ours(&self, target: i32) -> bool {
        match Pid::from_raw(target) {
            Some(process) if target > 0 => is_of(process, self.group),
            Some(_) => target.checked_neg() == Some(self.group.as_raw_nonzero().get()),
            None => true, // one's own group
        }
    }
}

fn take(left: &mut u32) -> bool {
    let is_there = *left > 0;
    *left = left.saturating_sub(1);
    is_there
}

/// The kernel takes what is an `int` from the low half.
fn low(argument: u64) -> u32 {
    u32::try_from(argument & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

/// Returns how many processes a group has; what cannot be told counts as none left.
fn count(group: Pid) -> u32 {
    let Ok(entries) = fs::read_dir("/proc") else { return u32::MAX };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let of_group = numbers.filter_map(Pid::from_raw).filter(|process| is_of(*process, group));
    u32::try_from(of_group.count()).unwrap_or(u32::MAX)
}

/// Returns whether a process is of a group.
#[allow(
    unsafe_code,
    reason = "rustix knows no group 0, which one outside our name space has; listed in ARCHITECTURE.md"
)]
fn is_of(process: Pid, group: Pid) -> bool {
    // SAFETY: the call takes a number and touches no memory.
    let found = unsafe { libc::getpgid(process.as_raw_nonzero().get()) };
    found == group.as_raw_nonzero().get()
}

/// Returns the process of a thread.
fn leader(thread: Pid) -> Option<Pid> {
    let status = fs::read_to_string(format!("/proc/{}/status", thread.as_raw_nonzero())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    Pid::from_raw(line.trim().parse().ok()?)
}

/// Returns the next question; `None` if its asker is gone.
#[allow(unsafe_code, reason = "no crate wraps these requests; listed in ARCHITECTURE.md")]
fn receive(listener: BorrowedFd<'_>) -> io::Result<Option<libc::seccomp_notif>> {
    // SAFETY: zeroes are a value of this structure of numbers, and the kernel asks for them.
    let mut question: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: the request writes one such structure, which lives here.
    let result =
        unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut question) };
    if result == 0 {
        return Ok(Some(question));
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::EINTR) => Ok(None),
        _ => Err(error),
    }
}

#[allow(unsafe_code, reason = "no crate wraps these requests; listed in ARCHITECTURE.md")]
fn respond(listener: BorrowedFd<'_>, id: u64, error: i32, is_done: bool) {
    let flags = if is_done { u32::try_from(libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE).unwrap_or(0) } else { 0 };
    let mut response = libc::seccomp_notif_resp { id, val: 0, error, flags };
    // SAFETY: the request reads one such structure, which lives here. An asker that is gone is no error.
    unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut response) };
}

#[allow(unsafe_code, reason = "no crate wraps these requests; listed in ARCHITECTURE.md")]
fn give(listener: BorrowedFd<'_>, id: u64, stream: &UnixStream, number: u32) {
    let mut gift = libc::seccomp_notif_addfd {
        id,
        flags: u32::try_from(libc::SECCOMP_ADDFD_FLAG_SETFD).unwrap_or(0),
        srcfd: stream.as_raw_fd().unsigned_abs(),
        newfd: number,
        newfd_flags: 0,
    };
    // SAFETY: the request reads one such structure, which lives here.
    let given = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ADDFD, &raw mut gift) };
    respond(listener, id, if given < 0 { -libc::EBADF } else { 0 }, false);
}
