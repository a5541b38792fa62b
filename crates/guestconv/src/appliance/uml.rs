//! The first runner: our own kernel as an ordinary process, User Mode Linux. It needs neither root nor KVM.

use super::cpu;
use super::find::Files;
use super::process::{Started, started};
use super::runner::{Lines, Runner, Start, cannot_start};
use crate::confine::{CallsOf, Rights};
use crate::disks::{Bell, Server};
use crate::error::{Error, Result};
use guestconv_core::formats::cpio::{TooLargeForCpio, Writer};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// The memory that the appliance gets, in MiB.
const MEMORY_MIB: u64 = 384;
/// The largest file that it may make: its memory.
const FILE_CAP_BYTES: u64 = (MEMORY_MIB + 16) << 20;
/// How much memory each of its processes may have beside that; the kernel has 20 MiB of its own.
const MEMORY_CAP_BYTES: u64 = 64 << 20;
/// How much processor time the appliance may take without a sign of life. A core parses or unpacks what it has read in a
/// second; ten times slower machines are in it.
const SILENT_LIMIT: Duration = Duration::from_secs(6);

/// The appliance as a process.
#[derive(Debug)]
pub(super) struct Uml {
    kernel: PathBuf,
}

impl Uml {
    /// Returns the runner of the appliance's kernel.
    ///
    /// # Errors
    /// `appliance-cannot-start` if the appliance has none: there is one for x86-64 only.
    pub(super) fn new(files: &Files) -> Result<Self> {
        let kernel = files.kernel.clone();
        let kernel =
            kernel.ok_or_else(|| cannot_start("the appliance has no kernel for this architecture"))?;
        Ok(Self { kernel })
    }
}

impl Runner for Uml {
    fn start(&self, start: &Start<'_>, lines: Lines) -> io::Result<Started> {
        let directory = start.directory.path();
        let mut command = Command::new(&self.kernel);
        command
            .arg(format!("mem={MEMORY_MIB}M"))
            .arg(format!("initrd=/proc/self/fd/{}", start.initramfs.as_raw_fd()))
            .args(["lpj=5000000", "seccomp=auto", "quiet", "con=null", "con0=null", "ssl=null"])
            // What the kernel says, an oops and a panic too, goes to its standard output, whatever the console's name.
            .arg("console=stderr0")
            // JFS would take tables for many writers at once, which cost time at every start.
            .args(["jfs.nTxBlock=128", "jfs.nTxLock=1024"])
            .arg(format!("ssl0=fd:{}", lines.reply.as_raw_fd()))
            .arg(format!("uml_dir={}", directory.join("uml").display()))
            .args(start.sockets.iter().map(|socket| format!("virtio_uml.device={}:2", socket.display())));
        let rights = Rights {
            executable: &self.kernel,
            directory,
            readable: &[],
            devices: &[],
            descriptors: &[lines.reply.as_fd(), start.initramfs.as_fd()],
            processor: cpu::choose(),
            file_cap_bytes: FILE_CAP_BYTES,
            memory_cap_bytes: Some(MEMORY_CAP_BYTES),
            time_cap: Some(start.time_limit),
            calls: CallsOf::Appliance { sockets: start.sockets, processes: start.processes },
        };
        started(command, &rights, start, lines.said)
    }

    /// The kernel has the agent in it (`room`).
    fn initramfs(&self) -> std::result::Result<Writer, TooLargeForCpio> {
        Ok(Writer::new())
    }

    fn file_cap_bytes(&self) -> u64 {
        FILE_CAP_BYTES
    }

    fn bell(&self) -> Bell {
        Bell::Socket
    }

    fn came_to_disks(&self, servers: &[Server]) -> bool {
        servers.iter().any(Server::was_connected)
    }

    fn silent_limit(&self) -> Duration {
        SILENT_LIMIT
    }

    fn cannot_start(&self, why: &str) -> Error {
        cannot_start(format_args!(
            "{why}; it needs x86-64 Linux, the right to use seccomp filters or ptrace on its own children, and \
             {MEMORY_MIB} MiB in /dev/shm or TMPDIR without noexec"
        ))
    }
}
