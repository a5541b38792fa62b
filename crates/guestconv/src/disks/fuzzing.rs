//! An image of a caller, and the appliance at the other end of a disk, both as hostile as they like.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic is how a target says that it found something"
)]

use super::image::{self, Access, Image};
use super::memory::{Memory, Part};
use super::request::Buffer;
use super::ring::Ring;
use super::server::{Bell, Device, Durability};
use super::spec::{DiskFormat, DiskSpec, Format};
use super::store::{self, Store};
use super::view::View;
use super::{overlay, probe, session, zeroes};
use imago::FormatAccess;
use imago::io_buffers::IoVectorMut;
use imago::raw::Raw;
use rustix::event::EventfdFlags;
use rustix::fs::MemfdFlags;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::fs::File;
use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;

/// How many ranges of a map are looked at.
const RANGES: usize = 64;

pub(crate) fn image(input: &[u8]) {
    let Some((wishes, bytes)) = input.split_at_checked(9) else { return };
    let place = wishes[1..].iter().fold(0u64, |all, byte| all << 8 | u64::from(*byte));
    let mut file = File::from(rustix::fs::memfd_create("fuzzing", MemfdFlags::CLOEXEC).unwrap());
    file.write_all(bytes).unwrap();
    if wishes[0] & 4 != 0 {
        file.set_len(4 << 20).unwrap();
    }
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let format = [Format::Qcow2, Format::Auto, Format::Raw, Format::Qcow2][usize::from(wishes[0] & 3)];
    let spec = DiskSpec { format, ..DiskSpec::new(path) };
    let Ok(Some(format)) = probe::format(&spec).map(DiskFormat::in_process) else { return };
    let Ok(base) = image::open(&spec, format, Access::Read) else { return };
    ranges(&base);
    let Ok(above) = overlay::throw_away(&base) else { return };
    let size = above.size();
    for at in [0, place % size, size / 2, size - 512] {
        let at = at / 512 * 512;
        let length = usize::try_from((size - at).min(70 << 10)).unwrap();
        let before = read(&base, at, length);
        let part = length.min(5 << 9);
        if above.write(&vec![0x5a; part][..], at).is_ok() {
            let expected = vec![0x5a; part];
            assert!(read(&above, at, part).as_ref() == Some(&expected), "what was written is there");
        }
        if zeroes::write_zeroes(&above, at, 512).is_ok() {
            assert!(read(&above, at, 512) == Some(vec![0; 512]), "zeroes are there");
        }
        assert!(read(&base, at, length) == before, "the base is as it was");
    }
    ranges(&above);
    drop(above.flush());
}

/// Looks at the first ranges of a map.
fn ranges(image: &FormatAccess<Store>) {
    let (mut at, size) = (0, image.size());
    for _ in 0..RANGES {
        if at >= size {
            break;
        }
        let Ok((_, length)) = image.get_mapping(at, size - at) else { break };
        at += length.max(1);
    }
}

fn read(image: &Image, at: u64, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    image.readv(IoVectorMut::from(&mut bytes[..]), at).ok().map(|()| bytes)
}

/// Where the appliance's memory begins, by physical address and in its process.
const PHYSICAL: u64 = 0x1000;
const VIRTUAL: u64 = 0x6000_0000;
/// How much it has.
const MEMORY_BYTES: usize = 64 << 10;
/// Entries of its ring.
const ENTRIES: u16 = 16;
/// The size of its disk.
const DISK_BYTES: u64 = 1 << 20;

/// What is at the other end of the socket begins with a byte: below 128 it has memory with a ring in it and nothing is
/// said; else the rest is what is said.
pub(crate) fn request(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else { return };
    let device = Arc::new(Device::new(view(), Arc::default(), Durability::File, Bell::Socket));
    if *kind < 128 { ring(&device, rest) } else { socket(&device, rest) }
}

