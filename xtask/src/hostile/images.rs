//! Images that name files of the host, that lie about their tables, or that are not what they look like.

use super::case::{Case, Subject, converts, fails, refused};
use super::debian::Tree;
use super::shop::{DISK_BYTES, Shop, peek, poke, tool};
use crate::run;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "images-backing",
        tries: "a qcow2 image whose backing file is a file of the host",
        make: |shop| {
            let canary = shop.canary.display().to_string();
            Ok(Subject::probed(based_on(shop, &canary, "raw")?))
        },
        expect: fails("backing-file-not-allowed"),
    },
    Case {
        name: "images-backing-json",
        tries: "a backing file in QEMU's json: form, which names a driver and a file",
        make: |shop| {
            let json = format!(
                "json:{{\"driver\":\"raw\",\"file\":{{\"driver\":\"file\",\"filename\":\"{}\"}}}}",
                shop.canary.display()
            );
            Ok(Subject::probed(based_on(shop, &json, "raw")?).with(&["--format", "qcow2"]))
        },
        expect: fails("backing-file-not-allowed"),
    },
    Case {
        name: "images-backing-network",
        tries: "a backing file on a server, with backing files allowed by the caller",
        make: |shop| {
            let disk = based_on(shop, "nbd://192.0.2.1:10809/disk", "raw")?;
            Ok(Subject::probed(disk).with(&["--allow-backing"]))
        },
        expect: fails("backing-file-not-opened"),
    },
    Case {
        name: "images-backing-itself",
        tries: "a qcow2 image that is its own backing file, with backing files allowed by the caller",
        make: |shop| {
            let disk = based_on(shop, "disk.qcow2", "qcow2")?;
            Ok(Subject::probed(disk).with(&["--allow-backing"]))
        },
        expect: fails("backing-file-not-opened"),
    },
    Case {
        name: "images-data-file",
        tries: "a qcow2 image whose data is in a file of the host",
        make: |shop| {
            let disk = qcow2(shop)?;
            let mut features = peek(&disk, 72, 8)?;
            if let Some(last) = features.last_mut() {
                *last |= 4;
            }
            poke(&disk, 72, &features)?;
            let name = shop.canary.display().to_string();
            extension(&disk, 0x4441_5441, name.as_bytes())?;
            Ok(Subject::probed(disk))
        },
        expect: fails("data-file-not-allowed"),
    },
    Case {
        name: "images-raw-as-qcow2",
        tries: "a raw disk whose guest wrote a qcow2 header with a backing file over its first sector: said to be raw",
        make: |shop| {
            let disk = disguised(shop)?;
            Ok(Subject::raw([disk]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "images-raw-as-qcow2-probed",
        tries: "the same disk with the format left to the first bytes",
        make: |shop| Ok(Subject::probed(disguised(shop)?)),
        expect: fails("backing-file-not-allowed"),
    },
    Case {
        name: "images-l1-huge",
        tries: "a qcow2 image whose L1 table has two thousand million entries",
        make: |shop| poked(shop, 36, &0x7fff_ffffu32.to_be_bytes()),
        expect: fails("qcow2-damaged"),
    },
    Case {
        name: "images-refcounts-huge",
        tries: "a qcow2 image whose table of reference counts has four thousand million clusters",
        make: |shop| poked(shop, 56, &u32::MAX.to_be_bytes()),
        expect: fails("disk-truncated"),
    },
    Case {
        name: "images-l1-beyond",
        tries: "an L1 table far behind the end of the file",
        make: |shop| poked(shop, 40, &(1u64 << 50).to_be_bytes()),
        expect: fails("disk-truncated"),
    },
    Case {
        name: "images-l2-beyond",
        tries: "L2 tables far behind the end of the file",
        make: |shop| {
            let disk = qcow2(shop)?;
            let l1 = number(&disk, 40)?;
            poke(&disk, l1, &(0x8000_0000_0000_0000u64 | 1 << 50).to_be_bytes())?;
            Ok(Subject::probed(disk))
        },
        expect: fails("disk-truncated"),
    },
    Case {
        name: "images-clusters-beyond",
        tries: "clusters far behind the end of the file, which are zeroes",
        make: |shop| {
            let disk = qcow2(shop)?;
            let l2 = number(&disk, number(&disk, 40)?)? & 0x00ff_ffff_ffff_fe00;
            let far = (0x8000_0000_0000_0000u64 | 1 << 45).to_be_bytes();
            poke(&disk, l2, &far.repeat(64))?;
            Ok(Subject::probed(disk))
        },
        expect: refused("disks-blank", &[]),
    },
    Case {
        name: "images-tables-cycle",
        tries: "an L1 table whose entries are the L1 table, and an L2 table whose clusters are itself",
        make: |shop| {
            let disk = qcow2(shop)?;
            let l1 = number(&disk, 40)?;
            poke(&disk, l1, &(0x8000_0000_0000_0000u64 | l1).to_be_bytes())?;
            Ok(Subject::probed(disk))
        },
        expect: refused("disks-blank", &[]),
    },
    Case {
        name: "images-snapshots",
        tries: "65,535 snapshots in a table behind the end of the file",
        make: |shop| {
            let disk = qcow2(shop)?;
            poke(&disk, 60, &65535u32.to_be_bytes())?;
            poke(&disk, 64, &(1u64 << 48).to_be_bytes())?;
            Ok(Subject::probed(disk))
        },
        expect: fails("disk-truncated"),
    },
    Case {
        name: "images-cluster-bits",
        tries: "clusters of 2^63 bytes",
        make: |shop| poked(shop, 20, &63u32.to_be_bytes()),
        expect: fails("qcow2-damaged"),
    },
    Case {
        name: "images-cluster-bits-0",
        tries: "clusters of one byte",
        make: |shop| poked(shop, 20, &0u32.to_be_bytes()),
        expect: fails("qcow2-damaged"),
    },
    Case {
        name: "images-size",
        tries: "a disk of 2^63 bytes",
        make: |shop| poked(shop, 24, &(1u64 << 63).to_be_bytes()),
        expect: fails("overlay-failed"),
    },
    Case {
        name: "images-size-large",
        tries: "a disk of 4 EiB with an L1 table to match, all of it unallocated",
        make: |shop| {
            let disk = qcow2(shop)?;
            poke(&disk, 24, &(1u64 << 62).to_be_bytes())?;
            poke(&disk, 36, &(1u32 << 22).to_be_bytes())?;
            Ok(Subject::probed(disk))
        },
        expect: fails("qcow2-damaged"),
    },
    Case {
        name: "images-extension",
        tries: "a header extension of 4 GiB, and one without end",
        make: |shop| {
            let disk = qcow2(shop)?;
            let at = u64::from(u32::from_be_bytes(peek(&disk, 100, 4)?.try_into().unwrap_or_default()));
            poke(&disk, at, &[0x6803_f857u32.to_be_bytes(), u32::MAX.to_be_bytes()].concat())?;
            Ok(Subject::probed(disk))
        },
        expect: fails("qcow2-damaged"),
    },
    Case {
        name: "images-compressed",
        tries: "clusters that say that they are compressed, and are noise or lie behind the end",
        make: |shop| {
            let disk = qcow2(shop)?;
            let l2 = number(&disk, number(&disk, 40)?)? & 0x00ff_ffff_ffff_fe00;
            let compressed = [0x4000_0000_0000_0000u64 | 70_000, 0x7fff_ffff_ffff_ffff].map(u64::to_be_bytes);
            poke(&disk, l2, &compressed.concat().repeat(8))?;
            Ok(Subject::probed(disk))
        },
        expect: fails("disk-io-failed"),
    },
    Case {
        name: "images-vmdk",
        tries: "a VMDK descriptor whose extent is a file of the host",
        make: |shop| {
            let disk = shop.path("disk.vmdk");
            let text = format!(
                "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType=\"monolithicFlat\"\n\
                 RW 2048 FLAT \"{}\" 0\n",
                shop.canary.display()
            );
            fs::write(&disk, text)?;
            Ok(Subject::probed(disk))
        },
        expect: fails("extent-file-not-allowed"),
    },
];

/// The plain guest as qcow2.
fn qcow2(shop: &Shop) -> Result<PathBuf> {
    let raw = Tree::new(shop)?.ext4(shop, &[])?;
    let disk = shop.path("disk.qcow2");
    run::run(tool("qemu-img").args(["convert", "-f", "raw", "-O", "qcow2"]).args([&raw, &disk]))?;
    fs::remove_file(raw)?;
    Ok(disk)
}

/// The plain guest as qcow2 with these bytes in its header.
fn poked(shop: &Shop, at: u64, bytes: &[u8]) -> Result<Subject> {
    let disk = qcow2(shop)?;
    poke(&disk, at, bytes)?;
    Ok(Subject::probed(disk))
}

/// An empty qcow2 image above another.
fn based_on(shop: &Shop, backing: &str, format: &str) -> Result<PathBuf> {
    let disk = shop.path("disk.qcow2");
    let size = DISK_BYTES.to_string();
    run::run(
        tool("qemu-img")
            .args(["create", "-q", "-u", "-f", "qcow2", "-b", backing, "-F", format])
            .arg(&disk)
            .arg(size),
    )?;
    Ok(disk)
}

/// A raw disk that begins like a qcow2 image with a backing file; the partition table is where it was.
fn disguised(shop: &Shop) -> Result<PathBuf> {
    let header = peek(&based_on(shop, &shop.canary.display().to_string(), "raw")?, 0, 440)?;
    fs::remove_file(shop.path("disk.qcow2"))?;
    let disk = Tree::new(shop)?.ext4(shop, &[])?;
    poke(&disk, 0, &header)?;
    // GRUB is not in the first sector any more, but its name is what it is known by.
    poke(&disk, 430, b"GRUB ")?;
    Ok(disk)
}

/// Puts a header extension in front of the others.
fn extension(disk: &Path, kind: u32, data: &[u8]) -> Result<()> {
    let at = u64::from(u32::from_be_bytes(peek(disk, 100, 4)?.try_into().unwrap_or_default()));
    let mut bytes = [kind.to_be_bytes(), u32::try_from(data.len())?.to_be_bytes()].concat();
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes.extend([0; 8]);
    poke(disk, at, &bytes)
}

fn number(disk: &Path, at: u64) -> Result<u64> {
    let bytes: [u8; 8] = peek(disk, at, 8)?.try_into().ok().context("eight bytes")?;
    Ok(u64::from_be_bytes(bytes))
}
