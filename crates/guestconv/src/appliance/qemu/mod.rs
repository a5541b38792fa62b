//! The second runner: the same agent and request under QEMU, with a distribution's kernel. For hosts where our own kernel
//! cannot run: those of another architecture, and those that forbid both seccomp filters and ptrace.
//!
//! The machine has nothing but memory, a line for what the kernel says, a port for the reply, and the disks, which are served
//! as to the first: over vhost-user-blk, so that the machine's memory is a file that it shares. It is confined as QEMU is in a
//! proof, and is killed when it has replied.

mod image;
mod kernel;
mod machine;
mod modules;

pub use kernel::{KERNEL_VARIABLE, MODULES_VARIABLE};

use super::find::Files;
use super::process::{Started, started};
use super::runner::{Lines, Runner, Start, cannot_start};
use crate::confine::{CallsOf, PROGRAM_FILES, Rights, Seccomp, Sockets};
use crate::disks::{Bell, Server};
use crate::error::{Error, ErrorKind, Result};
use crate::guest::Options;
use guestconv_core::formats::cpio::{TooLargeForCpio, Writer};
use guestconv_core::protocol::room;
use kernel::Kernel;
use machine::{Accelerated, Machine};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The memory of the machine, in MiB: what the first runner has, and what a kernel for all machines has more of its own.
const MACHINE_MIB: u64 = 640;
/// The largest file that QEMU may make: that memory.
const FILE_CAP_BYTES: u64 = (MACHINE_MIB + 16) << 20;
/// What QEMU has beside it: translated code, stacks, the kernel and initramfs as it read them.
const OWN_MEMORY_BYTES: u64 = 1 << 30;
/// How much translated code is kept, in MiB.
const TRANSLATED_MIB: u64 = 128;
/// How much processor time may go without a sign of life: emulated, all takes some thirty times as long.
const SILENT_LIMIT: Duration = Duration::from_secs(180);
/// Threads of QEMU that work at a time: the machine's processor, and what drives its devices.
const THREADS: u32 = 2;

/// A machine that is ready to be started.
#[derive(Debug)]
pub(super) struct Qemu {
    program: PathBuf,
    machine: &'static Machine,
    accelerated: Accelerated,
    kernel: Kernel,
    agent: Vec<u8>,
}

impl Qemu {
    /// Finds QEMU and a kernel.
    ///
    /// # Errors
    /// `second-runner-missing`, and what to install; `appliance-incomplete`.
    pub(super) fn new(options: &Options, files: &Files) -> Result<Self> {
        let machine =
            machine::of_host().ok_or_else(|| missing("there is no machine for this architecture"))?;
        let program = machine.program().ok_or_else(|| {
            missing(&format!(
                "there is no {}; install it (Debian and Ubuntu have it in {}, Fedora in qemu-kvm)",
                machine.program, machine.package
            ))
        })?;
        let program = program.canonicalize().unwrap_or(program);
        let kernel =
            Kernel::find(options.kernel.as_deref(), &files.directory).map_err(|why| missing(&why))?;
        let accelerated = machine.accelerated(options.accelerator);
        let agent = fs::read(&files.agent).map_err(|error| {
            Error::io("appliance-incomplete", format_args!("read {}", files.agent.display()), error)
        })?;
        Ok(Self { program, machine, accelerated, kernel, agent })
    }
}

fn missing(what: &str) -> Error {
    let message = format!("the appliance cannot run under QEMU: {what}");
    Error::new(ErrorKind::Appliance, "second-runner-missing", message)
}

