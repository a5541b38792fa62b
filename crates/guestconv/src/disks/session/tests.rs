//! Tests: an appliance as it should be, and what a hostile one tries. None needs a kernel: the test is the appliance.

use super::super::{Disk, Durability, Server, View, open};
use super::*;
use crate::testing;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::MemfdFlags;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

const PHYSICAL: u64 = 0x10_0000;
const VIRTUAL: u64 = 0x6000_0000;
const MEMORY_BYTES: u64 = 1 << 20;
const ENTRIES: u64 = 4;
/// How long a busy machine may take.
const LIMIT: Timespec = Timespec { tv_sec: 60, tv_nsec: 0 };
/// Where in its memory the appliance has the parts of its ring, and what is on its way.
const DESCRIPTORS: u64 = 0;
const AVAILABLE: u64 = 0x1000;
const USED: u64 = 0x2000;
const HEAD: u64 = 0x3000;
const DATA: u64 = 0x4000;
const STATUS: u64 = 0x8000;

const SET_OWNER: u32 = 3;
const SET_MEM_TABLE: u32 = 5;
const SET_VRING_NUM: u32 = 8;
const SET_VRING_ADDR: u32 = 9;
const SET_VRING_KICK: u32 = 12;
const SET_VRING_CALL: u32 = 13;

struct Appliance {
    server: Option<Server>,
    stream: UnixStream,
    memory: File,
    kick: OwnedFd,
    call: (UnixStream, Option<UnixStream>),
    available: u16,
    _dir: tempfile::TempDir,
}

impl Appliance {
    /// Connects to a new server of a disk of noise.
    fn connected() -> Self {
        Self::connected_with(Bell::Socket)
    }

    fn connected_with(bell: Bell) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let disks = open(&[testing::disk(dir.path(), "a", 1 << 20)]).unwrap();
        let disk: &Disk = &disks[0];
        let view = View::of(&disk.base).throw_away().unwrap();
        let server = Server::start(disk, view, Durability::None, bell, dir.path().join("socket")).unwrap();
        let stream = UnixStream::connect(server.socket()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let memory = File::from(rustix::fs::memfd_create("appliance", MemfdFlags::CLOEXEC).unwrap());
        memory.set_len(MEMORY_BYTES).unwrap();
        let kick = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
        let (reader, writer) = UnixStream::pair().unwrap();
        let call = (reader, Some(writer));
        Self { server: Some(server), stream, memory, kick, call, available: 0, _dir: dir }
    }

    /// Connects, and says where everything is.
    fn with_ring() -> Self {
        let mut appliance = Self::connected();
        let call = appliance.call.1.take().unwrap();
        appliance.set_up(&[call.as_fd()]);
        appliance
    }

