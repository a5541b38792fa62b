//! What the host's kernel can do to confine a process: a value, so that tests have any host.

use super::Confinement;
use crate::error::{Error, ErrorKind, Result};
use guestconv_core::finding::Finding;
use std::ptr;

/// The version of Landlock that we ask for: with signals and abstract sockets.
const LANDLOCK_WHOLE: u32 = 6;
/// Since this kernel a warden can let a call happen (5.5) and give a descriptor (5.9).
const WARDEN_SINCE: (u32, u32) = (5, 9);

/// What a host's kernel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    /// The version of Landlock; 0: none.
    pub(crate) landlock: u32,
    /// Its system call filters.
    pub(crate) seccomp: Seccomp,
}

/// How a host filters system calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Seccomp {
    /// It does not.
    Missing,
    /// By a list alone.
    Filters,
    /// By a list, and it asks a warden.
    Asks,
}

impl Host {
    /// Looks at the host's kernel.
    pub(crate) fn probe() -> Self {
        Self { landlock: landlock(), seccomp: seccomp() }
    }

    /// Fails if confinement is required and this host cannot.
    ///
    /// # Errors
    /// `host-cannot-confine`.
    pub(crate) fn require(self, confinement: Confinement) -> Result<()> {
        let missing = self.missing();
        if confinement != Confinement::Required || missing.is_empty() {
            return Ok(());
        }
        let texts: Vec<&str> = missing.iter().map(|finding| finding.text.as_str()).collect();
        let message = format!("this host cannot confine the appliance completely: {}", texts.join("; "));
        Err(Error::new(ErrorKind::Appliance, "host-cannot-confine", message))
    }

    /// Returns what this host cannot do; empty if a process is confined completely.
    pub(crate) fn missing(self) -> Vec<Finding> {
        let mut missing = Vec::new();
        if self.landlock == 0 {
            missing.push(Finding::warning(
                "host-without-landlock",
                "the host's kernel has no Landlock, so a guest that took over the appliance could use this user's files; \
                 open guests that you do not trust on Linux 5.13 or later, with Landlock switched on",
            ));
        }
        let reaches = match self.landlock {
            0..4 => {
                "connect over the network, to local services by sockets, and signal this user's processes"
            }
            4..LANDLOCK_WHOLE => "connect to local services by sockets, and signal this user's processes",
            _ => "connect to local services by sockets",
        };
        match self.seccomp {
            Seccomp::Missing => missing.push(Finding::warning(
                "host-without-seccomp",
                format!(
                    "the host's kernel has no seccomp filters, or forbids them, so a guest that took over the appliance \
                     could {reaches}, make processes and files without end, and try the host's kernel by any system \
                     call; open guests that you do not trust on a host that allows seccomp filters"
                ),
            )),
            Seccomp::Filters => {
                let reaches = match self.landlock {
                    0..LANDLOCK_WHOLE => "connect to local services by sockets, signal this user's processes",
                    _ => "connect to local services by sockets",
                };
                missing.push(Finding::warning(
                    "host-without-warden",
                    format!(
                        "the host's kernel filters system calls but cannot ask about them (Linux 5.9; not where a filter \
                         around us is asked for already), so a guest that took over the appliance could {reaches}, make \
                         processes and files without end while it runs, and leave processes behind if this one is killed; \
                         open guests that you do not trust on such a host"
                    ),
                ));
            }
            Seccomp::Asks => {}
        }
        missing
    }
}

#[allow(unsafe_code, reason = "no crate tells the version; listed in ARCHITECTURE.md")]
fn landlock() -> u32 {
    const VERSION: u32 = 1;
    // SAFETY: with this flag the system call takes no pointer and only returns a number.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, ptr::null::<u8>(), 0_usize, VERSION) };
    u32::try_from(version).unwrap_or(0)
}

#[allow(unsafe_code, reason = "no crate asks; listed in ARCHITECTURE.md")]
fn seccomp() -> Seccomp {
    let knows = |action: u32| {
        // SAFETY: the system call reads the number that the pointer is of, which outlives it.
        let result = unsafe {
            libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, ptr::from_ref(&action))
        };
        result == 0
    };
    if !knows(libc::SECCOMP_RET_ERRNO) {
        return Seccomp::Missing;
    }
    let is_new = kernel_version().is_some_and(|version| version >= WARDEN_SINCE);
    if is_new && knows(libc::SECCOMP_RET_USER_NOTIF) { Seccomp::Asks } else { Seccomp::Filters }
}

fn kernel_version() -> Option<(u32, u32)> {
    let name = rustix::system::uname();
    version_of(name.release().to_str().ok()?)
}

fn version_of(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|digits| digits.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_lacks_is_named() {
        use Seccomp::{Asks, Filters, Missing};
        for (landlock, seccomp, expected) in [
            (7, Asks, vec![]),
            // Where the warden is asked, nothing is left that a newer Landlock would add.
            (1, Asks, vec![]),
            (0, Asks, vec!["host-without-landlock"]),
            (6, Filters, vec!["host-without-warden"]),
            (0, Missing, vec!["host-without-landlock", "host-without-seccomp"]),
        ] {
            let missing = Host { landlock, seccomp }.missing();
            let codes: Vec<&str> = missing.iter().map(|finding| finding.code.as_str()).collect();
            assert_eq!(codes, expected, "{landlock} {seccomp:?}");
        }
        let signals = |landlock, seccomp| {
            Host { landlock, seccomp }.missing().iter().any(|finding| finding.text.contains("signal this"))
        };
        let found = [(5, Missing), (6, Missing), (5, Filters), (6, Filters)].map(|(l, s)| signals(l, s));
        assert_eq!(found, [true, false, true, false]);
    }

    #[test]
    fn a_release_begins_with_the_version() {
        for (release, expected) in [
            ("6.1.0-44-amd64", Some((6, 1))),
            ("5.14.0-611.el9.x86_64", Some((5, 14))),
            ("7.3-rc1", Some((7, 3))),
            ("linux", None),
        ] {
            assert_eq!(version_of(release), expected, "{release}");
        }
    }
}
