//! System calls that change files, and reads of those that a commit needs, as a tracer sees them: x86-64.

use super::file::Class;
use nix::libc::{self, c_ulonglong, user_regs_struct};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Create,
    Read,
    Write,
    Truncate,
    Allocate,
    CopyRange,
    Sync,
    Rename,
    Unlink,
    /// What is cached of a file is dropped.
    Drop,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Write => "write",
            Self::Truncate => "truncate",
            Self::Allocate => "allocate",
            Self::CopyRange => "copy",
            Self::Sync => "sync",
            Self::Rename => "rename",
            Self::Unlink => "unlink",
            Self::Drop => "drop",
        })
    }
}

/// A call on a file in the directory of the disks.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) kind: Kind,
    pub(super) class: Class,
    pub(super) path: PathBuf,
    /// The new name of what is renamed.
    pub(super) to: Option<PathBuf>,
    /// Where in the file; for truncate, its new length.
    pub(super) at: u64,
    pub(super) length: u64,
    /// The flags of open or fallocate.
    pub(super) flags: u64,
    /// What is written.
    pub(super) data: Vec<u8>,
    /// What the call returned.
    pub(super) result: i64,
    /// When the file was last written, as a fsync(2) made it durable; fdatasync(2) does not.
    pub(super) modified: Option<SystemTime>,
}

impl Operation {
    /// Returns what was written of what was to be.
    pub(super) fn written(&self) -> &[u8] {
        usize::try_from(self.result).ok().and_then(|count| self.data.get(..count)).unwrap_or_default()
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.class)
    }
}

/// Whether the data of writes are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Data {
    Keep,
    Leave,
}

/// Returns what a thread is about to do, if it is about a file in `directory`.
pub(super) fn operation(
    thread: Pid,
    registers: &user_regs_struct,
    directory: &Path,
    data: Data,
) -> Option<Operation> {
    let r = registers;
    let number = i64::try_from(r.orig_rax).ok()?;
    let (kind, path) = match number {
        libc::SYS_openat if r.rdx & flag(libc::O_CREAT) != 0 => (Kind::Create, named(thread, r.rdi, r.rsi)?),
        libc::SYS_open if r.rsi & flag(libc::O_CREAT) != 0 => (Kind::Create, named(thread, here(), r.rdi)?),
        libc::SYS_creat => (Kind::Create, named(thread, here(), r.rdi)?),
        libc::SYS_pread64 | libc::SYS_preadv | libc::SYS_preadv2 | libc::SYS_read => {
            (Kind::Read, opened(thread, r.rdi)?)
        }
        libc::SYS_pwrite64 | libc::SYS_pwritev | libc::SYS_pwritev2 | libc::SYS_write | libc::SYS_writev => {
            (Kind::Write, opened(thread, r.rdi)?)
        }
        libc::SYS_ftruncate => (Kind::Truncate, opened(thread, r.rdi)?),
        libc::SYS_fallocate => (Kind::Allocate, opened(thread, r.rdi)?),
        libc::SYS_copy_file_range => (Kind::CopyRange, opened(thread, r.rdx)?),
        libc::SYS_fsync | libc::SYS_fdatasync => (Kind::Sync, opened(thread, r.rdi)?),
        libc::SYS_fadvise64 if r.r10 == flag(libc::POSIX_FADV_DONTNEED) => {
            (Kind::Drop, opened(thread, r.rdi)?)
        }
        libc::SYS_rename => (Kind::Rename, named(thread, here(), r.rdi)?),
        libc::SYS_renameat | libc::SYS_renameat2 => (Kind::Rename, named(thread, r.rdi, r.rsi)?),
        libc::SYS_unlink => (Kind::Unlink, named(thread, here(), r.rdi)?),
        libc::SYS_unlinkat => (Kind::Unlink, named(thread, r.rdi, r.rsi)?),
        _ => return None,
    };
    let class = Class::of(&path, directory)?;
    let to = match number {
        libc::SYS_rename => named(thread, here(), r.rsi),
        libc::SYS_renameat | libc::SYS_renameat2 => named(thread, r.rdx, r.r10),
        _ => None,
    };
    let (at, length, flags) = match number {
        libc::SYS_openat => (0, 0, r.rdx),
        libc::SYS_open => (0, 0, r.rsi),
        libc::SYS_creat => (0, 0, flag(libc::O_TRUNC)),
        libc::SYS_pwrite64 | libc::SYS_pread64 => (r.r10, r.rdx, 0),
        libc::SYS_pwritev | libc::SYS_pwritev2 | libc::SYS_preadv | libc::SYS_preadv2 => {
            (r.r10, vectors(thread, r).iter().map(|(_, length)| length).sum(), 0)
        }
        libc::SYS_writev => {
            (position(thread, r.rdi), vectors(thread, r).iter().map(|(_, length)| length).sum(), 0)
        }
        libc::SYS_write | libc::SYS_read => (position(thread, r.rdi), r.rdx, 0),
        libc::SYS_ftruncate => (r.rsi, 0, 0),
        libc::SYS_fallocate => (r.rdx, r.r10, r.rsi),
        _ => (0, 0, 0),
    };
    let keeps = data == Data::Keep && kind == Kind::Write;
    let data = if keeps { written(thread, number, r) } else { Vec::new() };
    Some(Operation { kind, class, path, to, at, length, flags, data, result: 0, modified: None })
}

