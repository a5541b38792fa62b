//! What is taken from QEMU before it boots a guest: a guest that leaves it must reach nothing of the host, either. It reads its
//! own files, libraries and firmware, and the disks; it uses its private directory, and KVM.
//!
//! QEMU has a filter of its own (`-sandbox`, seccomp), which also refuses new processes; ours is around that one, and for a
//! QEMU that was built without.

use super::{ProofDisk, ProofFormat, ProveOptions};
use crate::confine::{self, CallsOf, Confinement, Host, PROGRAM_FILES, Rights, Sockets};
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// All that QEMU can refuse itself.
pub(crate) const SANDBOX: &str = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";
/// The largest overlay: what a guest writes while it boots.
const FILE_CAP_BYTES: u64 = 16 << 30;
/// What QEMU has beside the guest's memory: translated code, graphics, stacks.
const OWN_MEMORY_BYTES: u64 = 4 << 30;
/// The largest file that is taken from it: a picture of a screen.
const LEFT_CAP_BYTES: u64 = 64 << 20;
/// How many images may stand behind one disk.
const CHAIN_CAP: usize = 16;
/// The longest name that a qcow2 header may have of what is behind it.
const NAME_CAP_BYTES: u32 = 1023;

/// Returns the arguments with QEMU's own filter switched on.
pub(super) fn with_sandbox(arguments: &[String]) -> Vec<String> {
    ["-sandbox".to_owned(), SANDBOX.to_owned()].into_iter().chain(arguments.iter().cloned()).collect()
}

/// Lets QEMU start only confined, as far as the host's kernel can. Whether it must is asked when a guest is opened.
pub(super) fn confine(
    command: &mut Command,
    qemu: &Path,
    directory: &Path,
    disks: &[ProofDisk],
    options: &ProveOptions,
) -> io::Result<()> {
    // A program that is not there is an error of its start.
    let program = qemu.canonicalize().unwrap_or_else(|_| qemu.to_owned());
    if !program.is_file() {
        return Ok(());
    }
    let prefix = program.parent().and_then(Path::parent).filter(|prefix| *prefix != Path::new("/"));
    let images: Vec<PathBuf> = disks.iter().flat_map(images).collect();
    let mut readable: Vec<&Path> = PROGRAM_FILES.iter().map(Path::new).collect();
    readable.extend(prefix);
    readable.extend(images.iter().map(PathBuf::as_path));
    let rights = Rights {
        executable: &program,
        directory,
        readable: &readable,
        // The second is what QEMU tries locks on.
        devices: &[Path::new("/dev/kvm"), Path::new("/dev/null")],
        descriptors: &[],
        processor: None,
        file_cap_bytes: FILE_CAP_BYTES,
        memory_cap_bytes: Some((u64::from(options.memory_mib) << 20) + OWN_MEMORY_BYTES),
        time_cap: Some(options.time_limit * options.cpus.saturating_add(2)),
        calls: CallsOf::Program(Sockets::Unix),
    };
    confine::confine(command, &rights, Confinement::BestEffort, Host::probe()).map(drop)
}

/// Returns what is in a file that QEMU left in its directory. It may be anything: a link to a file of ours, a pipe.
pub(super) fn left(path: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    file.take(LEFT_CAP_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns the files that QEMU opens for a disk: itself, and what stands behind it, which the caller allowed.
fn images(disk: &ProofDisk) -> Vec<PathBuf> {
    let mut images = vec![disk.path.clone()];
    while disk.format == ProofFormat::Qcow2 && images.len() < CHAIN_CAP {
        let Some(next) = images.last().and_then(|image| behind(image)) else { break };
        images.push(next);
    }
    images
}

/// Returns what stands behind a qcow2 image, by its header (docs/interop/qcow2.txt of QEMU); `None` if nothing does.
fn behind(image: &Path) -> Option<PathBuf> {
    let file = File::open(image).ok()?;
    let mut header = [0; 20];
    file.read_exact_at(&mut header, 0).ok()?;
    let (magic, rest) = header.split_first_chunk::<4>()?;
    let (_version, rest) = rest.split_first_chunk::<4>()?;
    let (offset, length) = rest.split_first_chunk::<8>()?;
    let offset = u64::from_be_bytes(*offset);
    let length = u32::from_be_bytes(length.try_into().ok()?);
    if magic != b"QFI\xfb" || offset == 0 || length > NAME_CAP_BYTES {
        return None;
    }
    let mut name = vec![0; usize::try_from(length).ok()?];
    file.read_exact_at(&mut name, offset).ok()?;
    let name = PathBuf::from(std::ffi::OsString::from_vec(name));
    Some(image.canonicalize().ok()?.parent()?.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_an_image_is_its_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().canonicalize().unwrap().join(name);
        let qcow2 = |name: &str, behind: &str| {
            let mut bytes = b"QFI\xfb\0\0\0\x03".to_vec();
            bytes.extend(if behind.is_empty() { 0_u64 } else { 104 }.to_be_bytes());
            bytes.extend((behind.len() as u32).to_be_bytes());
            bytes.resize(104, 0);
            bytes.extend(behind.as_bytes());
            std::fs::write(path(name), bytes).unwrap();
        };
        qcow2("top", "middle");
        qcow2("middle", path("base").to_str().unwrap());
        qcow2("base", "");
        qcow2("loop", "loop");
        std::fs::write(path("raw"), b"raw").unwrap();
        for (name, format, expected) in [
            ("top", ProofFormat::Qcow2, vec!["top", "middle", "base"]),
            ("top", ProofFormat::Raw, vec!["top"]),
            ("raw", ProofFormat::Qcow2, vec!["raw"]),
            ("missing", ProofFormat::Qcow2, vec!["missing"]),
            ("loop", ProofFormat::Qcow2, vec!["loop"; CHAIN_CAP]),
        ] {
            let expected: Vec<PathBuf> = expected.into_iter().map(path).collect();
            assert_eq!(images(&ProofDisk { path: path(name), format }), expected, "{name}");
        }
    }
}
