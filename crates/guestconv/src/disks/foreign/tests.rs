//! What QEMU's own tools make of a disk, in every format: read here, it is the same disk.

use super::super::{Disk, open};
use super::*;
use crate::disks::Format;
use crate::testing;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SIZE_BYTES: usize = 8 << 20;

/// Makes a raw disk with holes; `None`, and says so, if this host lacks QEMU's tools.
fn original(directory: &Path) -> Option<PathBuf> {
    for program in ["qemu-img", "qemu-nbd", "qemu-storage-daemon"] {
        let found =
            Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            assert!(std::env::var_os("GUESTCONV_REQUIRE_GUESTS").is_none(), "{program} is missing");
            eprintln!("skipped: {program} is missing");
            return None;
        }
    }
    let mut bytes = testing::noise(SIZE_BYTES);
    bytes[1 << 20..3 << 20].fill(0);
    bytes[7 << 20..].fill(0);
    let path = directory.join("original.raw");
    std::fs::write(&path, bytes).unwrap();
    Some(path)
}

fn qemu_img(directory: &Path, arguments: &str) {
    let output = Command::new("qemu-img").current_dir(directory).args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "qemu-img {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

fn content(disk: &Disk) -> Vec<u8> {
    let mut bytes = vec![1; usize::try_from(disk.base.size()).unwrap()];
    // In pieces of odd sizes, as the appliance asks.
    let mut at = 0;
    for length in [512, 65_536, 4096, 1_000_448].into_iter().cycle() {
        let end = (at + length).min(bytes.len());
        disk.base.read(&mut bytes[at..end], u64::try_from(at).unwrap()).unwrap();
        at = end;
        if at == bytes.len() {
            return bytes;
        }
    }
    unreachable!("the lengths never end")
}

fn spec(path: &Path, allow_backing: bool) -> DiskSpec {
    DiskSpec { allow_backing, ..DiskSpec::new(path) }
}

#[test]
fn every_format_reads_as_the_disk_that_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let Some(original) = original(directory.path()) else { return };
    let expected = std::fs::read(original).unwrap();
    for (name, options, kind, others) in [
        ("a.qcow2", "-O qcow2 -o compat=0.10", DiskFormat::Qcow2, false),
        ("b.qcow2", "-O qcow2", DiskFormat::Qcow2, false),
        ("c.qcow2", "-c -O qcow2", DiskFormat::Qcow2, false),
        ("d.qcow2", "-c -O qcow2 -o compression_type=zstd", DiskFormat::Qcow2, false),
        ("e.qcow2", "-O qcow2 -o extended_l2=on,cluster_size=128k", DiskFormat::Qcow2, false),
        ("a.vmdk", "-O vmdk", DiskFormat::Vmdk, false),
        ("b.vmdk", "-O vmdk -o subformat=streamOptimized", DiskFormat::Vmdk, false),
        ("c.vmdk", "-O vmdk -o subformat=monolithicFlat", DiskFormat::Vmdk, true),
        ("d.vmdk", "-O vmdk -o subformat=twoGbMaxExtentSparse", DiskFormat::Vmdk, true),
        ("e.vmdk", "-O vmdk -o subformat=twoGbMaxExtentFlat", DiskFormat::Vmdk, true),
        ("a.vhd", "-O vpc -o force_size=on", DiskFormat::Vhd, false),
        ("b.vhd", "-O vpc -o subformat=fixed,force_size=on", DiskFormat::Vhd, false),
        ("a.vhdx", "-O vhdx", DiskFormat::Vhdx, false),
        ("b.vhdx", "-O vhdx -o subformat=fixed", DiskFormat::Vhdx, false),
        ("a.vdi", "-O vdi", DiskFormat::Vdi, false),
        ("b.vdi", "-O vdi -o static=on", DiskFormat::Vdi, false),
    ] {
        qemu_img(directory.path(), &format!("convert -f raw {options} original.raw {name}"));
        let path = directory.path().join(name);
        if others {
            let error = open(&[spec(&path, false)]).unwrap_err();
            assert_eq!((error.kind(), error.code()), (ErrorKind::Disk, "extent-file-not-allowed"), "{name}");
        }
        let disk = open(&[spec(&path, others)]).unwrap().remove(0);
        assert_eq!(disk.kind, kind, "{name}");
        let found = content(&disk);
        assert_eq!(found.len(), expected.len(), "{name}");
        assert!(found == expected, "{name} reads as another disk");
        // It cannot be read as another format.
        if kind != DiskFormat::Vhdx {
            let other = DiskSpec { format: Format::Vhdx, ..DiskSpec::new(&path) };
            assert_eq!(open(&[other]).unwrap_err().code(), "disk-format-mismatch", "{name}");
        }
    }
}

#[test]
fn what_is_based_on_others_is_read_only_with_leave() {
    let directory = tempfile::tempdir().unwrap();
    let Some(original) = original(directory.path()) else { return };
    let expected = std::fs::read(original).unwrap();
    qemu_img(directory.path(), "convert -f raw -O vmdk original.raw base.vmdk");
    qemu_img(directory.path(), "create -q -f qcow2 -F vmdk -b base.vmdk above.qcow2");
    qemu_img(directory.path(), "create -q -f vmdk -F vmdk -b base.vmdk above.vmdk");
    for name in ["above.qcow2", "above.vmdk"] {
        let path = directory.path().join(name);
        assert_eq!(open(&[spec(&path, false)]).unwrap_err().code(), "backing-file-not-allowed", "{name}");
        let disk = open(&[spec(&path, true)]).unwrap().remove(0);
        assert!(content(&disk) == expected, "{name}");
    }
}

#[test]
fn an_image_that_is_only_read_is_not_converted_in_place() {
    let directory = tempfile::tempdir().unwrap();
    if original(directory.path()).is_none() {
        return;
    }
    qemu_img(directory.path(), "convert -f raw -O vdi original.raw a.vdi");
    let disk = open(&[spec(&directory.path().join("a.vdi"), false)]).unwrap().remove(0);
    for refused in [disk.require_in_place(), disk.lock_for_writing(), disk.open_for_writing().map(|_| ())] {
        let error = refused.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::InvalidArgument, "output-needed"));
    }
}

/// A server that ends with the value.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_disk_of_a_server_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let Some(original) = original(directory.path()) else { return };
    let expected = std::fs::read(&original).unwrap();
    let socket = directory.path().join("socket");
    let mut command = Command::new("qemu-nbd");
    command.args(["--read-only", "--persistent", "--shared=0", "--format=raw", "--export-name=disk"]);
    let server = Server(command.arg("--socket").arg(&socket).arg(&original).spawn().unwrap());
    let begun = Instant::now();
    while !socket.exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "qemu-nbd does not serve");
        std::thread::sleep(Duration::from_millis(20));
    }
    let address = |name: &str| format!("nbd+unix:///{name}?socket={}", socket.display());
    let disk = open(&[DiskSpec::new(address("disk"))]).unwrap().remove(0);
    assert!(content(&disk) == expected);
    assert_eq!(disk.require_in_place().unwrap_err().code(), "output-needed");
    let error = open(&[DiskSpec::new(address("other"))]).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Disk, "nbd-export-unknown"));
    drop(server);
    let error = open(&[DiskSpec::new(address("disk"))]).unwrap_err();
    assert_eq!(error.code(), "nbd-not-connected");
}
