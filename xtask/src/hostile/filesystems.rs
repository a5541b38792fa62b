//! File systems whose metadata lies, so that the kernel inside panics, never ends, or eats its memory: bytes that are
//! known to hurt, and noise from a seed over what a mount reads.

use super::case::{Case, Subject, refused};
use super::debian::{Tree, initrd};
use super::shop::{DISK_BYTES, PARTITION_AT, Shop, noise, peek, poke, tool};
use crate::run;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Where the superblock of ext4 is.
const SUPER: u64 = PARTITION_AT + 1024;

/// Nothing of the system is there any more.
const UNMOUNTED: super::case::Expect = refused("no-system", &["filesystem-not-mounted"]);

pub(super) const CASES: &[Case] = &[
    Case {
        name: "filesystems-ext4-groups",
        tries: "an ext4 of 2^64 blocks in groups of eight",
        make: |shop| {
            ext4(
                shop,
                &[(4, &u32::MAX.to_le_bytes()), (32, &8u32.to_le_bytes()), (0x150, &u32::MAX.to_le_bytes())],
            )
        },
        expect: UNMOUNTED,
    },
    Case {
        name: "filesystems-ext4-inodes",
        tries: "an ext4 with inodes of 0 bytes and four thousand million in a group",
        make: |shop| ext4(shop, &[(40, &u32::MAX.to_le_bytes()), (88, &0u16.to_le_bytes())]),
        expect: UNMOUNTED,
    },
    Case {
        name: "filesystems-ext4-block-size",
        tries: "an ext4 with blocks of 2^41 bytes",
        make: |shop| ext4(shop, &[(24, &31u32.to_le_bytes()), (28, &31u32.to_le_bytes())]),
        expect: UNMOUNTED,
    },
    Case {
        name: "filesystems-ext4-descriptors",
        tries: "an ext4 whose group descriptors point beyond the disk",
        make: |shop| {
            let disk = Tree::new(shop)?.ext4(shop, &[])?;
            poke(&disk, PARTITION_AT + 4096, &[0xff; 1024])?;
            Ok(Subject::raw([disk]))
        },
        expect: UNMOUNTED,
    },
    Case {
        name: "filesystems-ext4-orphans",
        tries: "orphans that lead to each other, and a journal to be replayed",
        make: |shop| {
            let disk = Tree::new(shop)?.ext4(shop, &[])?;
            let fstab = inode(shop, &disk, "/etc/fstab")?;
            let initrd = inode(shop, &disk, &format!("/{}", initrd()))?;
            // The next orphan is in the time of deletion.
            let orphans = [
                format!("sif <{fstab}> dtime {initrd}"),
                format!("sif <{initrd}> dtime {fstab}"),
                format!("sif <{fstab}> links_count 0"),
                format!("ssv last_orphan {fstab}"),
                "feature needs_recovery".to_owned(),
            ];
            shop.debugfs(&disk, &orphans)?;
            Ok(Subject::raw([disk]))
        },
        expect: refused("no-system", &["journal-replayed", "root-not-readable"]),
    },
    Case {
        name: "filesystems-ext4-directory",
        tries: "directories whose entries have no length, and lead to each other's inodes",
        make: |shop| {
            let disk = Tree::new(shop)?.ext4(shop, &[])?;
            for (name, length) in
                [("/boot", [0, 0]), ("/etc/systemd/system", [0xff, 0xff]), ("/lib/modules", [1, 0])]
            {
                let block = block_of(shop, &disk, name)?;
                poke(&disk, block + 4, &length)?;
            }
            Ok(Subject::raw([disk]))
        },
        expect: refused("filesystem-damaged", &["filesystem-damaged"]),
    },
    Case {
        name: "filesystems-ext4-extents",
        tries: "an extent tree that is its own leaf, and one of a depth that never ends",
        make: |shop| {
            let disk = Tree::new(shop)?.ext4(shop, &[])?;
            let block = block_of(shop, &disk, "/boot")?;
            let number = u32::try_from((block - PARTITION_AT) / 4096)?;
            // Magic, entries, most entries, depth, generation; then first block, leaf, leaf's upper half.
            let header = |depth: u16| {
                let mut bytes = [0xf30au16, 1, 4, depth, 0, 0].map(u16::to_le_bytes).concat();
                bytes.extend([0, number, 0].map(u32::to_le_bytes).concat());
                bytes
            };
            poke(&disk, block, &header(1))?;
            let words: Vec<String> = header(2)
                .chunks_exact(4)
                .enumerate()
                .map(|(at, word)| {
                    let value = word.iter().rev().fold(0u32, |all, byte| all << 8 | u32::from(*byte));
                    format!("sif /{} block[{at}] {value}", initrd())
                })
                .collect();
            shop.debugfs(&disk, &words)?;
            Ok(Subject::raw([disk]))
        },
        expect: refused("filesystem-damaged", &["filesystem-damaged"]),
    },
    Case {
        name: "filesystems-ext4-journal",
        tries: "a journal of noise that is to be replayed",
        make: |shop| {
            let disk = Tree::new(shop)?.ext4(shop, &["feature needs_recovery".to_owned()])?;
            let journal = block_of(shop, &disk, "<8>")?;
            poke(&disk, journal + 12, &[8192u32, 4096, 1, 1, 1].map(u32::to_be_bytes).concat())?;
            for block in 1..200 {
                poke(&disk, journal + block * 4096, &[0xc03b_3998u32, 1, 1].map(u32::to_be_bytes).concat())?;
                poke(&disk, journal + block * 4096 + 12, &noise(block, 1000))?;
            }
            Ok(Subject::raw([disk]))
        },
        expect: UNMOUNTED,
    },
    Case {
        name: "filesystems-ext4-noise-1",
        tries: "an ext4 with noise over every fifth inode table block",
        make: |shop| noisy(shop, ext4_disk, 1, 40, 4096, 5),
        expect: refused("no-system", &["root-not-readable"]),
    },
    Case {
        name: "filesystems-ext4-noise-2",
        tries: "an ext4 with one noisy byte in every kilobyte of its first MiB",
        make: |shop| noisy(shop, ext4_disk, 2, 1024, 1, 1024),
        expect: refused("no-system", &["root-not-readable"]),
    },
    Case {
        name: "filesystems-xfs-noise-1",
        tries: "an XFS with one noisy byte in every kilobyte of its first MiB",
        make: |shop| noisy(shop, xfs, 3, 1024, 1, 1024),
        expect: UNMOUNTED,
    },
    Case {
        name: "filesystems-xfs-groups",
        tries: "an XFS of four thousand million allocation groups",
        make: |shop| {
            let disk = xfs(shop)?;
            poke(&disk, PARTITION_AT + 88, &u32::MAX.to_be_bytes())?;
            poke(&disk, PARTITION_AT + 8, &u64::MAX.to_be_bytes())?;
            sealed(&disk, PARTITION_AT, 512, 224)?;
            Ok(Subject::raw([disk]))
        },
        expect: UNMOUNTED,
    },
    Case {
        name: "filesystems-xfs-log",
        tries: "an XFS log of records that tell lengths of 2 GiB and offer noise to replay",
        make: |shop| {
            let disk = xfs(shop)?;
            let start = xfs_log(&disk)?;
            for record in 0..64u64 {
                let mut header = [0xfeed_babeu32, 1 + u32::try_from(record)?, 2, 0x7fff_ffff]
                    .map(u32::to_be_bytes)
                    .concat();
                header.extend(noise(record, 300));
                poke(&disk, start + record * 32768, &header)?;
            }
            Ok(Subject::raw([disk]))
        },
        expect: UNMOUNTED,
    },
    Case {
        name: "filesystems-xfs-tree",
        tries: "an XFS whose inode tree has noise for its root, with a good checksum",
        make: |shop| {
            let disk = xfs(shop)?;
            // Block 3 holds the root of the tree of inodes in a new file system.
            let at = PARTITION_AT + 3 * 4096;
            let level = peek(&disk, at, 8)?;
            poke(&disk, at, &level)?;
            poke(&disk, at + 6, &0xffffu16.to_be_bytes())?;
            poke(&disk, at + 56, &noise(9, 2000))?;
            sealed(&disk, at, 4096, 52)?;
            Ok(Subject::raw([disk]))
        },
        expect: refused("no-system", &[]),
    },
    Case {
        name: "filesystems-btrfs-noise-1",
        tries: "a btrfs with one noisy byte in every kilobyte of what a mount reads first",
        make: |shop| noisy_btrfs(shop, 5, 64 << 10, 4, 1024),
        expect: UNMOUNTED,
    },
    Case {
        name: "filesystems-btrfs-chunks",
        tries: "a btrfs whose chunk array leads everywhere, with a good checksum",
        make: |shop| {
            let disk = btrfs(shop)?;
            let superblock = PARTITION_AT + (64 << 10);
            poke(&disk, superblock + 0x32b + 17, &[0xff; 80])?;
            sealed(&disk, superblock, 4096, 0)?;
            Ok(Subject::raw([disk]))
        },
        expect: UNMOUNTED,
    },
    Case {
        name: "filesystems-btrfs-level",
        tries: "a btrfs whose trees have 255 levels and lie on each other, with a good checksum",
        make: |shop| {
            let disk = btrfs(shop)?;
            let superblock = PARTITION_AT + (64 << 10);
            let chunk_root = peek(&disk, superblock + 0x58, 8)?;
            poke(&disk, superblock + 0x50, &chunk_root)?;
            poke(&disk, superblock + 0xc6, &[0xff, 0xff, 0xff])?;
            sealed(&disk, superblock, 4096, 0)?;
            Ok(Subject::raw([disk]))
        },
        expect: UNMOUNTED,
    },
    Case {
        name: "filesystems-btrfs-sizes",
        tries: "a btrfs with nodes of 2^31 bytes and sectors of none, with a good checksum",
        make: |shop| {
            let disk = btrfs(shop)?;
            let superblock = PARTITION_AT + (64 << 10);
            poke(&disk, superblock + 0x90, &[0u32, 1 << 31, 1 << 31, 0].map(u32::to_le_bytes).concat())?;
            sealed(&disk, superblock, 4096, 0)?;
            Ok(Subject::raw([disk]))
        },
        expect: UNMOUNTED,
    },
    Case {
        name: "filesystems-fat-chain",
        tries: "an ESP whose files and directories have chains that lead back",
        make: |shop| {
            let disk = with_esp(shop)?;
            fat_loops(&disk)?;
            Ok(Subject::raw([disk]))
        },
        expect: refused("no-system", &["root-not-readable"]),
    },
    Case {
        name: "filesystems-fat-numbers",
        tries: "an ESP with no clusters, sectors of 0 bytes and 255 tables",
        make: |shop| {
            let disk = with_esp(shop)?;
            poke(&disk, 2048 * 512 + 11, &[0, 0, 0, 0xff, 0xff, 0xff])?;
            Ok(Subject::raw([disk]))
        },
        expect: super::case::converts(&[]),
    },
    Case {
        name: "filesystems-fat-noise",
        tries: "an ESP with noise over its tables and its root directory",
        make: |shop| {
            let disk = with_esp(shop)?;
            poke(&disk, 2048 * 512 + 2048, &noise(11, 96 << 10))?;
            Ok(Subject::raw([disk]))
        },
        expect: super::case::refused("no-system", &["root-not-readable"]),
    },
    Case {
        name: "filesystems-magics",
        tries: "superblocks of JFS, F2FS, squashfs, NTFS, ReiserFS and ISO 9660 that are all noise but for their names",
        make: |shop| {
            let mut disks = Vec::new();
            for (number, (at, magic)) in [
                (32768u64, &b"JFS1\x01\0\0\0"[..]),
                (1024, b"\x10\x20\xf5\xf2"),
                (0, b"hsqs"),
                (3, b"NTFS    "),
                (65536 + 52, b"ReIsEr2Fs"),
                (32769, b"CD001"),
            ]
            .into_iter()
            .enumerate()
            {
                let disk = shop.blank(&format!("disk{number}.img"), 16 << 20)?;
                poke(&disk, 0, &noise(20 + u64::try_from(number)?, 200 << 10))?;
                poke(&disk, 446, &[0; 66])?;
                poke(&disk, at, magic)?;
                disks.push(disk);
            }
            Ok(Subject::raw(disks))
        },
        expect: UNMOUNTED,
    },
];

