//! Partition tables, LVM, RAID and LUKS whose metadata lies.

use super::case::{Case, Subject, converts, refused};
use super::debian::Tree;
use super::shop::{DISK_BYTES, PARTITION_AT, Shop, mbr, peek, poke, tool};
use crate::run;
use anyhow::Result;
use guestconv_core::formats::block::crc32;
use std::path::PathBuf;

/// LVM's checksum starts from this.
const CRC_START: u32 = 0xf597_a6cf;
/// Where the data of our physical volumes begins, in the partition.
const DATA_AT: u64 = 1 << 20;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "volumes-lvm",
        tries: "nothing: the group that the others are made from",
        make: |shop| Ok(Subject::raw([lvm_disk(shop, "disk.img", &Tree::new(shop)?, &Lvm::default())?])),
        expect: converts(&[]),
    },
    Case {
        name: "volumes-lvm-names",
        tries: "a group and a volume whose names are paths and rule a terminal",
        make: |shop| {
            let lvm = Lvm { group: "../../dev", volume: "../vda\u{1b}[2J", ..Lvm::default() };
            Ok(Subject::raw([lvm_disk(shop, "disk.img", &Tree::new(shop)?, &lvm)?]))
        },
        expect: refused("no-system", &["volume-group-damaged"]),
    },
    Case {
        name: "volumes-lvm-segments",
        tries: "a volume of a hundred thousand segments on one extent, and a thousand volumes beside it",
        make: |shop| {
            let mut more = String::from("many { status=[\"VISIBLE\"] segment_count = 100000\n");
            for number in 0..60_000 {
                more.push_str(&format!("segment{number} {{ start_extent={number} extent_count=1 type=\"striped\" stripes=[\"pv0\",0] }}\n"));
            }
            more.push_str("}\n");
            for number in 0..1500 {
                more.push_str(&format!("v{number} {{ status=[\"VISIBLE\"] segment1 {{ start_extent=0 extent_count=1 type=\"striped\" stripes=[\"pv0\",0] }} }}\n"));
            }
            Ok(Subject::raw([lvm_disk(
                shop,
                "disk.img",
                &Tree::new(shop)?,
                &Lvm { more: &more, ..Lvm::default() },
            )?]))
        },
        expect: converts(&["volumes-too-many", "volume-not-mapped"]),
    },
    Case {
        name: "volumes-lvm-numbers",
        tries: "extents beyond the disk and beyond all numbers",
        make: |shop| {
            let far = "far { status=[\"VISIBLE\"] segment1 { start_extent=0 extent_count=18446744073709551615 type=\"striped\" stripes=[\"pv0\",18446744073709551615] } }\n\
                       minus { status=[\"VISIBLE\"] segment1 { start_extent=-1 extent_count=-1 type=\"striped\" stripes=[\"pv0\",-1] } }\n\
                       none { status=[\"VISIBLE\"] segment1 { start_extent=0 extent_count=4 type=\"striped\" stripes=[\"pv9\",0] } }\n";
            Ok(Subject::raw([lvm_disk(
                shop,
                "disk.img",
                &Tree::new(shop)?,
                &Lvm { more: far, ..Lvm::default() },
            )?]))
        },
        expect: refused("no-system", &["volume-group-damaged"]),
    },
    Case {
        name: "volumes-lvm-deep",
        tries: "metadata of a hundred thousand sections in each other",
        make: |shop| {
            let deep = "a {".repeat(100_000);
            Ok(Subject::raw([lvm_disk(
                shop,
                "disk.img",
                &Tree::new(shop)?,
                &Lvm { more: &deep, ..Lvm::default() },
            )?]))
        },
        expect: refused("no-system", &["volume-group-damaged"]),
    },
    Case {
        name: "volumes-lvm-cycle",
        tries: "a volume that holds the physical volume that it lies on",
        make: |shop| {
            let own = "own { status=[\"VISIBLE\"] segment1 { start_extent=0 extent_count=1 type=\"striped\" stripes=[\"pv1\",0] } }\n";
            let disk = lvm_disk(
                shop,
                "disk.img",
                &Tree::new(shop)?,
                &Lvm { more: own, self_at: true, ..Lvm::default() },
            )?;
            Ok(Subject::raw([disk]))
        },
        expect: refused("no-system", &["volume-not-mapped"]),
    },
    Case {
        name: "volumes-gpt-entries",
        tries: "a GPT of four thousand million entries, each of 2 GiB",
        make: |shop| {
            let disk = gpt(shop)?;
            for at in [512, DISK_BYTES - 512] {
                poke(&disk, at + 80, &[u32::MAX.to_le_bytes(), (1u32 << 31).to_le_bytes()].concat())?;
                sealed(&disk, at)?;
            }
            Ok(Subject::raw([disk]))
        },
        expect: refused("disks-blank", &["gpt-damaged"]),
    },
    Case {
        name: "volumes-gpt-beyond",
        tries: "a GPT whose entries lie behind the end of the disk, and whose backup is itself",
        make: |shop| {
            let disk = gpt(shop)?;
            poke(&disk, 512 + 72, &(u64::MAX - 7).to_le_bytes())?;
            poke(&disk, 512 + 32, &1u64.to_le_bytes())?;
            sealed(&disk, 512)?;
            Ok(Subject::raw([disk]))
        },
        expect: converts(&["gpt-primary-damaged"]),
    },
    Case {
        name: "volumes-gpt-name",
        tries: "a partition whose name rules a terminal",
        make: |shop| {
            let disk = gpt(shop)?;
            let name: Vec<u8> = "\u{1b}[2J\u{9b}\u{7}x".encode_utf16().flat_map(u16::to_le_bytes).collect();
            run::run(
                tool("sfdisk").args(["-q", "--part-label"]).arg(&disk).args(["1", "placeholder-of-a-name"]),
            )?;
            let at = 1024 + 56;
            poke(&disk, at, &name)?;
            let sum = !crc32(u32::MAX, &peek(&disk, 1024, 128 * 128)?);
            poke(&disk, 512 + 88, &sum.to_le_bytes())?;
            sealed(&disk, 512)?;
            Ok(Subject::raw([disk]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "volumes-partition-beyond",
        tries: "partitions that end behind the disk, or begin there",
        make: |shop| {
            let disk = Tree::new(shop)?.ext4(shop, &[])?;
            let length = (DISK_BYTES - PARTITION_AT) / 512;
            let far = u64::from(u32::MAX);
            mbr(&disk, &[(0x80, 0x83, PARTITION_AT / 512, length), (0, 0x83, far, far), (0, 0x0f, far, 1)])?;
            Ok(Subject::raw([disk]))
        },
        expect: super::case::fails("disk-truncated"),
    },
    Case {
        name: "volumes-luks",
        tries: "a LUKS header whose areas have 2^64 bytes and whose JSON never ends",
        make: |shop| {
            let disk = Tree::new(shop)?.ext4(shop, &[])?;
            let mut header =
                [&b"LUKS\xba\xbe\x00\x02"[..], &u64::MAX.to_be_bytes(), &u64::MAX.to_be_bytes()].concat();
            header.resize(4096, 0xff);
            header.extend("{\"keyslots\":".repeat(2000).bytes());
            poke(&disk, PARTITION_AT, &header)?;
            Ok(Subject::raw([disk]))
        },
        expect: refused("no-system", &["device-encrypted"]),
    },
    Case {
        name: "volumes-raid",
        tries: "a RAID superblock with two thousand million members, over a good file system",
        make: |shop| {
            let disk = Tree::new(shop)?.ext4(shop, &[])?;
            let mut block = [0xa92b_4efcu32.to_le_bytes(), 1u32.to_le_bytes()].concat();
            block.resize(256, 0xff);
            poke(&disk, PARTITION_AT + 4096, &block)?;
            Ok(Subject::raw([disk]))
        },
        expect: refused("no-system", &["raid-not-assembled"]),
    },
];

/// A volume group with one volume that holds a tree, and what is made odd about it.
pub(super) struct Lvm<'a> {
    pub(super) group: &'a str,
    pub(super) volume: &'a str,
    /// What the UUID of the group, and that of the physical volume, is made of.
    pub(super) group_id: char,
    pub(super) physical_id: char,
    /// More in the section of volumes.
    pub(super) more: &'a str,
    /// Whether a second physical volume of the group lies in its own first volume.
    pub(super) self_at: bool,
}

impl Default for Lvm<'_> {
    fn default() -> Self {
        Self { group: "vg", volume: "root", group_id: 'a', physical_id: 'a', more: "", self_at: false }
    }
}