impl Runner for Qemu {
    fn start(&self, start: &Start<'_>, lines: Lines) -> io::Result<Started> {
        let mut command = Command::new(&self.program);
        // A host without filters lets QEMU have none of its own, either.
        if start.host.seccomp != Seccomp::Missing {
            command.args(["-sandbox", crate::prove::SANDBOX]);
        }
        command
            .args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"])
            .args(["-machine", &format!("{},memory-backend=memory", self.machine.kind)])
            .args(["-object", &format!("memory-backend-memfd,id=memory,size={MACHINE_MIB}M,share=on")])
            .args(["-m", &MACHINE_MIB.to_string(), "-smp", "1"])
            .args(self.machine.processor(self.accelerated, TRANSLATED_MIB))
            .args(["-kernel", &by_descriptor(&self.kernel.image), "-initrd", &by_descriptor(start.initramfs)])
            .args(["-append", &self.machine.kernel_arguments()])
            .args(["-chardev", "stdio,id=said,signal=off", "-serial", "chardev:said"])
            .args(["-chardev", &format!("socket,id=reply,fd={}", lines.reply.as_raw_fd())])
            .args(["-device", "virtio-serial-pci,id=ports,disable-legacy=on,addr=02"])
            .args(["-device", "virtserialport,bus=ports.0,nr=1,chardev=reply"]);
        // It is given its connections, and makes none.
        let disks = start.sockets.iter().map(UnixStream::connect).collect::<io::Result<Vec<_>>>()?;
        for (number, connection) in disks.iter().enumerate() {
            command.args(disk(number, connection.as_raw_fd()));
        }
        let kernel = &self.kernel.image;
        let mut descriptors = vec![lines.reply.as_fd(), start.initramfs.as_fd(), kernel.as_fd()];
        descriptors.extend(disks.iter().map(AsFd::as_fd));
        let rights = Rights {
            executable: &self.program,
            directory: start.directory.path(),
            readable: &readable(&self.program),
            devices: &self.accelerated.devices(),
            descriptors: &descriptors,
            processor: None,
            file_cap_bytes: FILE_CAP_BYTES,
            memory_cap_bytes: Some(OWN_MEMORY_BYTES),
            time_cap: Some(start.time_limit * THREADS),
            calls: CallsOf::Program(Sockets::Given),
        };
        started(command, &rights, start, lines.said)
    }

    fn initramfs(&self) -> std::result::Result<Writer, TooLargeForCpio> {
        let mut archive = room::with_agent(&self.agent)?;
        for (name, content) in &self.kernel.files {
            archive.file(name, 0o600, content)?;
        }
        Ok(archive)
    }

    fn file_cap_bytes(&self) -> u64 {
        FILE_CAP_BYTES
    }

    fn bell(&self) -> Bell {
        Bell::Counter
    }

    /// QEMU connects before its kernel is started: what counts is a request.
    fn came_to_disks(&self, servers: &[Server]) -> bool {
        servers.iter().any(|server| server.signs() > 0)
    }

    fn silent_limit(&self) -> Duration {
        SILENT_LIMIT
    }

    fn cannot_start(&self, why: &str) -> Error {
        let (program, kernel) = (self.program.display(), self.kernel.path.display());
        cannot_start(format_args!("{program} with the kernel {kernel}: {why}"))
    }
}

fn by_descriptor(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// Returns the arguments of a disk. The kernel names disks in the order of their places, eight at each.
fn disk(number: usize, connection: RawFd) -> [String; 4] {
    let (slot, function) = (DISKS_AT + number / 8, number % 8);
    let place = format!("addr={slot:02x}.{function},multifunction=on");
    [
        "-chardev".to_owned(),
        format!("socket,id=disk{number},fd={connection}"),
        "-device".to_owned(),
        format!(
            "vhost-user-blk-pci,chardev=disk{number},num-queues=1,queue-size=128,disable-legacy=on,{place}"
        ),
    ]
}

/// The first place of disks.
const DISKS_AT: usize = 4;

/// Returns what a program of the host's packages reads.
fn readable(program: &Path) -> Vec<&Path> {
    let prefix = program.parent().and_then(Path::parent).filter(|prefix| *prefix != Path::new("/"));
    PROGRAM_FILES.iter().map(Path::new).chain(prefix).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_have_places_in_their_order() {
        let places: Vec<String> = [0, 7, 8, 25]
            .map(|number| {
                let [_, chardev, _, device] = disk(number, 9);
                assert_eq!(chardev, format!("socket,id=disk{number},fd=9"));
                device.rsplit_once("addr=").unwrap().1.to_owned()
            })
            .into();
        let expected = ["04.0", "04.7", "05.0", "07.1"].map(|place| format!("{place},multifunction=on"));
        assert_eq!(places, expected);
    }
}
