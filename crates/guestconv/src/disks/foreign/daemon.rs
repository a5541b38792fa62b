//! `qemu-storage-daemon`: reads an image in a format that this process does not, and has it at a socket that only we know.
//!
//! A hostile image may take it over: it is confined as other programs are, with the image's files to read and a private
//! directory to write. It is started by a thread of its own, since the kernel kills it when the thread that started it ends.

use super::Nodes;
use crate::appliance::PrivateDir;
use crate::confine::{self, CallsOf, Confinement, Host, PROGRAM_FILES, Rights, Sockets};
use crate::error::{Error, ErrorKind, Result};
use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;

const PROGRAM: &str = "qemu-storage-daemon";
/// The name of the node that is exported.
pub(super) const NODE: &str = "image";
/// What a log of an image that is replayed may write, and what it may say.
const FILE_CAP_BYTES: u64 = 256 << 20;
/// Its threads' stacks and its tables: the map of an image of 64 TiB has 256 MiB in the worst format.
const MEMORY_CAP_BYTES: u64 = 2 << 30;
/// How much of what it says is read.
const WORDS_CAP_BYTES: u64 = 64 << 10;

/// A running daemon; it goes with this.
pub(crate) struct Daemon {
    directory: PrivateDir,
    /// Its keeper waits for the end of this.
    stop: Option<Sender<()>>,
    keeper: Option<JoinHandle<()>>,
}

impl Daemon {
    /// Starts a daemon that exports the nodes, and returns a connection to it. What is wrong with the image it
    /// says when it is spoken to.
    ///
    /// # Errors
    /// `qemu-storage-daemon-missing`, `qemu-storage-daemon-failed`.
    pub(super) fn start(
        nodes: &Nodes,
        directory: PrivateDir,
        confinement: Confinement,
    ) -> Result<(Self, UnixStream)> {
        let host = Host::probe();
        host.require(confinement)?;
        let program = program(env::var_os("PATH").unwrap_or_default().as_os_str())?;
        let failed = |error: io::Error| {
            Error::io("qemu-storage-daemon-failed", format_args!("start {PROGRAM}"), error)
        };
        let socket = directory.path().join("nbd");
        let listener = UnixListener::bind(&socket).map_err(failed)?;
        // It is accepted as soon as the daemon can.
        let stream = UnixStream::connect(&socket).map_err(failed)?;
        let mut command = Command::new(&program);
        command
            .args(["--blockdev", &nodes.top.to_string()])
            .arg("--nbd-server")
            .arg(format!("addr.type=fd,addr.str={},max-connections=1", listener.as_raw_fd()))
            .args(["--export", &format!("type=nbd,id=export,node-name={NODE},name=,writable=off")])
            .env_clear()
            .env("LC_ALL", "C")
            .env("TMPDIR", directory.path())
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(words(&directory)).map_err(failed)?)
            .process_group(0);
        let program = program.canonicalize().map_err(failed)?;
        let prefix = program.parent().and_then(Path::parent).filter(|prefix| *prefix != Path::new("/"));
        let mut readable: Vec<&Path> = PROGRAM_FILES.iter().map(Path::new).collect();
        readable.extend(prefix);
        readable.extend(nodes.files.iter().map(PathBuf::as_path));
        let rights = Rights {
            executable: &program,
            directory: directory.path(),
            readable: &readable,
            // It tries locks on it.
            devices: &[Path::new("/dev/null")],
            descriptors: &[listener.as_fd()],
            processor: None,
            file_cap_bytes: FILE_CAP_BYTES,
            memory_cap_bytes: Some(MEMORY_CAP_BYTES),
            time_cap: None,
            calls: CallsOf::Program(Sockets::Unix),
        };
        confine::confine(&mut command, &rights, confinement, host).map_err(failed)?;
        let (stop, stopped) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let keep = move || {
            let mut child = match command.spawn() {
                Ok(child) => child,
                Err(error) => return drop(tell.send(Err(error))),
            };
            drop((tell.send(Ok(())), listener));
            // Nothing is ever sent: it ends when the other end goes.
            let _ = stopped.recv();
            end(&mut child);
        };
        let keeper =
            std::thread::Builder::new().name("guestconv-image".to_owned()).spawn(keep).map_err(failed)?;
        let daemon = Self { directory, stop: Some(stop), keeper: Some(keeper) };
        told.recv()
            .map_err(|error| failed(io::Error::other(error)))
            .and_then(|started| started.map_err(failed))?;
        Ok((daemon, stream))
    }

    /// Returns what it said last; `None` if it said nothing.
    pub(crate) fn last_words(&self) -> Option<String> {
        let mut text = Vec::new();
        let file = File::open(words(&self.directory)).ok()?;
        file.take(WORDS_CAP_BYTES).read_to_end(&mut text).ok()?;
        let text = String::from_utf8_lossy(&text);
        let last = text.lines().rfind(|line| !line.trim().is_empty())?;
        Some(said(last).to_owned())
    }
}

impl std::fmt::Debug for Daemon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Daemon").field("directory", &self.directory.path()).finish_non_exhaustive()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A keeper that panicked has no more to tell.
        drop(self.keeper.take().map(JoinHandle::join));
    }
}

fn end(child: &mut Child) {
    // One that has ended already cannot be killed.
    drop(child.kill());
    drop(child.wait());
}

fn words(directory: &PrivateDir) -> PathBuf {
    directory.path().join("words")
}

/// Returns a message without the program's name and the argument that it is about.
fn said(line: &str) -> &str {
    let line = line.strip_prefix(PROGRAM).map_or(line, |rest| rest.trim_start_matches(": "));
    let is_of_node = line.starts_with("--blockdev ");
    line.split_once("}: ").filter(|_| is_of_node).map_or(line, |(_, words)| words).trim()
}

fn program(path: &std::ffi::OsStr) -> Result<PathBuf> {
    let places = env::split_paths(path).map(|directory| directory.join(PROGRAM));
    let found = places.chain([Path::new("/usr/libexec").join(PROGRAM)]).find(|file| file.is_file());
    found.ok_or_else(|| {
        let message = format!(
            "this image can be read by QEMU only, and there is no {PROGRAM}; install it (Debian and Ubuntu have it in \
             qemu-utils), or convert the image to raw or qcow2"
        );
        Error::new(ErrorKind::Io, "qemu-storage-daemon-missing", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_without_the_argument_that_they_are_about() {
        for (line, expected) in [
            (
                "qemu-storage-daemon: --blockdev {\"driver\":\"vmdk\",\"file\":\"f\"}: Could not open 'a': No such file",
                "Could not open 'a': No such file",
            ),
            ("qemu-storage-daemon: --export x: {a}: no", "--export x: {a}: no"),
            ("something: else", "something: else"),
        ] {
            assert_eq!(said(line), expected);
        }
    }

    #[test]
    fn a_host_without_the_program_is_told_what_to_install() {
        let directory = tempfile::tempdir().unwrap();
        let outside = Path::new("/usr/libexec").join(PROGRAM);
        if outside.is_file() {
            assert_eq!(program(directory.path().as_os_str()).unwrap(), outside);
            return;
        }
        let error = program(directory.path().as_os_str()).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Io, "qemu-storage-daemon-missing"));
        std::fs::write(directory.path().join(PROGRAM), "").unwrap();
        assert_eq!(program(directory.path().as_os_str()).unwrap(), directory.path().join(PROGRAM));
    }
}