fn ext4_disk(shop: &Shop) -> Result<PathBuf> {
    Tree::new(shop)?.ext4(shop, &[])
}

/// A guest with these bytes in the superblock of its ext4.
fn ext4(shop: &Shop, pokes: &[(u64, &[u8])]) -> Result<Subject> {
    let disk = ext4_disk(shop)?;
    for (at, bytes) in pokes {
        poke(&disk, SUPER + at, bytes)?;
    }
    Ok(Subject::raw([disk]))
}

/// A disk with an empty XFS.
fn xfs(shop: &Shop) -> Result<PathBuf> {
    let inner = shop.blank("inner.img", 320 << 20)?;
    let uuid = "uuid=6a1b2c3d-0000-4000-8000-00000000000d";
    run::run(tool("mkfs.xfs").args(["-q", "-f", "-m", uuid]).arg(&inner))?;
    in_partition(shop, &inner, 320 << 20)
}

/// A disk with the tree as btrfs.
fn btrfs(shop: &Shop) -> Result<PathBuf> {
    let tree = Tree::new(shop)?;
    let inner = shop.blank("inner.img", 128 << 20)?;
    let uuid = "6a1b2c3d-0000-4000-8000-00000000000e";
    run::run(tool("mkfs.btrfs").args(["-q", "-f", "-U", uuid, "--rootdir"]).arg(&tree.root).arg(&inner))?;
    in_partition(shop, &inner, 128 << 20)
}

