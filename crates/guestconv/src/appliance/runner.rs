//! What runs the appliance: the same agent with the same request, under one kernel or the other.
//!
//! The first is our own kernel as an ordinary process (`uml`). Where that cannot be, the second is a distribution's kernel
//! under QEMU (`qemu`): it takes longer and does the same.

use super::private::PrivateDir;
use super::process::Started;
use crate::confine::{Confinement, Host};
use crate::disks::{Bell, Server};
use crate::error::{Error, ErrorKind, Result};
use guestconv_core::formats::cpio::{TooLargeForCpio, Writer};
use std::env;
use std::fmt;
use std::fs::File;
use std::io::{self, PipeWriter};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

/// The environment variable that names the runner: `uml` or `qemu`.
pub const RUNNER_VARIABLE: &str = "GUESTCONV_RUNNER";

/// Which runner runs the appliance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunnerKind {
    /// Our own kernel, as a process (User Mode Linux).
    Uml,
    /// A distribution's kernel, under QEMU.
    Qemu,
}

/// What a run is started with, whatever runs it.
pub(super) struct Start<'a> {
    pub(super) directory: &'a PrivateDir,
    pub(super) initramfs: &'a File,
    /// Where the disks are served.
    pub(super) sockets: &'a [&'a Path],
    pub(super) time_limit: Duration,
    /// How it is confined.
    pub(super) confinement: Confinement,
    /// What the host's kernel can do for that.
    pub(super) host: Host,
    /// How many processes it may have at a time.
    pub(super) processes: u32,
}

/// The ends that the appliance has of its two lines.
pub(super) struct Lines {
    /// The reply goes there.
    pub(super) reply: UnixStream,
    /// What its kernel says.
    pub(super) said: PipeWriter,
}

/// One of the two.
pub(super) trait Runner: fmt::Debug + Send + Sync {
    /// Starts the appliance, confined.
    fn start(&self, start: &Start<'_>, lines: Lines) -> io::Result<Started>;

    /// Returns the initramfs that the request is added to: all that the kernel lacks.
    ///
    /// # Errors
    /// If it cannot be written as an archive.
    fn initramfs(&self) -> std::result::Result<Writer, TooLargeForCpio>;

    /// Returns how large its largest file is, which is its memory.
    fn file_cap_bytes(&self) -> u64;

    /// Returns what rings at our servers of disks.
    fn bell(&self) -> Bell;

    /// Returns whether its kernel came as far as its disks.
    fn came_to_disks(&self, servers: &[Server]) -> bool;

    /// Returns how much processor time it may take without a sign of life.
    fn silent_limit(&self) -> Duration;

    /// Returns the error of one that does not start, and what it needs.
    fn cannot_start(&self, why: &str) -> Error;
}

impl RunnerKind {
    /// Returns its name in options.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uml => "uml",
            Self::Qemu => "qemu",
        }
    }
}

impl FromStr for RunnerKind {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        [Self::Uml, Self::Qemu].into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let message = format!("there is no runner {name:?}; it is uml or qemu");
            Error::new(ErrorKind::InvalidArgument, "runner-unknown", message)
        })
    }
}

/// Returns the runner that is wished for, by the options or else by the environment; `None`: whichever can.
///
/// # Errors
/// `runner-unknown`.
pub(super) fn wished(given: Option<RunnerKind>) -> Result<Option<RunnerKind>> {
    let named = env::var_os(RUNNER_VARIABLE).filter(|value| !value.is_empty());
    match (given, named) {
        (Some(kind), _) => Ok(Some(kind)),
        (None, Some(name)) => name.to_string_lossy().parse().map(Some),
        (None, None) => Ok(None),
    }
}

/// Returns the error of an appliance that cannot start here.
pub(super) fn cannot_start(why: impl fmt::Display) -> Error {
    let message = format!("the appliance cannot start on this machine: {why}");
    Error::new(ErrorKind::Appliance, CANNOT_START, message)
}

/// The code of an appliance that cannot start here.
pub(super) const CANNOT_START: &str = "appliance-cannot-start";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runner_is_named() {
        let code = |name: &str| name.parse::<RunnerKind>().map_err(|error| error.code().to_owned());
        for (name, expected) in [
            ("uml", Ok(RunnerKind::Uml)),
            ("qemu", Ok(RunnerKind::Qemu)),
            ("", Err("runner-unknown".to_owned())),
            ("kvm", Err("runner-unknown".to_owned())),
        ] {
            assert_eq!(code(name), expected, "{name}");
        }
        assert_eq!(wished(Some(RunnerKind::Qemu)).unwrap(), Some(RunnerKind::Qemu));
    }
}