/// Makes a disk whose partition is the physical volume of a group.
pub(super) fn lvm_disk(shop: &Shop, name: &str, tree: &Tree, lvm: &Lvm<'_>) -> Result<PathBuf> {
    const EXTENT_SECTORS: u64 = 2048;
    let ring: u64 = if lvm.more.len() > 500_000 { 24 << 20 } else { 900 << 10 };
    let data_at = if ring > DATA_AT { 25 << 20 } else { DATA_AT };
    let filesystem_bytes = DISK_BYTES - PARTITION_AT;
    let size = PARTITION_AT + data_at + filesystem_bytes;
    let inner = shop.ext4_of("inner.img", DISK_BYTES, &tree.root, &["-O", "^metadata_csum"], &[])?;
    let disk = shop.blank(name, size)?;
    let (from, to) = (format!("if={}", inner.display()), format!("of={}", disk.display()));
    let seek = format!("seek={}", (PARTITION_AT + data_at) >> 20);
    run::run(tool("dd").args([&from, &to, "bs=1M", "skip=1", &seek, "conv=notrunc,sparse", "status=none"]))?;
    mbr(&disk, &[(0x80, 0x8e, PARTITION_AT / 512, (size - PARTITION_AT) / 512)])?;
    let uuid = |letter: char| letter.to_string().repeat(32);
    let dashed = |letter: char| [6, 4, 4, 4, 4, 4, 6].map(|count| letter.to_string().repeat(count)).join("-");
    let extents = filesystem_bytes / 512 / EXTENT_SECTORS;
    let data_sectors = data_at / 512;
    let second = if lvm.self_at {
        format!("pv1 {{ id=\"{}\" pe_start=0 pe_count=1 }}\n", dashed('c'))
    } else {
        String::new()
    };
    let text = format!(
        "{} {{\nid=\"{}\"\nseqno=1\nformat=\"lvm2\"\nstatus=[\"RESIZEABLE\",\"READ\",\"WRITE\"]\nextent_size={EXTENT_SECTORS}\n\
         physical_volumes {{ pv0 {{ id=\"{}\" pe_start={data_sectors} pe_count={extents} }}\n{second}}}\n\
         logical_volumes {{\n{} {{ id=\"x\" status=[\"READ\",\"WRITE\",\"VISIBLE\"] segment_count=1\n\
         segment1 {{ start_extent=0 extent_count={extents} type=\"striped\" stripe_count=1 stripes=[\"pv0\",0] }} }}\n{}}}\n}}\n\
         contents=\"Text Format Volume Group\"\nversion=1\n",
        lvm.group,
        dashed(lvm.group_id),
        dashed(lvm.physical_id),
        lvm.volume,
        lvm.more,
    );
    let at = |offset: u64| PARTITION_AT + offset;
    let put = |bytes: &mut Vec<u8>, at: usize, part: &[u8]| {
        bytes.splice(at..at + part.len(), part.iter().copied());
    };
    let label = |letter: char, areas: &[u64]| {
        let mut label = vec![0; 512];
        put(&mut label, 0, b"LABELONE\x01");
        put(&mut label, 20, &[32, 0, 0, 0]);
        put(&mut label, 24, b"LVM2 001");
        put(&mut label, 32, uuid(letter).as_bytes());
        let list = [size - PARTITION_AT, data_at, 0, 0, 0].map(u64::to_le_bytes).concat();
        put(&mut label, 64, &list);
        put(&mut label, 104, &areas.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>());
        let sum = crc32(CRC_START, label.get(20..).unwrap_or_default());
        put(&mut label, 16, &sum.to_le_bytes());
        label
    };
    poke(&disk, at(512), &label(lvm.physical_id, &[4096, ring]))?;
    if lvm.self_at {
        // ext4 leaves its first sectors to others.
        poke(&disk, at(data_at + 512), &label('c', &[]))?;
    }
    let mut header = vec![0; 512];
    put(&mut header, 4, b"\x20LVM2\x20x[5A%r0N*>\x01\0\0\0");
    put(&mut header, 24, &[4096, ring, 512, u64::try_from(text.len())?].map(u64::to_le_bytes).concat());
    put(&mut header, 56, &crc32(CRC_START, text.as_bytes()).to_le_bytes());
    let sum = crc32(CRC_START, header.get(4..).unwrap_or_default());
    put(&mut header, 0, &sum.to_le_bytes());
    poke(&disk, at(4096), &header)?;
    poke(&disk, at(4096 + 512), text.as_bytes())?;
    std::fs::remove_file(inner)?;
    Ok(disk)
}

