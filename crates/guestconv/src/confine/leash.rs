//! The leash: when we die, however, the kernel of the host kills all processes of the appliance at once.
//!
//! A parent's death signal (`PR_SET_PDEATHSIG`) is of one process, not of its children, and comes when a thread dies. So there is a pipe whose writing end
//! only we have, and which nobody writes to. Its reading end is asynchronous, for the whole process group and by SIGKILL
//! (`F_SETOWN`, `F_SETSIG`, fcntl(2)): the end of the last writer is an event like any other. The appliance cannot close it:
//! its filter refuses all calls that would, the warden those that close a range.

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pipe::{PipeFlags, pipe_with};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// The number of the command, from `asm-generic/fcntl.h`.
pub(super) const F_SETSIG: libc::c_int = 10;

/// A leash and the end of it that the appliance has; both are closed by exec.
pub(super) fn new() -> io::Result<(OwnedFd, OwnedFd)> {
    let (theirs, ours) = pipe_with(PipeFlags::CLOEXEC)?;
    Ok((ours, theirs))
}

/// Puts the process group of this process, which leads it, on the leash. Only system calls.
#[allow(unsafe_code, reason = "no crate wraps F_SETSIG; listed in ARCHITECTURE.md")]
pub(super) fn hold(theirs: BorrowedFd<'_>) -> io::Result<()> {
    let number: RawFd = theirs.as_raw_fd();
    let group = rustix::process::getpid().as_raw_nonzero().get();
    // SAFETY: these commands take numbers and touch no memory.
    let results = unsafe {
        [
            libc::fcntl(number, libc::F_SETOWN, -group),
            libc::fcntl(number, F_SETSIG, libc::SIGKILL),
            libc::fcntl(number, libc::F_SETFL, libc::O_ASYNC | libc::O_NONBLOCK),
        ]
    };
    if results.iter().any(|result| *result < 0) {
        return Err(io::Error::last_os_error());
    }
    fcntl_setfd(theirs, FdFlags::empty())?;
    Ok(())
}
