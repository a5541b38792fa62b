//! One appliance at the other end of a disk: it says over a socket (vhost-user) where its memory and its ring are, and rings
//! a bell when there are requests. It is hostile: it may send any file, say any number, and stop in the middle of a word.
//!
//! So nothing here waits for what only it can give, but at the socket, which [`super::server::Server`] closes: its memory is
//! never mapped (`memory`), its bell is watched and never read, and the bell that we ring must be a socket: of all files only
//! that can be written without waiting for room, whoever else has it, and without a signal when nobody is there any more
//! (SIGPIPE would end a program that did not ask to ignore it, as those in Rust do). QEMU's is an eventfd, and nothing else: who
//! makes it wait is killed when its time is over, and then nobody has it but us.

use super::memory::{Memory, Part};
use super::request::Buffer;
use super::ring::Ring;
use super::server::{Bell, Device};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use vhost::VhostUserMemoryRegionBase;
use vhost::vhost_user::message::{
    VhostTransferStateDirection, VhostTransferStatePhase, VhostUserConfigFlags, VhostUserInflight,
    VhostUserLog, VhostUserMemoryRegion, VhostUserProtocolFeatures, VhostUserShMemConfig, VhostUserSharedMsg,
    VhostUserSingleMemoryRegion, VhostUserVirtioFeatures, VhostUserVringAddrFlags, VhostUserVringState,
};
use vhost::vhost_user::{
    Backend, BackendReqHandler, Error, GpuBackend, Result, VhostUserBackendReqHandlerMut,
};
use virtio_bindings::virtio_blk::{
    VIRTIO_BLK_F_BLK_SIZE, VIRTIO_BLK_F_DISCARD, VIRTIO_BLK_F_FLUSH, VIRTIO_BLK_F_SEG_MAX,
    VIRTIO_BLK_F_WRITE_ZEROES,
};
use virtio_bindings::virtio_config::VIRTIO_F_VERSION_1;
use virtio_bindings::virtio_ring::VIRTIO_RING_F_EVENT_IDX;

const SOCKET: u64 = 0;
const KICK: u64 = 1;
/// What belongs to features that are not offered.
const NOT_OFFERED: Error = Error::InvalidOperation("not offered");

