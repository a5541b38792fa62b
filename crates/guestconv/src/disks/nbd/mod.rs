//! Disks that a server of NBD has: one of the caller's, or our own QEMU for the formats that only QEMU reads. They are only
//! read here. The other end may be hostile: all that it says has a limit.

mod address;
mod connection;
mod handshake;
mod stream;
#[cfg(test)]
mod tests;

pub(crate) use address::Address;

use super::Extent;
use super::foreign::Daemon;
use crate::error::{Error, ErrorKind, Result};
use address::Server;
use connection::Connection;
use handshake::{Export, Refusal};
use imago::Storage;
use imago::io_buffers::{IoVector, IoVectorMut};
use imago::storage::drivers::CommonStorageHelper;
use std::fmt;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};
use stream::Stream;

/// An export of a server, connected.
#[derive(Debug)]
pub(crate) struct Nbd {
    connection: Mutex<Connection>,
    export: Export,
    /// What it is called to people.
    name: String,
    /// The server, if it is ours: it lives as long as this.
    daemon: Option<Daemon>,
    helper: CommonStorageHelper,
}

impl Nbd {
    /// Connects to a server of the caller.
    ///
    /// # Errors
    /// `nbd-not-connected`, `nbd-export-unknown`, `nbd-tls-unsupported`, `nbd-failed`.
    pub(crate) fn connect(address: &Address, name: &str) -> Result<Self> {
        let mut stream = Stream::connect(&address.server).map_err(|error| {
            let place = match &address.server {
                Server::Tcp(host, port) => format!("{host} port {port}"),
                Server::Unix(path) => path.display().to_string(),
            };
            let message =
                format!("cannot connect to the NBD server at {place}: {error}; check that it runs there");
            Error::new(ErrorKind::Disk, "nbd-not-connected", message).caused_by(error)
        })?;
        let export = handshake::greet(&mut stream, &address.export).map_err(|refusal| match refusal {
            Refusal::Unknown => {
                let message = format!(
                    "the NBD server of {name} has no export {:?}; look which it has (nbdinfo --list)",
                    address.export
                );
                Error::new(ErrorKind::Disk, "nbd-export-unknown", message)
            }
            Refusal::Tls => {
                let message = format!("the NBD server of {name} asks for TLS, which is not spoken here");
                Error::new(ErrorKind::Disk, "nbd-tls-unsupported", message)
            }
            Refusal::Failed(error) => {
                let message = format!("the NBD server of {name} cannot be read: {error}; check what it is");
                Error::new(ErrorKind::Disk, "nbd-failed", message).caused_by(error)
            }
        })?;
        Ok(Self::new(stream, export, name, None))
    }

    /// Returns what a server of ours exports over the connection.
    ///
    /// # Errors
    /// Why there is nothing: it has ended, and has said why.
    pub(super) fn of_daemon(
        stream: UnixStream,
        daemon: Daemon,
        name: &str,
    ) -> std::result::Result<Self, String> {
        let mut stream = Stream::of(stream);
        match handshake::greet(&mut stream, "") {
            Ok(export) => Ok(Self::new(stream, export, name, Some(daemon))),
            Err(refusal) => {
                let why = match refusal {
                    Refusal::Failed(error) => error.to_string(),
                    Refusal::Unknown | Refusal::Tls => "it exports nothing".to_owned(),
                };
                Err(daemon.last_words().unwrap_or(why))
            }
        }
    }

    fn new(stream: Stream, export: Export, name: &str, daemon: Option<Daemon>) -> Self {
        let connection = Mutex::new(Connection::new(stream, export));
        Self { connection, export, name: name.to_owned(), daemon, helper: CommonStorageHelper::default() }
    }

    /// Returns what is known of a range.
    pub(super) fn extent(&self, offset: u64, length: u64) -> io::Result<Extent> {
        let block = u64::from(self.export.block_bytes);
        let (start, end) = (offset / block * block, offset.saturating_add(length).div_ceil(block) * block);
        let asked = end.min(self.export.size_bytes).saturating_sub(start);
        let range = self.held().extent(start, asked).map_err(|error| self.told(error))?;
        let known = range.length.saturating_sub(offset - start).clamp(1, length);
        Ok(if range.is_zeroes { Extent::Zeroes(known) } else { Extent::Data(known) })
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let at_once = usize::try_from(self.export.request_bytes).map_err(io::Error::other)?;
        let mut connection = self.held();
        let mut at = offset;
        for part in buffer.chunks_mut(at_once) {
            // What lies behind the end reads as zeroes.
            let there = self.export.size_bytes.saturating_sub(at);
            let there = usize::try_from(there).unwrap_or(usize::MAX).min(part.len());
            let (part, behind) = part.split_at_mut(there);
            behind.fill(0);
            if !part.is_empty() {
                connection.read(part, at).map_err(|error| self.told(error))?;
            }
            at += u64::try_from(there).map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Returns an error with what our own server said last.
    fn told(&self, error: io::Error) -> io::Error {
        match self.daemon.as_ref().and_then(Daemon::last_words) {
            Some(words) => io::Error::new(error.kind(), format!("{error}: {words}")),
            None => io::Error::new(error.kind(), format!("{}: {error}", self.name)),
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Connection> {
        // Who panicked with it has left it between two requests, or it is broken, and says so.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[allow(unsafe_code, reason = "imago declares these functions so; listed in ARCHITECTURE.md")]
impl Storage for Nbd {
    fn req_align(&self) -> usize {
        usize::try_from(self.export.block_bytes).unwrap_or(1)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.export.size_bytes)
    }

    unsafe fn pure_readv(&self, mut vector: IoVectorMut<'_>, offset: u64) -> io::Result<()> {
        // One request, whatever the buffers: a guest's page cache gives one for each page.
        let mut bytes = vec![0; usize::try_from(vector.len()).map_err(io::Error::other)?];
        self.read(&mut bytes, offset)?;
        vector.copy_from_slice(&bytes);
        Ok(())
    }

    unsafe fn pure_writev(&self, _: IoVector<'_>, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    unsafe fn invalidate_cache(&self) -> io::Result<()> {
        Ok(())
    }

    fn get_storage_helper(&self) -> &CommonStorageHelper {
        &self.helper
    }
}

impl fmt::Display for Nbd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
