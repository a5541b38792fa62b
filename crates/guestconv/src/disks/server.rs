//! Serves one disk to the appliance over vhost-user-blk, from a thread of our own process.
//!
//! What User Mode Linux needs (tried): the protocol feature BACKEND_REQ, or its interrupt does not come up; the channel
//! handed to `set_backend_req_fd` kept open, or it takes the disk for removed.

use super::request::{self, RANGE_SECTORS_CAP, RANGES_CAP, SECTOR_BYTES, SEGMENTS_CAP, Target};
use super::view::View;
use super::{Counters, Disk};
use crate::error::{Error, ErrorKind, Result};
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use vhost::vhost_user::message::{VhostUserProtocolFeatures, VhostUserVirtioFeatures};
use vhost::vhost_user::{Backend, Listener};
use vhost_user_backend::{VhostUserBackend, VhostUserDaemon, VringRwLock, VringT};
use virtio_bindings::virtio_blk::{
    VIRTIO_BLK_F_BLK_SIZE, VIRTIO_BLK_F_DISCARD, VIRTIO_BLK_F_FLUSH, VIRTIO_BLK_F_SEG_MAX,
    VIRTIO_BLK_F_WRITE_ZEROES,
};
use virtio_bindings::virtio_config::VIRTIO_F_VERSION_1;
use virtio_bindings::virtio_ring::VIRTIO_RING_F_EVENT_IDX;
use virtio_queue::QueueT;
use vm_memory::{GuestAddressSpace, GuestMemoryAtomic, GuestMemoryMmap};
use vmm_sys_util::epoll::EventSet;
use vmm_sys_util::event::{EventConsumer, EventFlag, EventNotifier, new_event_consumer_and_notifier};

/// Whether what the appliance flushes must reach the overlay's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// The overlay is thrown away.
    None,
    /// The overlay is kept: a flush reaches its file. It is synced to the medium once, before the commit.
    File,
}