fn in_partition(shop: &Shop, inner: &Path, size_bytes: u64) -> Result<PathBuf> {
    let disk = shop.blank("disk.img", PARTITION_AT + size_bytes)?;
    super::shop::mbr(&disk, &[(0x80, 0x83, PARTITION_AT / 512, size_bytes / 512)])?;
    let (from, to) = (format!("if={}", inner.display()), format!("of={}", disk.display()));
    run::run(tool("dd").args([&from, &to, "bs=1M", "seek=1", "conv=notrunc,sparse", "status=none"]))?;
    std::fs::remove_file(inner)?;
    Ok(disk)
}

/// A disk with noise from a seed in its partition: so many bytes at each multiple of a step, so often.
fn noisy(
    shop: &Shop,
    make: fn(&Shop) -> Result<PathBuf>,
    seed: u64,
    count: u64,
    bytes: usize,
    step: u64,
) -> Result<Subject> {
    let disk = make(shop)?;
    let step_bytes = if bytes > 1 { step * 4096 } else { step };
    scatter(&disk, PARTITION_AT + 2048, seed, count, bytes, step_bytes)?;
    Ok(Subject::raw([disk]))
}

fn noisy_btrfs(shop: &Shop, seed: u64, from: u64, bytes: usize, step_bytes: u64) -> Result<Subject> {
    let disk = btrfs(shop)?;
    scatter(&disk, PARTITION_AT + from + 4096, seed, 40 << 10, bytes, step_bytes)?;
    Ok(Subject::raw([disk]))
}

