//! What a process does to itself between fork and exec. All that it needs was made before: it makes only system calls, takes
//! no lock, and allocates nothing.

use super::leash;
use libc::{sock_filter, sock_fprog};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, getppid, getrlimit, set_parent_process_death_signal, setrlimit,
};
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, CpuSet, configure_capability_in_ambient_set,
    sched_setaffinity, set_capabilities, set_capabilities_secure_bits, set_no_new_privs,
};
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// What the new process does to itself.
pub(super) struct Child {
    pub(super) parent: Pid,
    pub(super) descriptors: Vec<RawFd>,
    pub(super) processor: Option<CpuSet>,
    pub(super) limits: Vec<(Resource, u64)>,
    pub(super) ruleset: Option<OwnedFd>,
    pub(super) filter: Option<Filter>,
    pub(super) keeps_capabilities: bool,
}

/// How its system calls are filtered.
pub(super) struct Filter {
    /// The program with a warden, and what the warden's descriptor is sent over; `None`: without.
    pub(super) asking: Option<(Vec<sock_filter>, OwnedFd)>,
    /// The program without a warden.
    pub(super) alone: Vec<sock_filter>,
    /// Whether it must not start without a warden that was promised.
    pub(super) needs_warden: bool,
    /// What its group is held by; `None`: it is alone.
    pub(super) leash: Option<OwnedFd>,
}

impl Child {
    pub(super) fn become_confined(&mut self) -> io::Result<()> {
        self.die_with_parent()?;
        if let Some(processor) = &self.processor {
            // The set may have changed since it was read; a run that is not pinned is slow, not wrong.
            let _ = sched_setaffinity(None, processor);
        }
        for (resource, cap) in &self.limits {
            let maximum = getrlimit(*resource).maximum;
            let most = Some(maximum.map_or(*cap, |maximum| maximum.min(*cap)));
            // valgrind keeps the hard limit of descriptors for itself and refuses to change it (EPERM).
            setrlimit(*resource, Rlimit { current: most, maximum: most })
                .or_else(|_| setrlimit(*resource, Rlimit { current: most, maximum }))?;
        }
        self.close_descriptors()?;
        set_no_new_privs(true)?;
        if let Some(leash) = self.filter.as_ref().and_then(|filter| filter.leash.as_ref()) {
            // User Mode Linux would do so and execute itself again, by a path that it may not read.
            forget_randomness();
            leash::hold(leash.as_fd())?;
            // That signal comes before what the dead had open is closed, and would kill the one who holds the leash for
            // all. The filter refuses to take it back.
            set_parent_process_death_signal(None)?;
            self.require_parent()?;
        }
        if let Some(ruleset) = &self.ruleset {
            restrict(ruleset.as_fd())?;
        }
        if !self.keeps_capabilities {
            drop_capabilities()?;
        }
        let has_warden = self.filter.as_mut().map_or(Ok(false), Filter::install)?;
        if has_warden { Ok(()) } else { self.die_with_parent() }
    }

    fn die_with_parent(&self) -> io::Result<()> {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        self.require_parent()
    }

    fn require_parent(&self) -> io::Result<()> {
        // The parent may have died before that could be noticed.
        if getppid() == Some(self.parent) { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }

    /// Marks all descriptors but the wanted ones as to be closed by exec.
    #[allow(unsafe_code, reason = "descriptors by number; listed in ARCHITECTURE.md")]
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

impl Filter {
    /// Installs the filter and hands the warden's descriptor over; returns whether there is a warden.
    fn install(&mut self) -> io::Result<bool> {
        let wanted = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
        if let Some((program, socket)) = &mut self.asking {
            // With WAIT_KILLABLE_RECV (5.19) an asker is not woken by each tick of its clock.
            let listener = install(program, wanted | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
                .or_else(|_| install(program, wanted));
            match listener {
                Ok(listener) => {
                    send(socket.as_fd(), listener.as_ref().map(AsFd::as_fd))?;
                    return Ok(true);
                }
                // A filter around us has a listener already (containers that emulate calls): there can be one only.
                Err(error) if self.needs_warden => return Err(error),
                Err(_) => {}
            }
        }
        install(&mut self.alone, 0)?;
        Ok(false)
    }
}

/// Installs a program; returns its listener, if one is wanted.
#[allow(unsafe_code, reason = "no crate wraps this call; listed in ARCHITECTURE.md")]
fn install(program: &mut [sock_filter], flags: libc::c_ulong) -> io::Result<Option<OwnedFd>> {
    let length = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = sock_fprog { len: length, filter: program.as_mut_ptr() };
    // Without SPEC_ALLOW kernels before 5.16 make the whole process slower, against another kind of leak.
    let flags = flags | libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    // SAFETY: the program and its instructions live until the call returns; the kernel copies them.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    if flags & libc::SECCOMP_FILTER_FLAG_NEW_LISTENER == 0 {
        return Ok(None);
    }
    let number = RawFd::try_from(result).map_err(|_| io::ErrorKind::InvalidData)?;
    // SAFETY: the call has just returned this descriptor, which is nobody else's; exec closes it.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(number) }))
}

fn send(socket: BorrowedFd<'_>, listener: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let listener = [listener.ok_or(io::ErrorKind::InvalidData)?];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(&listener));
    sendmsg(socket, &[IoSlice::new(b"w")], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

#[allow(unsafe_code, reason = "no crate wraps this call; listed in ARCHITECTURE.md")]
fn restrict(ruleset: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the system call takes a descriptor that is open and flags, and touches no memory.
    let result = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[allow(unsafe_code, reason = "no crate wraps this call; listed in ARCHITECTURE.md")]
fn forget_randomness() {
    const ADDR_NO_RANDOMIZE: libc::c_ulong = 0x0004_0000;
    // SAFETY: the call takes a number. Where it is forbidden (containers), the kernel goes without, too.
    unsafe { libc::personality(ADDR_NO_RANDOMIZE) };
}

/// What root may do beyond others goes; but for the way to its files, which Landlock guards. Exec would give root all of it back
/// for a moment, and take the address space's order that was just set, so root is made an ordinary user to it.
fn drop_capabilities() -> io::Result<()> {
    let now = rustix::thread::capabilities(None)?;
    if now.permitted.is_empty() {
        return Ok(());
    }
    if set_capabilities_secure_bits(CapabilitiesSecureBits::NO_ROOT).is_err() {
        return Ok(()); // a container's root, which may not even do that
    }
    let ways = CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
    let kept = now.permitted & ways;
    set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable: kept })?;
    for way in kept {
        configure_capability_in_ambient_set(way, true)?;
    }
    Ok(())
}