/// Serves the appliance at the other end of `stream` until it goes, or says what makes no sense.
pub(super) fn serve(stream: UnixStream, device: &Arc<Device>) -> io::Result<()> {
    let events = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let watched = stream.try_clone()?;
    epoll::add(&events, &watched, EventData::new_u64(SOCKET), EventFlags::IN)?;
    let state = Arc::new(Mutex::new(State::new(Arc::clone(device), events.try_clone()?)));
    let mut handler = BackendReqHandler::from_stream(stream, Arc::clone(&state));
    let mut buffer = Buffer::default();
    while !device.is_stopped() {
        let mut came: Vec<epoll::Event> = Vec::with_capacity(2);
        match epoll::wait(&events, spare_capacity(&mut came), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if came.iter().any(|event| event.data.u64() == SOCKET) {
            handler.handle_request().map_err(io::Error::other)?;
        }
        state.lock().unwrap_or_else(PoisonError::into_inner).serve_ring(&mut buffer)?;
    }
    Ok(())
}

/// What the appliance has said so far.
struct State {
    device: Arc<Device>,
    events: OwnedFd,
    memory: Memory,
    ring: Ring,
    /// Where its process has the ring's parts: descriptors, available, used.
    places: Option<[u64; 3]>,
    is_enabled: bool,
    features: u64,
    /// It rings when there are requests.
    kick: Option<File>,
    /// Where it hears that some are done.
    call: Option<File>,
    /// Kept open, or the kernel takes the disk for removed.
    back_channel: Option<Backend>,
}

impl State {
    fn new(device: Arc<Device>, events: OwnedFd) -> Self {
        Self {
            device,
            events,
            memory: Memory::default(),
            ring: Ring::default(),
            places: None,
            is_enabled: false,
            features: 0,
            kick: None,
            call: None,
            back_channel: None,
        }
    }

    /// Carries out what is in the ring, if there is one.
    fn serve_ring(&mut self, buffer: &mut Buffer) -> io::Result<()> {
        let Some(places) = self.places.filter(|_| self.is_enabled && self.kick.is_some()) else {
            return Ok(());
        };
        let nonsense = |_| io::Error::from(io::ErrorKind::InvalidData);
        let [descriptors, available, used] = places;
        self.ring.descriptors = self.memory.physical(descriptors).map_err(nonsense)?;
        self.ring.available = self.memory.physical(available).map_err(nonsense)?;
        self.ring.used = self.memory.physical(used).map_err(nonsense)?;
        if !self.ring.is_sound(&self.memory) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let served = self.ring.serve(&self.device.target(), &self.memory, buffer).map_err(nonsense)?;
        if let Some(error) = served.host_error {
            self.device.note(error);
        }
        if served.notify { self.tell() } else { Ok(()) }
    }

    /// Tells the appliance that something is done. One that has not heard of so much before needs no more telling.
    fn tell(&self) -> io::Result<()> {
        let Some(call) = &self.call else { return Ok(()) };
        let one = 1u64.to_ne_bytes();
        let rung = match self.device.bell {
            Bell::Socket => send(call, &one, SendFlags::DONTWAIT | SendFlags::NOSIGNAL),
            Bell::Counter => rustix::io::write(call, &one),
        };
        match rung {
            Ok(_) | Err(Errno::AGAIN) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn watch(&mut self, kick: Option<File>) -> io::Result<()> {
        if let Some(before) = self.kick.take() {
            epoll::delete(&self.events, &before)?;
        }
        if let Some(kick) = kick {
            // By edges: it is never read, which might wait for ever. Whatever cannot be watched so is no bell.
            let flags = EventFlags::IN | EventFlags::ET;
            epoll::add(&self.events, &kick, EventData::new_u64(KICK), flags)?;
            self.kick = Some(kick);
        }
        Ok(())
    }
}

impl VhostUserBackendReqHandlerMut for State {
    fn set_owner(&mut self) -> Result<()> {
        Ok(())
    }

    fn reset_owner(&mut self) -> Result<()> {
        Ok(())
    }

    fn get_features(&mut self) -> Result<u64> {
        Ok(features())
    }

    fn set_features(&mut self, wanted: u64) -> Result<()> {
        if wanted & !features() != 0 {
            return Err(Error::InvalidParam);
        }
        self.features = wanted;
        self.ring.has_events = wanted & (1 << VIRTIO_RING_F_EVENT_IDX) != 0;
        self.is_enabled |= wanted & VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits() == 0;
        Ok(())
    }

    fn set_mem_table(
        &mut self,
        regions: &[VhostUserMemoryRegion],
        files: Vec<File>,
        _: Option<bool>,
    ) -> Result<Option<Vec<VhostUserMemoryRegionBase>>> {
        let part = |(region, file): (&VhostUserMemoryRegion, File)| Part {
            physical: region.guest_phys_addr,
            virtual_address: region.user_addr,
            length: region.memory_size,
            file,
            offset: region.mmap_offset,
        };
        let parts = regions.iter().zip(files).map(part).collect();
        self.memory = Memory::new(parts).map_err(|_| Error::InvalidParam)?;
        Ok(None)
    }

    fn set_vring_num(&mut self, index: u32, entries: u32) -> Result<()> {
        only(index)?;
        self.ring.entries = u16::try_from(entries).map_err(|_| Error::InvalidParam)?;
        Ok(())
    }

    fn set_vring_addr(
        &mut self,
        index: u32,
        _: VhostUserVringAddrFlags,
        descriptors: u64,
        used: u64,
        available: u64,
        _: u64,
    ) -> Result<()> {
        only(index)?;
        self.places = Some([descriptors, available, used]);
        // What was given back before is in the ring alone (as QEMU's libvhost-user has it).
        let given_back = self.memory.physical(used).and_then(|used| self.memory.number::<4>(used));
        let given_back = given_back.map_err(|_| Error::InvalidParam)? >> 16;
        self.ring.next_used = u16::try_from(given_back).map_err(|_| Error::InvalidParam)?;
        Ok(())
    }

    fn set_vring_base(&mut self, index: u32, base: u32) -> Result<()> {
        only(index)?;
        self.ring.next_available = u16::try_from(base).map_err(|_| Error::InvalidParam)?;
        Ok(())
    }

    /// The ring stops.
    fn get_vring_base(&mut self, index: u32) -> Result<VhostUserVringState> {
        only(index)?;
        self.watch(None).map_err(Error::ReqHandlerError)?;
        self.call = None;
        Ok(VhostUserVringState::new(index, self.ring.next_available.into()))
    }

    fn set_vring_kick(&mut self, index: u8, kick: Option<File>) -> Result<()> {
        only(index.into())?;
        self.watch(kick).map_err(Error::ReqHandlerError)
    }

    fn set_vring_call(&mut self, index: u8, call: Option<File>) -> Result<()> {
        only(index.into())?;
        if call.as_ref().is_some_and(|call| !is_bell(call, self.device.bell)) {
            return Err(Error::InvalidParam);
        }
        if self.device.bell == Bell::Counter {
            self.device.rings_by(call.as_ref()).map_err(Error::ReqHandlerError)?;
        }
        self.call = call;
        Ok(())
    }

    fn set_vring_err(&mut self, index: u8, _: Option<File>) -> Result<()> {
        only(index.into())
    }

    fn get_protocol_features(&mut self) -> Result<VhostUserProtocolFeatures> {
        Ok(VhostUserProtocolFeatures::CONFIG
            | VhostUserProtocolFeatures::MQ
            | VhostUserProtocolFeatures::BACKEND_REQ
            | VhostUserProtocolFeatures::REPLY_ACK)
    }

    fn set_protocol_features(&mut self, _: u64) -> Result<()> {
        Ok(())
    }

    fn get_queue_num(&mut self) -> Result<u64> {
        Ok(1)
    }

    fn set_vring_enable(&mut self, index: u32, enable: bool) -> Result<()> {
        only(index)?;
        self.is_enabled = enable;
        Ok(())
    }

    fn get_config(&mut self, offset: u32, size: u32, _: VhostUserConfigFlags) -> Result<Vec<u8>> {
        let [offset, size] =
            [offset, size].map(|number| usize::try_from(number.min(256)).unwrap_or_default());
        // A driver that asks for more than there is gets zeroes, of at most the protocol's 256 bytes.
        let config = self.device.config().into_iter().chain(std::iter::repeat(0));
        Ok(config.skip(offset).take(size).collect())
    }

    fn set_backend_req_fd(&mut self, backend: Backend) {
        self.back_channel = Some(backend);
    }

    fn reset_device(&mut self) -> Result<()> {
        Err(NOT_OFFERED)
    }

    fn set_config(&mut self, _: u32, _: &[u8], _: VhostUserConfigFlags) -> Result<()> {
        Err(NOT_OFFERED)
    }

    fn set_gpu_socket(&mut self, _: GpuBackend) -> Result<()> {
        Err(NOT_OFFERED)
    }

    fn get_shared_object(&mut self, _: VhostUserSharedMsg) -> Result<File> {
        Err(NOT_OFFERED)
    }

    fn get_inflight_fd(&mut self, _: &VhostUserInflight) -> Result<(VhostUserInflight, File)> {
        Err(NOT_OFFERED)
    }

    fn set_inflight_fd(&mut self, _: &VhostUserInflight, _: File) -> Result<()> {
        Err(NOT_OFFERED)
    }

    fn get_max_mem_slots(&mut self) -> Result<u64> {
        Err(NOT_OFFERED)
    }

    fn add_mem_region(
        &mut self,
        _: &VhostUserSingleMemoryRegion,
        _: File,
        _: Option<bool>,
    ) -> Result<Option<VhostUserMemoryRegionBase>> {
        Err(NOT_OFFERED)
    }

    fn remove_mem_region(&mut self, _: &VhostUserSingleMemoryRegion) -> Result<()> {
        Err(NOT_OFFERED)
    }

    fn set_device_state_fd(
        &mut self,
        _: VhostTransferStateDirection,
        _: VhostTransferStatePhase,
        _: File,
    ) -> Result<Option<File>> {
        Err(NOT_OFFERED)
    }

    fn check_device_state(&mut self) -> Result<()> {
        Err(NOT_OFFERED)
    }

    fn get_shmem_config(&mut self) -> Result<VhostUserShMemConfig> {
        Err(NOT_OFFERED)
    }

    fn set_log_base(&mut self, _: &VhostUserLog, _: File) -> Result<()> {
        Err(NOT_OFFERED)
    }
}

/// What the device offers: features of the disk, and the protocol's own.
fn features() -> u64 {
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

fn is_bell(file: &File, bell: Bell) -> bool {
    match bell {
        Bell::Socket => {
            fstat(file).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Socket)
        }
        // A file with a name has a path there, which begins with a slash.
        Bell::Counter => std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
            .is_ok_and(|name| name == Path::new("anon_inode:[eventfd]")),
    }
}

/// There is one ring.
fn only(index: u32) -> Result<()> {
    if index == 0 { Ok(()) } else { Err(Error::InvalidParam) }
}

#[cfg(test)]
mod tests;