fn scatter(disk: &Path, from: u64, seed: u64, count: u64, bytes: usize, step_bytes: u64) -> Result<()> {
    for number in 0..count {
        let noise = noise(seed.wrapping_add(number << 8), bytes + 2);
        let (places, values) = noise.split_at(2);
        let within = places.iter().fold(0u64, |all, byte| all << 8 | u64::from(*byte)) % step_bytes;
        let room = step_bytes.saturating_sub(u64::try_from(bytes)?).max(1);
        poke(disk, from + number * step_bytes + within.min(room), values)?;
    }
    Ok(())
}

/// Writes the CRC-32C of a block at its place in it, as XFS and btrfs have it; btrfs sums what is behind the field.
fn sealed(disk: &Path, at: u64, size_bytes: usize, field: usize) -> Result<()> {
    let mut block = peek(disk, at, size_bytes)?;
    let from = if field == 0 { 32 } else { 0 };
    if field != 0 {
        block.splice(field..field + 4, [0; 4]);
    }
    let sum = !crc32c(u32::MAX, block.get(from..).unwrap_or_default());
    poke(disk, at + u64::try_from(field)?, &sum.to_le_bytes())
}

fn crc32c(start: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(start, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 },
        )
    })
}

/// Returns where the log of an XFS begins.
fn xfs_log(disk: &Path) -> Result<u64> {
    let number = |at: u64, bytes: usize| -> Result<u64> {
        Ok(peek(disk, PARTITION_AT + at, bytes)?.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)))
    };
    // sb_logstart counts in blocks of allocation groups of sb_agblocks, whose numbers have sb_agblklog bits.
    let (start, group_blocks, bits) = (number(48, 8)?, number(84, 4)?, number(124, 1)?);
    let (group, block) = (start >> bits, start & ((1 << bits) - 1));
    Ok(PARTITION_AT + (group * group_blocks + block) * 4096)
}