/// Makes a write end early: changes the registers, or the vector in memory. `None` if it has no half.
pub(super) fn shorten(thread: Pid, registers: &mut user_regs_struct, length: u64) -> Option<()> {
    match i64::try_from(registers.orig_rax).ok()? {
        libc::SYS_pwrite64 | libc::SYS_write => registers.rdx = length,
        libc::SYS_pwritev | libc::SYS_pwritev2 | libc::SYS_writev => {
            let mut left = length;
            let memory = File::options().write(true).open(format!("/proc/{thread}/mem")).ok()?;
            for (index, (_, count)) in (0..).zip(vectors(thread, registers)) {
                let keep = left.min(count);
                left -= keep;
                memory.write_all_at(&keep.to_ne_bytes(), registers.rsi + index * 16 + 8).ok()?;
            }
        }
        _ => return None,
    }
    Some(())
}

fn flag(flag: i32) -> c_ulonglong {
    c_ulonglong::try_from(flag).unwrap()
}

/// `AT_FDCWD` as a register holds it.
fn here() -> c_ulonglong {
    u32::from_ne_bytes(libc::AT_FDCWD.to_ne_bytes()).into()
}

/// Returns the file that a descriptor is; `None` if it is none, or has no name any more.
fn opened(thread: Pid, descriptor: c_ulonglong) -> Option<PathBuf> {
    let descriptor = descriptor & u64::from(u32::MAX);
    let path = fs::read_link(format!("/proc/{thread}/fd/{descriptor}")).ok()?;
    // What has no name any more is lost to whoever comes next, whatever is written there.
    (!path.as_os_str().as_encoded_bytes().ends_with(b" (deleted)")).then_some(path)
}

fn named(thread: Pid, directory: c_ulonglong, address: c_ulonglong) -> Option<PathBuf> {
    let path = text(thread, address)?;
    if path.is_absolute() {
        return Some(path);
    }
    let base = match directory & u64::from(u32::MAX) == here() {
        true => fs::read_link(format!("/proc/{thread}/cwd")).ok()?,
        false => opened(thread, directory)?,
    };
    Some(base.join(path))
}

fn text(thread: Pid, address: c_ulonglong) -> Option<PathBuf> {
    let memory = File::open(format!("/proc/{thread}/mem")).ok()?;
    let mut bytes = Vec::new();
    loop {
        // A path may end right before what is not mapped.
        let mut byte = [0; 1];
        memory.read_exact_at(&mut byte, address + u64::try_from(bytes.len()).ok()?).ok()?;
        match byte {
            [0] => return Some(OsString::from_vec(bytes).into()),
            [byte] => bytes.push(byte),
        }
    }
}

/// Returns the addresses and lengths of what a vectored call reads or writes.
fn vectors(thread: Pid, registers: &user_regs_struct) -> Vec<(u64, u64)> {
    let memory = File::open(format!("/proc/{thread}/mem")).unwrap();
    let mut bytes = vec![0; usize::try_from(registers.rdx).unwrap() * 16];
    memory.read_exact_at(&mut bytes, registers.rsi).unwrap();
    let word = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().unwrap());
    let pair = |bytes: &[u8]| bytes.split_at_checked(8).map(|(at, length)| (word(at), word(length)));
    bytes.chunks_exact(16).filter_map(pair).collect()
}

fn written(thread: Pid, number: i64, registers: &user_regs_struct) -> Vec<u8> {
    let memory = File::open(format!("/proc/{thread}/mem")).unwrap();
    let pieces = match number {
        libc::SYS_pwrite64 | libc::SYS_write => vec![(registers.rsi, registers.rdx)],
        _ => vectors(thread, registers),
    };
    let mut data = Vec::new();
    for (at, length) in pieces {
        let mut piece = vec![0; usize::try_from(length).unwrap()];
        memory.read_exact_at(&mut piece, at).unwrap();
        data.append(&mut piece);
    }
    data
}

/// Returns where a descriptor stands.
fn position(thread: Pid, descriptor: c_ulonglong) -> u64 {
    let descriptor = descriptor & u64::from(u32::MAX);
    let told = fs::read_to_string(format!("/proc/{thread}/fdinfo/{descriptor}")).unwrap_or_default();
    let position = told.lines().find_map(|line| line.strip_prefix("pos:"));
    position.and_then(|position| position.trim().parse().ok()).unwrap_or_default()
}
