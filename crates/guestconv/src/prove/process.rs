//! QEMU's process: started in a group of its own, heard on its console and monitor, killed and reaped when this goes.

use super::arguments::Places;
use super::confined;
use super::monitor::Monitor;
use super::{ProofDisk, ProveError, ProveOptions};
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long QEMU may take until it has connected.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// A running QEMU.
pub(super) struct Process {
    child: Child,
    group: Option<Pid>,
    messages: PathBuf,
    /// The guest's console, until somebody takes it; `None`: it has none.
    pub(super) console: Option<UnixStream>,
    /// The monitor.
    pub(super) monitor: Option<Monitor>,
    /// When it was started.
    pub(super) started: Instant,
}

impl Process {
    /// Starts QEMU, whose arguments name the places, and waits until it has connected.
    ///
    /// # Errors
    /// [`ProveError::Start`], [`ProveError::QemuRefused`], [`ProveError::Io`], [`ProveError::Cancelled`].
    pub(super) fn start(
        qemu: &Path,
        arguments: &[String],
        disks: &[ProofDisk],
        directory: &Path,
        places: &Places,
        has_console: bool,
        options: &ProveOptions,
    ) -> Result<Self, ProveError> {
        let failed = |source| ProveError::Io { act: "make a socket", source };
        let console = has_console.then(|| UnixListener::bind(&places.console)).transpose().map_err(failed)?;
        let monitor = UnixListener::bind(&places.monitor).map_err(failed)?;
        let messages = directory.join("messages");
        let file = File::create(&messages)
            .map_err(|source| ProveError::Io { act: "write qemu's messages", source })?;
        let started = Instant::now();
        let mut command = Command::new(qemu);
        command
            .args(arguments)
            // Here are the overlays of `snapshot=on`.
            .env("TMPDIR", directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .process_group(0);
        let cannot = |source| ProveError::Io { act: "confine qemu", source };
        confined::confine(&mut command, qemu, directory, disks, options).map_err(cannot)?;
        let child = command
            .spawn()
            .map_err(|source| ProveError::Start { program: qemu.display().to_string(), source })?;
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let mut process = Self { child, group, messages, console: None, monitor: None, started };
        let stream = process.accept(&monitor, options)?;
        if let Some(console) = console {
            process.console = Some(process.accept(&console, options)?);
        }
        process.monitor = Some(Monitor::greet(stream).ok_or_else(|| process.refused())?);
        Ok(process)
    }

    /// Returns whether QEMU has ended, and what it said then.
    pub(super) fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        let said = self.messages();
        Some(if said.is_empty() { format!("qemu ended ({status})") } else { said })
    }

    /// A QEMU that does not greet is about to end, and has said why.
    fn refused(&mut self) -> ProveError {
        let since = Instant::now();
        loop {
            if let Some(reason) = self.ended() {
                return ProveError::QemuRefused { reason };
            }
            if since.elapsed() > CONNECT_LIMIT {
                return ProveError::QemuRefused { reason: "its monitor does not answer".to_owned() };
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn messages(&self) -> String {
        let text = confined::left(&self.messages).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().filter(|line| !line.contains("warning:")).collect();
        let said = lines.join(" / ").trim().to_owned();
        // Distributions put some of QEMU's devices into packages of their own.
        let is_device_missing = said.contains("is not a valid device model name");
        if is_device_missing { format!("{said} (Debian has qxl in qemu-system-modules-spice)") } else { said }
    }

    fn accept(&mut self, listener: &UnixListener, options: &ProveOptions) -> Result<UnixStream, ProveError> {
        let failed = |source| ProveError::Io { act: "be connected to qemu", source };
        listener.set_nonblocking(true).map_err(failed)?;
        loop {
            match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).map_err(failed)?;
                    return Ok(stream);
                }
                Err(error) if is_early(&error) => {}
                Err(error) => return Err(failed(error)),
            }
            if let Some(reason) = self.ended() {
                return Err(ProveError::QemuRefused { reason });
            }
            if options.cancel.is_cancelled() {
                return Err(ProveError::Cancelled);
            }
            if self.started.elapsed() > CONNECT_LIMIT {
                let reason = format!("it did not connect within {} seconds", CONNECT_LIMIT.as_secs());
                return Err(ProveError::QemuRefused { reason });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A group that is gone, or a child that was reaped, is as it should be.
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        drop(self.child.wait());
    }
}

/// Returns whether an error only says that nothing has come yet.
pub(super) fn is_early(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