/// A disk being served at a socket.
pub(crate) struct Server {
    socket: PathBuf,
    device: Arc<Device>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `view` for `disk` at the new socket `socket`; one client is accepted.
    pub(crate) fn start(disk: &Disk, view: View, durability: Durability, socket: PathBuf) -> Result<Self> {
        let device = Arc::new(Device::new(view, Arc::clone(&disk.counters), durability).map_err(starting)?);
        let memory = GuestMemoryAtomic::new(GuestMemoryMmap::<()>::new());
        let mut daemon =
            VhostUserDaemon::new(format!("guestconv-{}", disk.name), Arc::clone(&device), memory)
                .map_err(|error| starting(io::Error::other(error.to_string())))?;
        let mut listener =
            Listener::new(&socket, false).map_err(|error| starting(io::Error::other(error.to_string())))?;
        let served = Arc::clone(&device);
        let serve = move || {
            // An appliance that dies closes the socket in the middle of a message: its runner tells that story.
            if daemon.start(&mut listener).is_ok() {
                served.is_connected.store(true, Ordering::Relaxed);
                drop(daemon.wait());
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
        self.device.is_connected.load(Ordering::Relaxed)
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
        let error = self.device.host_error.lock().unwrap_or_else(PoisonError::into_inner).take();
        error.map_or(Ok(()), |error| {
            Err(Error::io("disk-io-failed", "read the disk or write its overlay", error))
        })
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // The thread may still wait for an appliance that never came: one connection, closed at once, wakes it.
            drop(UnixStream::connect(&self.socket));
            drop(thread.join());
        }
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

struct Device {
    view: View,
    counters: Arc<Counters>,
    durability: Durability,
    is_connected: AtomicBool,
    signs: AtomicU64,
    host_error: Mutex<Option<io::Error>>,
    memory: RwLock<Option<GuestMemoryAtomic<GuestMemoryMmap>>>,
    exit: Mutex<Option<(EventConsumer, EventNotifier)>>,
    back_channel: Mutex<Option<Backend>>,
}

impl Device {
    fn new(view: View, counters: Arc<Counters>, durability: Durability) -> io::Result<Self> {
        Ok(Self {
            view,
            counters,
            durability,
            is_connected: AtomicBool::new(false),
            signs: AtomicU64::new(0),
            host_error: Mutex::new(None),
            memory: RwLock::new(None),
            exit: Mutex::new(Some(new_event_consumer_and_notifier(EventFlag::NONBLOCK)?)),
            back_channel: Mutex::new(None),
        })
    }

    /// Returns the device's configuration, virtio 1.2 section 5.2.4.
    fn config(&self) -> Vec<u8> {
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

    fn note(&self, error: io::Error) {
        self.host_error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}

impl VhostUserBackend for Device {
    type Bitmap = ();
    type Vring = VringRwLock;

    fn num_queues(&self) -> usize {
        1
    }

    fn max_queue_size(&self) -> usize {
        256
    }

    fn features(&self) -> u64 {
        let bits = [
            VIRTIO_F_VERSION_1,
            VIRTIO_BLK_F_FLUSH,
            VIRTIO_BLK_F_BLK_SIZE,
            VIRTIO_BLK_F_SEG_MAX,
            VIRTIO_BLK_F_WRITE_ZEROES,
            VIRTIO_BLK_F_DISCARD,
            VIRTIO_RING_F_EVENT_IDX,
        ];
        bits.iter().fold(VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits(), |all, bit| all | 1 << bit)
    }

    fn protocol_features(&self) -> VhostUserProtocolFeatures {
        VhostUserProtocolFeatures::CONFIG
            | VhostUserProtocolFeatures::MQ
            | VhostUserProtocolFeatures::BACKEND_REQ
            | VhostUserProtocolFeatures::REPLY_ACK
    }

    fn set_event_idx(&self, _enabled: bool) {}

    fn set_backend_req_fd(&self, backend: Backend) {
        *self.back_channel.lock().unwrap_or_else(PoisonError::into_inner) = Some(backend);
    }

    fn get_config(&self, offset: u32, size: u32) -> Vec<u8> {
        let (Ok(offset), Ok(size)) = (usize::try_from(offset), usize::try_from(size)) else {
            return Vec::new();
        };
        // A driver that asks for more than there is gets zeroes, of at most the protocol's 256 bytes.
        self.config()
            .into_iter()
            .chain(std::iter::repeat(0))
            .skip(offset.min(256))
            .take(size.min(256))
            .collect()
    }

    fn update_memory(&self, memory: GuestMemoryAtomic<GuestMemoryMmap>) -> io::Result<()> {
        *self.memory.write().unwrap_or_else(PoisonError::into_inner) = Some(memory);
        Ok(())
    }

    fn exit_event(&self, _thread: usize) -> Option<(EventConsumer, EventNotifier)> {
        self.exit.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn handle_event(
        &self,
        _event: u16,
        _set: EventSet,
        vrings: &[VringRwLock],
        _thread: usize,
    ) -> io::Result<()> {
        let guard = self.memory.read().unwrap_or_else(PoisonError::into_inner);
        let memory = guard.as_ref().ok_or(io::ErrorKind::NotConnected)?.memory();
        let vring = vrings.first().ok_or(io::ErrorKind::NotConnected)?;
        let flushes = self.durability == Durability::File;
        let target = Target { view: &self.view, counters: &self.counters, flushes };
        loop {
            vring.disable_notification().map_err(io::Error::other)?;
            let mut any = false;
            loop {
                let chain = vring.get_mut().get_queue_mut().pop_descriptor_chain(&*memory);
                let Some(chain) = chain else { break };
                let head = chain.head_index();
                let descriptors: Vec<_> = chain.collect();
                self.signs.fetch_add(1, Ordering::Relaxed);
                let answer = request::carry_out(&target, &memory, &descriptors);
                let written_bytes = answer.as_ref().map_or(0, |answer| answer.written_bytes);
                if let Some(error) = answer.and_then(|answer| answer.host_error) {
                    self.note(error);
                }
                self.signs.fetch_add(1, Ordering::Relaxed);
                vring.add_used(head, written_bytes).map_err(io::Error::other)?;
                any = true;
            }
            if any && vring.needs_notification().map_err(io::Error::other)? {
                vring.signal_used_queue()?;
            }
            if !vring.enable_notification().map_err(io::Error::other)? {
                return Ok(());
            }
        }
    }
}