    fn set_up(&self, call: &[BorrowedFd<'_>]) {
        let word = |value: u64| value.to_ne_bytes().to_vec();
        self.say(SET_OWNER, &[], &[]);
        self.say(2, &word((1 << 32) | (1 << 29)), &[]); // SET_FEATURES: version 1, event index
        let table = [word(1), word(PHYSICAL), word(MEMORY_BYTES), word(VIRTUAL), word(0)].concat();
        self.say(SET_MEM_TABLE, &table, &[self.memory.as_fd()]);
        self.say(SET_VRING_NUM, &[0, u32::try_from(ENTRIES).unwrap()].map(u32::to_ne_bytes).concat(), &[]);
        let places = [0, VIRTUAL + DESCRIPTORS, VIRTUAL + USED, VIRTUAL + AVAILABLE, 0].map(word).concat();
        self.say(SET_VRING_ADDR, &places, &[]);
        self.say(SET_VRING_CALL, &word(0), call);
        self.say(SET_VRING_KICK, &word(0), &[self.kick.as_fd()]);
    }

    /// Sends a message.
    fn say(&self, code: u32, body: &[u8], files: &[BorrowedFd<'_>]) {
        let header = [code, 1, u32::try_from(body.len()).unwrap()].map(u32::to_ne_bytes).concat();
        self.send(&[&header, body].concat(), files);
    }

    fn send(&self, bytes: &[u8], files: &[BorrowedFd<'_>]) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !files.is_empty() {
            assert!(control.push(SendAncillaryMessage::ScmRights(files)));
        }
        sendmsg(&self.stream, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL).unwrap();
    }

    /// Puts a request of one segment of data into the ring and rings: kind, sector, address and length of the data.
    fn ask(&mut self, kind: u32, sector: u64, address: u64, length: u32) {
        let descriptor = |address: u64, length: u32, flags: u16, next: u16| {
            [&address.to_le_bytes()[..], &length.to_le_bytes(), &flags.to_le_bytes(), &next.to_le_bytes()]
                .concat()
        };
        let data_flags = if kind == 0 { 3 } else { 1 };
        let table = [
            descriptor(PHYSICAL + HEAD, 16, 1, 1),
            descriptor(address, length, data_flags, 2),
            descriptor(PHYSICAL + STATUS, 1, 2, 0),
        ];
        self.memory.write_all_at(&table.concat(), DESCRIPTORS).unwrap();
        self.memory
            .write_all_at(&[&kind.to_le_bytes()[..], &[0; 4], &sector.to_le_bytes()].concat(), HEAD)
            .unwrap();
        self.memory.write_all_at(&[0xff], STATUS).unwrap();
        // It wants to hear of this one.
        self.memory.write_all_at(&self.available.to_le_bytes(), AVAILABLE + 4 + 2 * ENTRIES).unwrap();
        self.available += 1;
        self.memory.write_all_at(&self.available.to_le_bytes(), AVAILABLE + 2).unwrap();
        rustix::io::write(&self.kick, &1u64.to_ne_bytes()).unwrap();
    }

    /// Waits for the bell and returns the request's status.
    fn status(&mut self) -> u8 {
        let rung = poll(&mut [PollFd::new(&self.call.0, PollFlags::IN)], Some(&LIMIT));
        assert_eq!(rung, Ok(1), "the bell rings");
        self.call.0.read_exact(&mut [0; 8]).unwrap();
        let mut status = [0];
        self.memory.read_exact_at(&mut status, STATUS).unwrap();
        status[0]
    }

    /// Returns how many requests were given back.
    fn used(&self) -> u16 {
        let mut used = [0; 2];
        self.memory.read_exact_at(&mut used, USED + 2).unwrap();
        u16::from_le_bytes(used)
    }

    fn data(&self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.memory.read_exact_at(&mut bytes, DATA).unwrap();
        bytes
    }

    /// Waits until it is no longer served.
    fn wait_until_refused(&mut self) {
        assert_eq!(self.stream.read(&mut [0; 16]).unwrap(), 0, "the server hangs up");
    }
}

#[test]
fn a_disk_is_read_and_written() {
    let mut appliance = Appliance::with_ring();
    let noise = testing::noise(1 << 20);
    appliance.ask(0, 3, PHYSICAL + DATA, 2048);
    assert_eq!(appliance.status(), 0);
    assert!(appliance.data(2048) == noise[1536..3584]);
    appliance.memory.write_all_at(&[7; 1024], DATA).unwrap();
    appliance.ask(1, 4, PHYSICAL + DATA, 1024);
    assert_eq!(appliance.status(), 0);
    appliance.ask(0, 3, PHYSICAL + DATA, 2048);
    assert_eq!(appliance.status(), 0);
    assert!(appliance.data(2048) == [&noise[1536..2048], &[7; 1024][..], &noise[3072..3584]].concat());
    appliance.server.take().unwrap().finish().unwrap();
}

#[test]
fn a_request_that_is_not_of_the_disk_or_the_memory_is_an_error_of_its_own() {
    let mut appliance = Appliance::with_ring();
    for (what, kind, sector, address, length) in [
        ("behind the disk", 0, 2048, PHYSICAL + DATA, 512),
        ("far behind the disk", 1, u64::MAX, PHYSICAL + DATA, 512),
        ("no whole sector", 0, 0, PHYSICAL + DATA, 100),
        ("before the memory", 0, 0, PHYSICAL - 512, 512),
        ("over the end of the memory", 1, 0, PHYSICAL + MEMORY_BYTES - 512, 1024),
        ("at the end of all memory", 0, 0, u64::MAX - 511, 512),
        ("too much", 0, 0, PHYSICAL, u32::MAX - 511),
    ] {
        appliance.ask(kind, sector, address, length);
        assert_eq!(appliance.status(), 1, "{what}");
    }
    appliance.ask(99, 0, PHYSICAL + DATA, 512);
    assert_eq!(appliance.status(), 2, "an unknown kind");
    appliance.server.take().unwrap().finish().unwrap();
}

/// Memory that is mapped and then gone is SIGBUS: it would be the end of this test's process.
#[test]
fn a_memory_that_is_taken_away_is_the_end_of_serving() {
    let mut appliance = Appliance::with_ring();
    appliance.ask(0, 0, PHYSICAL + DATA, 512);
    assert_eq!(appliance.status(), 0);
    appliance.memory.set_len(0).unwrap();
    rustix::io::write(&appliance.kick, &1u64.to_ne_bytes()).unwrap();
    appliance.wait_until_refused();
    appliance.server.take().unwrap().finish().unwrap();
}

#[test]
fn what_is_no_memory_is_refused() {
    let word = |value: u64| value.to_ne_bytes().to_vec();
    let file = |length: u64| {
        let file = File::from(rustix::fs::memfd_create("appliance", MemfdFlags::CLOEXEC).unwrap());
        file.set_len(length).unwrap();
        file
    };
    for (what, region, file) in [
        ("longer than its file", [PHYSICAL, 8192, VIRTUAL, 0], file(4096)),
        ("behind the end of its file", [PHYSICAL, 4096, VIRTUAL, 8192], file(8192)),
        ("more than an appliance has", [PHYSICAL, 2 << 30, VIRTUAL, 0], file(2 << 30)),
        ("a device", [PHYSICAL, 4096, VIRTUAL, 0], File::open("/dev/zero").unwrap()),
        ("a directory", [PHYSICAL, 4096, VIRTUAL, 0], File::open("/").unwrap()),
        ("a pipe", [PHYSICAL, 4096, VIRTUAL, 0], OwnedFd::from(std::io::pipe().unwrap().0).into()),
    ] {
        let mut appliance = Appliance::connected();
        let table = [vec![word(1)], region.map(word).to_vec()].concat().concat();
        appliance.say(SET_MEM_TABLE, &table, &[file.as_fd()]);
        assert_eq!(appliance.stream.read(&mut [0; 16]).unwrap(), 0, "{what}");
        appliance.server.take().unwrap().finish().unwrap();
    }
}

/// A pipe and an eventfd might be full, and who writes to a pipe that nobody reads gets a signal.
#[test]
fn the_bell_that_we_ring_is_a_socket_or_the_counter_of_qemu() {
    let counter = || eventfd(0, EventfdFlags::CLOEXEC).unwrap();
    let pipe = || OwnedFd::from(std::io::pipe().unwrap().1);
    for (what, bell, call) in [
        ("a pipe", Bell::Socket, pipe()),
        ("a device", Bell::Socket, File::open("/dev/null").unwrap().into()),
        ("an eventfd", Bell::Socket, counter()),
        ("a pipe for QEMU", Bell::Counter, pipe()),
        ("a socket for QEMU", Bell::Counter, UnixStream::pair().unwrap().0.into()),
    ] {
        let mut appliance = Appliance::connected_with(bell);
        appliance.say(SET_VRING_CALL, &0u64.to_ne_bytes(), &[call.as_fd()]);
        assert_eq!(appliance.stream.read(&mut [0; 16]).unwrap(), 0, "{what}");
        appliance.server.take().unwrap().finish().unwrap();
    }
}

#[test]
fn a_bell_that_is_full_holds_nobody_up() {
    let mut appliance = Appliance::connected();
    let call = appliance.call.1.take().unwrap();
    call.set_nonblocking(true).unwrap();
    while (&call).write(&[0; 4096]).is_ok() {}
    call.set_nonblocking(false).unwrap();
    appliance.set_up(&[call.as_fd()]);
    appliance.ask(0, 0, PHYSICAL + DATA, 512);
    let since = Instant::now();
    while appliance.used() == 0 {
        assert!(since.elapsed() < Duration::from_secs(60), "the request is carried out");
        std::thread::sleep(Duration::from_millis(1));
    }
    appliance.server.take().unwrap().finish().unwrap();
}

/// It waits, and is let go when the appliance is gone.
#[test]
fn a_counter_that_is_full_holds_us_up_until_the_end() {
    let mut appliance = Appliance::connected_with(Bell::Counter);
    let call = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
    rustix::io::write(&call, &(u64::MAX - 1).to_ne_bytes()).unwrap();
    appliance.set_up(&[call.as_fd()]);
    appliance.ask(0, 0, PHYSICAL + DATA, 512);
    let since = Instant::now();
    while appliance.used() == 0 {
        assert!(since.elapsed() < Duration::from_secs(60), "the request is carried out");
        std::thread::sleep(Duration::from_millis(1));
    }
    appliance.server.take().unwrap().finish().unwrap();
    assert_eq!(rustix::io::read(&call, &mut [0; 8]), Ok(8), "it was rung");
}

#[test]
fn a_bell_that_nobody_hears_any_more_is_the_end_of_serving() {
    let mut appliance = Appliance::with_ring();
    appliance.ask(0, 0, PHYSICAL + DATA, 512);
    assert_eq!(appliance.status(), 0);
    appliance.call.0 = UnixStream::pair().unwrap().0;
    appliance.ask(0, 0, PHYSICAL + DATA, 512);
    appliance.wait_until_refused();
    appliance.server.take().unwrap().finish().unwrap();
}

/// The other end of the socket lies in the socket: it stays open when the appliance is gone.
#[test]
fn a_message_that_is_never_finished_ends_with_the_appliance() {
    let mut appliance = Appliance::connected();
    let header = [SET_MEM_TABLE, 1, 40].map(u32::to_ne_bytes).concat();
    let own = appliance.stream.try_clone().unwrap();
    appliance.send(&header, &[own.as_fd()]);
    drop(own);
    let server = appliance.server.take().unwrap();
    drop(appliance);
    server.finish().unwrap();
}

#[test]
fn an_appliance_that_never_came_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let disks = open(&[testing::disk(dir.path(), "a", 4096)]).unwrap();
    let view = View::of(&disks[0].base).throw_away().unwrap();
    let server =
        Server::start(&disks[0], view, Durability::None, Bell::Socket, dir.path().join("socket")).unwrap();
    assert!(!server.was_connected());
    server.finish().unwrap();
}