/// Returns the inode of a file in the ext4 of a disk.
fn inode(shop: &Shop, disk: &Path, path: &str) -> Result<u32> {
    let said = shop.asked(disk, &format!("stat {path}"))?;
    let number = said.strip_prefix("Inode: ").and_then(|rest| rest.split_whitespace().next());
    number.context("debugfs tells the inode")?.parse().context("an inode is a number")
}

/// Returns where the first block of a file is on a disk.
fn block_of(shop: &Shop, disk: &Path, path: &str) -> Result<u64> {
    let said = shop.asked(disk, &format!("bmap {path} 0"))?;
    let block: u64 = said.trim().parse().with_context(|| format!("debugfs says of {path}: {said}"))?;
    Ok(PARTITION_AT + block * 4096)
}

/// The plain guest with an ESP as the first partition, which fstab mounts.
fn with_esp(shop: &Shop) -> Result<PathBuf> {
    const ESP_SECTORS: u64 = 65536;
    let tree = Tree::new(shop)?;
    std::fs::create_dir_all(tree.root.join("boot/efi"))?;
    tree.file("etc/fstab", b"/dev/sda2 / ext4 defaults 0 1\n/dev/sda1 /boot/efi vfat umask=0077 0 1\n")?;
    let menu = std::fs::read_to_string(tree.root.join("boot/grub/grub.cfg"))?;
    tree.file("boot/grub/grub.cfg", menu.replace("sda1", "sda2").replace("msdos1", "msdos2").as_bytes())?;
    let inner = shop.ext4_of("inner.img", DISK_BYTES, &tree.root, &["-O", "^metadata_csum"], &[])?;
    let esp = shop.blank("esp.img", ESP_SECTORS * 512)?;
    run::run(tool("mkfs.vfat").args(["-F", "16", "-i", "6a1b2c3d"]).arg(&esp))?;
    for directory in ["::EFI", "::EFI/debian", "::EFI/BOOT"] {
        run::run(tool("mmd").arg("-i").args([&esp]).arg(directory))?;
    }
    let loader = shop.path("loader");
    std::fs::write(&loader, noise(1, 300_000))?;
    for to in ["::EFI/debian/grubx64.efi", "::EFI/BOOT/BOOTX64.EFI"] {
        run::run(tool("mcopy").arg("-i").args([&esp, &loader]).arg(to))?;
    }
    let root_at = 2048 + ESP_SECTORS;
    let disk = shop.blank("disk.img", root_at * 512 + DISK_BYTES)?;
    let root_sectors = (DISK_BYTES - PARTITION_AT) / 512;
    super::shop::mbr(&disk, &[(0, 0xef, 2048, ESP_SECTORS), (0x80, 0x83, root_at, root_sectors)])?;
    for (from, skip, seek) in [(&esp, 0, 1), (&inner, 1, (root_at * 512) >> 20)] {
        let files = [format!("if={}", from.display()), format!("of={}", disk.display())];
        let places = [format!("skip={skip}"), format!("seek={seek}")];
        run::run(tool("dd").args(files).args(places).args(["bs=1M", "conv=notrunc,sparse", "status=none"]))?;
        std::fs::remove_file(from)?;
    }
    Ok(disk)
}

/// Makes every chain of clusters in the first table of the ESP's FAT16 lead back to its own start.
fn fat_loops(disk: &Path) -> Result<()> {
    let esp = 2048 * 512;
    let reserved = u64::from(u16::from_le_bytes(peek(disk, esp + 14, 2)?.try_into().unwrap_or_default()));
    let table_at = esp + reserved * 512;
    let table = peek(disk, table_at, 16 << 10)?;
    let mut start = None;
    for (number, entry) in (0u16..).zip(table.chunks_exact(2)).skip(2) {
        let next = entry.iter().rev().fold(0, |all, byte| all << 8 | u16::from(*byte));
        if next == 0 {
            break;
        }
        let first = *start.get_or_insert(number);
        if next >= 0xfff8 {
            poke(disk, table_at + u64::from(number) * 2, &first.to_le_bytes())?;
            start = None;
        }
    }
    Ok(())
}
