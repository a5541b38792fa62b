//! Disks that hold no guest, made without any tool of the host, and documents that are none.

use std::fs;
use std::path::Path;
use std::process::Command;

const SECTOR: usize = 512;
const CLUSTER: usize = 64 << 10;

/// Writes all of them into a directory.
pub(crate) fn make(directory: &Path) {
    let write = |name: &str, bytes: &[u8]| fs::write(directory.join(name), bytes).unwrap();
    fs::create_dir(directory.join("directory")).unwrap();
    write("empty.img", b"");
    write("tiny.img", &[0xff; 100]);
    write("blank.img", &[0; 1 << 20]);
    write("vmdk.img", &[b"KDMV".as_slice(), &[0; 1 << 16]].concat());

    let mut noise = noise(2 << 20);
    partition(&mut noise, 2048, 2048);
    write("noise.img", &noise);
    // Its only partition is 2 MiB long, and half of that is missing.
    partition(&mut noise, 2048, 4096);
    write("cut.img", &noise);

    write("backing.qcow2", &qcow2(0, "/etc/passwd"));
    write("orphan.qcow2", &qcow2(0, "absent.img"));
    let mut encrypted = qcow2(0, "");
    encrypted[32..36].copy_from_slice(&[0, 0, 0, 2]);
    write("encrypted.qcow2", &encrypted);
    write("cut.qcow2", &qcow2(0, "")[..3 * CLUSTER]);
    write("data-file.qcow2", &qcow2(1 << 2, ""));
    write("feature.qcow2", &qcow2(1 << 60, ""));
    write("damaged.qcow2", &[b"QFI\xfb".as_slice(), &[0xff; 1 << 16]].concat());
    // A raw disk whose guest wrote the head of a qcow2 image into its first sector.
    let mut header = qcow2(0, "/etc/passwd");
    partition(&mut header, 128, 256);
    write("header.img", &header);

    write("broken.xml", b"<guestconv version='1'>\n  <info>\n</guestconv>\n");
    write("other.xml", b"<html/>\n");
    write("dtd.xml", b"<!DOCTYPE guestconv [<!ENTITY a 'b'>]>\n<guestconv/>\n");
}

/// Writes a disk with an empty ext4 and no partition table, and one whose end is missing; `cargo xtask setup` installs the tool.
pub(crate) fn make_ext4(directory: &Path) {
    let whole = directory.join("ext4.img");
    fs::File::create(&whole).unwrap().set_len(8 << 20).unwrap();
    let mut tool = Command::new("mkfs.ext4");
    tool.arg("-q").arg(&whole).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let output = tool.output().expect("mkfs.ext4; run: cargo xtask setup");
    assert!(output.status.success(), "{output:?}");
    let cut = directory.join("ext4-cut.img");
    fs::copy(&whole, &cut).unwrap();
    fs::File::options().write(true).open(&cut).unwrap().set_len(4 << 20).unwrap();
}

/// Writes an MBR with one Linux partition.
fn partition(disk: &mut [u8], start_sectors: u32, sectors: u32) {
    disk[..SECTOR][446..].fill(0);
    disk[450] = 0x83;
    disk[454..458].copy_from_slice(&start_sectors.to_le_bytes());
    disk[458..462].copy_from_slice(&sectors.to_le_bytes());
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
}

/// Returns an empty qcow2 image of 1 MiB, version 3, with these incompatible features; `backing` may be empty.
/// QEMU's docs/interop/qcow2.rst says what is where.
fn qcow2(incompatible: u64, backing: &str) -> Vec<u8> {
    let at = |cluster: usize| u64::try_from(cluster * CLUSTER).unwrap().to_be_bytes();
    let number = |number: u32| number.to_be_bytes();
    let name_at = if backing.is_empty() { 0 } else { 112u64 };
    let mut image = [
        b"QFI\xfb".as_slice(),
        &number(3),
        &name_at.to_be_bytes(),
        &number(u32::try_from(backing.len()).unwrap()),
        &number(16), // bits of a cluster
        &(1u64 << 20).to_be_bytes(),
        &number(0), // not encrypted
        &number(1), // entries of the L1 table
        &at(3),     // the L1 table
        &at(1),     // the refcount table
        &number(1), // its clusters
        &number(0), // no snapshots
        &[0; 8],
        &incompatible.to_be_bytes(),
        &[0; 16],     // compatible features, autoclear features
        &number(4),   // bits of a refcount, as a power of 2
        &number(104), // length of this header
        &[0; 8],      // no extensions
        backing.as_bytes(),
    ]
    .concat();
    image.resize(4 * CLUSTER, 0);
    image[CLUSTER..][..8].copy_from_slice(&at(2));
    image[2 * CLUSTER..][..8].copy_from_slice(&[0, 1, 0, 1, 0, 1, 0, 1]);
    image
}

/// Returns bytes that look random and are always the same.
fn noise(size_bytes: usize) -> Vec<u8> {
    let mut state: u32 = 7;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..size_bytes).map(next).collect()
}