/// The plain guest in the partition of a GPT.
fn gpt(shop: &Shop) -> Result<PathBuf> {
    // The backup of the table needs the last sectors.
    let smaller = DISK_BYTES - (2 << 20);
    let tree = Tree::new(shop)?;
    let disk = shop.ext4_of("disk.img", smaller, &tree.root, &["-O", "^metadata_csum"], &[])?;
    std::fs::OpenOptions::new().write(true).open(&disk)?.set_len(DISK_BYTES)?;
    let script = shop.path("table");
    let table = "label: gpt\nlabel-id: 6a1b2c3d-0000-4000-8000-00000000000b\nstart=2048,size=190464,type=L,uuid=6a1b2c3d-0000-4000-8000-00000000000c\n";
    std::fs::write(&script, table)?;
    let boot_code = peek(&disk, 0, 440)?;
    let command = ["-c", "sfdisk -q --no-reread --wipe never \"$0\" < \"$1\""];
    run::run(tool("sh").args(command).args([&disk, &script]))?;
    std::fs::remove_file(script)?;
    poke(&disk, 0, &boot_code)?;
    Ok(disk)
}

/// Writes the checksum of a GPT's header.
fn sealed(disk: &std::path::Path, at: u64) -> Result<()> {
    let mut header = peek(disk, at, 92)?;
    header.splice(16..20, [0; 4]);
    poke(disk, at + 16, &(!crc32(u32::MAX, &header)).to_le_bytes())
}