fn view() -> View {
    let memory = File::from(rustix::fs::memfd_create("fuzzing", MemfdFlags::CLOEXEC).unwrap());
    memory.set_len(DISK_BYTES).unwrap();
    let raw = Raw::open_image(store::of_file(memory).unwrap(), true).unwrap();
    let base = Arc::new(FormatAccess::new(raw));
    View::of(&base).throw_away().unwrap()
}

/// The file of a memory that begins with `bytes`.
fn shared(bytes: &[u8]) -> File {
    let mut file = File::from(rustix::fs::memfd_create("fuzzing", MemfdFlags::CLOEXEC).unwrap());
    file.write_all(&bytes[..bytes.len().min(MEMORY_BYTES)]).unwrap();
    file.set_len(u64::try_from(MEMORY_BYTES).unwrap()).unwrap();
    file
}

fn ring(device: &Device, bytes: &[u8]) {
    let length = u64::try_from(MEMORY_BYTES).unwrap();
    let (physical, file) = (PHYSICAL, shared(bytes));
    let keep = file.try_clone().unwrap();
    let part = Part { physical, virtual_address: VIRTUAL, length, file, offset: 0 };
    let memory = Memory::new(vec![part]).unwrap();
    let has_events = bytes.first().is_some_and(|byte| byte & 1 != 0);
    let mut ring = Ring {
        entries: ENTRIES,
        descriptors: PHYSICAL,
        available: PHYSICAL + 256,
        used: PHYSICAL + 512,
        has_events,
        ..Ring::default()
    };
    assert!(ring.is_sound(&memory));
    let mut buffer = Buffer::default();
    drop(ring.serve(&device.target(), &memory, &mut buffer));
    // It takes its memory away behind our back.
    keep.set_len(300).unwrap();
    ring.next_available = ring.next_available.wrapping_sub(1);
    drop(ring.serve(&device.target(), &memory, &mut buffer));
}

/// Each message: a byte that says which, one that says what file comes with it, one that says how much of its body follows.
fn socket(device: &Arc<Device>, mut said: &[u8]) {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let mut readers = Vec::new();
    while let [code, file, length, rest @ ..] = said {
        let (body, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        said = rest;
        let header = [u32::from(*code), 1 | u32::from(*file & 0x80) >> 4, u32::from(*length)];
        let message = [header.map(u32::to_ne_bytes).as_flattened(), body].concat();
        if send(&theirs, &message, &files(*file, &theirs, &mut readers)).is_err() {
            break;
        }
    }
    drop(theirs.shutdown(Shutdown::Write));
    drop(session::serve(ours, device));
    drop(theirs.read(&mut [0; 4096]));
}

/// Returns files that an appliance might send.
fn files(kind: u8, theirs: &UnixStream, readers: &mut Vec<UnixStream>) -> Vec<OwnedFd> {
    let event = |value| rustix::event::eventfd(value, EventfdFlags::NONBLOCK).unwrap();
    match kind & 0xf {
        0..4 => vec![],
        5 | 6 => vec![event(1)],
        7 => vec![shared(&[1; 600]).into()],
        8 => vec![shared(&[]).into(), shared(&[]).into()],
        9 => vec![std::io::pipe().unwrap().1.into()],
        4 => {
            let (reader, writer) = UnixStream::pair().unwrap();
            readers.push(reader);
            vec![writer.into()]
        }
        10 => vec![theirs.try_clone().unwrap().into()],
        11 => vec![File::open("/dev/null").unwrap().into()],
        12 => vec![File::open("/").unwrap().into()],
        13 => vec![File::open("/proc/self/maps").unwrap().into()],
        14 => vec![event(u32::MAX)],
        _ => vec![UnixStream::pair().unwrap().0.into()],
    }
}

fn send(stream: &UnixStream, bytes: &[u8], files: &[OwnedFd]) -> rustix::io::Result<()> {
    let files: Vec<BorrowedFd<'_>> = files.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() {
        assert!(control.push(SendAncillaryMessage::ScmRights(&files)));
    }
    sendmsg(stream, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL).map(drop)
}
