//! Serves one disk to the appliance over vhost-user-blk, from a thread of our own process.
//!
//! What User Mode Linux needs (tried): the protocol feature BACKEND_REQ, or its interrupt does not come up; the channel
//! handed over with it kept open, or it takes the disk for removed. Its bell is an eventfd, and ours is one of two sockets. QEMU
//! has eventfds for both.

use super::request::{RANGE_SECTORS_CAP, RANGES_CAP, SECTOR_BYTES, SEGMENTS_CAP, Target};
use super::view::View;
use super::{Counters, Disk, session};
use crate::error::{Error, ErrorKind, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Whether what the appliance flushes must reach the overlay's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// The overlay is thrown away.
    None,
    /// The overlay is kept: a flush reaches its file. It is synced to the medium once, before the commit.
    File,
}

/// What an appliance gives us to ring when requests are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bell {
    /// A socket.
    Socket,
    /// An eventfd, a counter that the appliance can make wait: what waits for it is let go when it is gone.
    Counter,
}

/// A disk being served at a socket.
pub(crate) struct Server {
    socket: PathBuf,
    device: Arc<Device>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `view` for `disk` at the new socket `socket`; one client is accepted.
    pub(crate) fn start(
        disk: &Disk,
        view: View,
        durability: Durability,
        bell: Bell,
        socket: PathBuf,
    ) -> Result<Self> {
        let device = Arc::new(Device::new(view, Arc::clone(&disk.counters), durability, bell));
        let listener = UnixListener::bind(&socket).map_err(starting)?;
        let served = Arc::clone(&device);
        let serve = move || {
            // An appliance that dies closes the socket in the middle of a message: its runner tells that story.
            if let Ok((stream, _)) = listener.accept()
                && served.connected(&stream).is_ok()
            {
                drop(session::serve(stream, &served));
                // The appliance is not left waiting for an answer.
                served.stop();
            }
        };
        let thread = std::thread::Builder::new().name(format!("guestconv-{}", disk.name)).spawn(serve);
        Ok(Self { socket, device, thread: Some(thread.map_err(starting)?) })
    }

    /// Returns the socket's path.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Returns whether the appliance ever connected.
    pub(crate) fn was_connected(&self) -> bool {
        held(&self.device.connection).is_some()
    }

    /// Returns a number that grows with every request that begins and ends.
    pub(crate) fn signs(&self) -> u64 {
        self.device.signs.load(Ordering::Relaxed)
    }

    /// Waits until the appliance, which has ended, is no longer served.
    ///
    /// # Errors
    /// The first error of the host: an image that cannot be read, an overlay that cannot grow.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.join();
        let error = held(&self.device.host_error).take();
        error.map_or(Ok(()), |error| {
            Err(Error::io("disk-io-failed", "read the disk or write its overlay", error))
        })
    }

    fn join(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.device.stop();
        // The thread may still wait for an appliance that never came: one connection, closed at once, wakes it.
        drop(UnixStream::connect(&self.socket));
        self.device.let_go();
        drop(thread.join());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.join();
    }
}

fn starting(error: io::Error) -> Error {
    Error::new(
        ErrorKind::Io,
        "disk-server-failed",
        format!("cannot serve the disk to the appliance: {error}"),
    )
    .caused_by(error)
}

/// The disk as a device, and how its thread is stopped.
#[derive(Debug)]
pub(super) struct Device {
    view: View,
    counters: Arc<Counters>,
    durability: Durability,
    pub(super) bell: Bell,
    is_stopped: AtomicBool,
    signs: AtomicU64,
    /// What the thread may wait for while it rings.
    counter: Mutex<Option<File>>,
    /// The appliance's, once it came.
    connection: Mutex<Option<UnixStream>>,
    host_error: Mutex<Option<io::Error>>,
}

impl Device {
    pub(super) fn new(view: View, counters: Arc<Counters>, durability: Durability, bell: Bell) -> Self {
        Self {
            view,
            counters,
            durability,
            bell,
            counter: Mutex::default(),
            is_stopped: AtomicBool::new(false),
            signs: AtomicU64::new(0),
            connection: Mutex::default(),
            host_error: Mutex::default(),
        }
    }

    /// Returns the device's configuration, virtio 1.2 section 5.2.4.
    pub(super) fn config(&self) -> Vec<u8> {
        let segments = u32::try_from(SEGMENTS_CAP).unwrap_or(1);
        let fields: [(usize, &[u8]); 8] = [
            (0, &(self.view.size() / SECTOR_BYTES).to_le_bytes()),
            (12, &segments.to_le_bytes()),
            (20, &512u32.to_le_bytes()),
            (36, &RANGE_SECTORS_CAP.to_le_bytes()), // discard: sectors, ranges, alignment
            (40, &RANGES_CAP.to_le_bytes()),
            (44, &1u32.to_le_bytes()),
            (48, &RANGE_SECTORS_CAP.to_le_bytes()), // zeroes: sectors, ranges
            (52, &RANGES_CAP.to_le_bytes()),
        ];
        let mut config = vec![0; 60];
        for (at, bytes) in fields {
            if let Some(place) = config.get_mut(at..at + bytes.len()) {
                place.copy_from_slice(bytes);
            }
        }
        config
    }

    /// Returns where requests go.
    pub(super) fn target(&self) -> Target<'_> {
        let flushes = self.durability == Durability::File;
        Target {
            view: &self.view,
            counters: &self.counters,
            flushes,
            is_stopped: &self.is_stopped,
            signs: &self.signs,
        }
    }

    /// Takes note of an error of the host.
    pub(super) fn note(&self, error: io::Error) {
        held(&self.host_error).get_or_insert(error);
    }

    /// Returns whether serving has to end.
    pub(super) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::SeqCst)
    }

    /// Takes note of the appliance's connection, by which its thread can be woken.
    ///
    /// # Errors
    /// If it comes too late.
    fn connected(&self, stream: &UnixStream) -> io::Result<()> {
        let mut connection = held(&self.connection);
        if self.is_stopped() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        *connection = Some(stream.try_clone()?);
        Ok(())
    }

    /// Takes note of the counter that the thread rings by.
    pub(super) fn rings_by(&self, counter: Option<&File>) -> io::Result<()> {
        *held(&self.counter) = counter.map(File::try_clone).transpose()?;
        Ok(())
    }

    /// Lets the thread go that may wait because the counter is full. Nobody else counts: the appliance is gone.
    fn let_go(&self) {
        let counter = held(&self.counter);
        let Some(counter) = &*counter else { return };
        let mut counted = [PollFd::new(counter, PollFlags::IN)];
        let is_counted = poll(&mut counted, Some(&Timespec::default())) == Ok(1);
        if is_counted {
            // It is empty then.
            let _ = rustix::io::read(counter, &mut [0; 8]);
        }
    }

    /// Ends serving: whatever the thread waits for at the socket is over. The appliance might have hidden the other end in
    /// the very socket, so that it stays open when it is gone.
    fn stop(&self) {
        let connection = held(&self.connection);
        self.is_stopped.store(true, Ordering::SeqCst);
        if let Some(stream) = &*connection {
            // It may have closed it.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
