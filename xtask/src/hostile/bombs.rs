//! What is small on the disk and large when it is read: sparse files, packed zeroes, and crowds of names.

use super::case::{Case, Subject, converts, refused};
use super::debian::{KERNEL, Tree, initramfs, initrd};
use super::shop::{Shop, tool};
use crate::run;
use anyhow::{Context, Result};
use guestconv_core::formats::cpio::Writer;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "bombs-fstab-sparse",
        tries: "an fstab of 1 TiB, all of it a hole",
        make: |shop| sparse(shop, "etc/fstab", 1 << 40),
        expect: refused("no-system", &["root-not-readable"]),
    },
    Case {
        name: "bombs-settings-sparse",
        tries: "every other settings file is 1 TiB of holes",
        make: |shop| {
            let tree = Tree::new(shop)?;
            for path in [
                "usr/lib/os-release",
                "etc/hostname",
                "etc/default/grub",
                "etc/network/interfaces",
                "etc/initramfs-tools/modules",
                "boot/grub/device.map",
            ] {
                tree.sparse(path, 1 << 40)?;
            }
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: refused("no-system", &["root-not-readable"]),
    },
    Case {
        name: "bombs-initramfs-zeroes",
        tries: "an initramfs of 10 GiB of zeroes",
        make: |shop| sparse(shop, &initrd(), 10 << 30),
        expect: refused("initramfs-not-read", &["initramfs-unreadable"]),
    },
    Case {
        name: "bombs-initramfs-tail",
        tries: "a good initramfs with 10 GiB of zeroes behind it",
        make: |shop| {
            let tree = Tree::new(shop)?;
            OpenOptions::new().write(true).open(tree.root.join(initrd()))?.set_len(10 << 30)?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: refused("initramfs-not-read", &["initramfs-unreadable"]),
    },
    Case {
        name: "bombs-kernel-sparse",
        tries: "a kernel image, and a module that would be appended, of 1 TiB",
        make: |shop| {
            let tree = Tree::new(shop)?;
            tree.sparse(&format!("boot/vmlinuz-{KERNEL}"), 1 << 40)?;
            tree.sparse(&format!("lib/modules/{KERNEL}/kernel/drivers/block/virtio_blk.ko"), 1 << 40)?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: refused("driver-absent", &[]),
    },
    Case {
        name: "bombs-initramfs-gzip",
        tries: "a gzip initramfs that unpacks to 1.5 GiB",
        make: |shop| packed(shop, &["gzip", "-1", "-n"], 1 << 30, 1536),
        expect: refused("initramfs-not-read", &["initramfs-unreadable"]),
    },
    Case {
        name: "bombs-initramfs-bzip2",
        tries: "a bzip2 initramfs that unpacks to 1 GiB",
        make: |shop| packed(shop, &["bzip2", "-9"], 1 << 30, 1024),
        expect: refused("initramfs-not-read", &["initramfs-unreadable"]),
    },
    Case {
        name: "bombs-initramfs-xz",
        tries: "an xz initramfs that unpacks to 1.5 GiB",
        make: |shop| packed(shop, &["xz", "-0", "-C", "crc32"], 1 << 30, 1536),
        expect: refused("initramfs-not-read", &["initramfs-unreadable"]),
    },
    Case {
        name: "bombs-initramfs-lzma",
        tries: "an lzma initramfs that unpacks to 1.5 GiB",
        make: |shop| packed(shop, &["xz", "-0", "--format=lzma"], 1 << 30, 1536),
        expect: refused("initramfs-not-read", &["initramfs-unreadable"]),
    },
    Case {
        name: "bombs-initramfs-zstd",
        tries: "a zstd initramfs that unpacks to 6 GiB",
        make: |shop| packed(shop, &["zstd", "-1", "-q"], 3 << 30, 6144),
        expect: refused("initramfs-not-read", &["initramfs-unreadable"]),
    },
    Case {
        name: "bombs-initramfs-lz4",
        tries: "an lz4 initramfs that unpacks to 3 GiB",
        make: |shop| packed(shop, &["lz4", "-l", "-1", "-q"], 1 << 30, 3072),
        expect: refused("initramfs-not-read", &["initramfs-unreadable"]),
    },
    Case {
        name: "bombs-initramfs-segments",
        tries: "an initramfs of forty zstd segments, each of 512 MiB",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let segment = segment(shop, &["zstd", "-1", "-q"], 500 << 20, 512)?;
            tree.file(&initrd(), &[initramfs()?, fs::read(segment)?.repeat(40)].concat())?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: refused("initramfs-not-read", &["initramfs-unreadable"]),
    },
    Case {
        name: "bombs-kernels",
        tries: "sixty kernels, each with an initramfs that unpacks to 512 MiB",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let bomb = fs::read(segment(shop, &["zstd", "-1", "-q"], 500 << 20, 512)?)?;
            for number in 0..60 {
                let kernel = format!("5.{number}.0");
                tree.modules(&kernel)?;
                tree.file(&format!("boot/vmlinuz-{kernel}"), b"kernel\n")?;
                tree.file(&format!("boot/initrd.img-{kernel}"), &[initramfs()?, bomb.clone()].concat())?;
            }
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: converts(&["initramfs-unreadable"]),
    },
    Case {
        name: "bombs-dictionary",
        tries: "an xz initramfs whose dictionary needs 1.5 GiB of memory",
        make: |shop| {
            let lzma = "--lzma2=preset=0,dict=4KiB";
            let tree = Tree::new(shop)?;
            let mut packed =
                fs::read(segment(shop, &["xz", "-C", "none", "--format=xz", lzma], 1 << 20, 2)?)?;
            // The dictionary's size is a byte in the block header, which has a checksum of its own.
            let (at, header_bytes) = (12usize, 12usize);
            let header = packed.get_mut(at..at + header_bytes).context("xz writes a block header")?;
            if let Some(size) = header.get_mut(4) {
                *size = 39;
            }
            let sum = !guestconv_core::formats::block::crc32(u32::MAX, header.get(..8).unwrap_or_default());
            header.get_mut(8..12).context("xz writes a block header")?.copy_from_slice(&sum.to_le_bytes());
            tree.file(&initrd(), &packed)?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: refused("initramfs-not-read", &["initramfs-unreadable"]),
    },
    Case {
        name: "bombs-window",
        tries: "a zstd initramfs whose window needs 2 GiB of memory",
        make: |shop| {
            let tree = Tree::new(shop)?;
            // Magic, a frame header with a window descriptor of 2^31, then one run-length block of 128 KiB after another.
            let mut bytes = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3];
            (0..1000).for_each(|_| bytes.extend([0x02, 0x00, 0x10, b'0']));
            tree.file(&initrd(), &bytes)?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: refused("initramfs-not-read", &["initramfs-unreadable"]),
    },
    Case {
        name: "bombs-modules-packed",
        tries: "modules packed in each other, and one that unpacks to 4 GiB",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let base = format!("lib/modules/{KERNEL}");
            let bomb = segment(shop, &["zstd", "-1", "-q"], 3 << 30, 4096)?;
            let bomb = fs::read(repacked(shop, &repacked(shop, &bomb, "xz")?, "zstd")?)?;
            let index = fs::read_to_string(tree.root.join(format!("{base}/modules.dep")))?;
            for name in ["virtio_blk", "virtio_pci", "virtio_scsi"] {
                let path = index
                    .lines()
                    .find_map(|line| line.split_once(':').filter(|(path, _)| path.contains(name)));
                let (path, _) = path.context("the module is in the index")?;
                tree.remove(&format!("{base}/{path}"))?;
                tree.file(&format!("{base}/{path}.zst"), &bomb)?;
            }
            tree.file(&format!("{base}/modules.dep"), index.replace(".ko", ".ko.zst").as_bytes())?;
            for line in index.lines().filter_map(|line| line.split(':').next()) {
                let plain = tree.root.join(format!("{base}/{line}"));
                if plain.exists() {
                    fs::rename(&plain, plain.with_extension("ko.zst"))?;
                }
            }
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "bombs-initramfs-names",
        tries: "an initramfs of a million names",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let mut archive = Writer::new();
            for number in 0..1_000_000 {
                archive.file(&format!("f{number}"), 0o644, b"")?;
            }
            let plain = shop.path("names");
            fs::write(&plain, [initramfs()?, archive.finish()].concat())?;
            let packed = repacked(shop, &plain, "zstd")?;
            tree.file(&initrd(), &fs::read(packed)?)?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: refused("initramfs-not-read", &["initramfs-unreadable"]),
    },
    Case {
        name: "bombs-initramfs-maze",
        tries: "an initramfs of links through links, each of a thousand parts, above 150,000 files",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let mut archive = Writer::new();
            for number in 0..40 {
                archive.link(&format!("l{number}"), &format!("{}l{}", "d/../".repeat(800), number + 1))?;
            }
            archive.directory("d", 0o755)?;
            archive.directory("l40", 0o755)?;
            for number in 0..150_000 {
                archive.file(&format!("l0/{number}/lib/modules/{KERNEL}/x.ko"), 0o644, b"")?;
            }
            let plain = shop.path("maze");
            fs::write(&plain, [initramfs()?, archive.finish()].concat())?;
            let packed = repacked(shop, &plain, "zstd")?;
            tree.file(&initrd(), &fs::read(packed)?)?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: refused("initramfs-not-read", &["initramfs-unreadable"]),
    },
    Case {
        name: "bombs-initramfs-sizes",
        tries: "an initramfs whose headers tell sizes of 4 GiB and names of 4 GiB",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let good = initramfs()?;
            let mut bad = good.clone();
            bad.splice(54..62, *b"ffffffff");
            let mut long = good.clone();
            long.splice(94..102, *b"ffffffff");
            tree.file(&initrd(), &[good, bad, long].concat())?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: refused("initramfs-not-read", &["initramfs-unreadable"]),
    },
    Case {
        name: "bombs-boot-million",
        tries: "a million kernel images in /boot, none with a version in its name",
        make: |shop| crowded(shop, "boot", "vmlinuz", 1_000_000),
        expect: refused("no-system", &["root-not-readable"]),
    },
    Case {
        name: "bombs-boot-beyond",
        tries: "more names in /boot than are listed",
        make: |shop| crowded(shop, "boot", "kernel", 1_100_000),
        expect: refused("no-system", &["root-not-readable"]),
    },
    Case {
        name: "bombs-modules-crowd",
        tries: "a million kernels in /lib/modules",
        make: |shop| crowded(shop, "lib/modules", "6.1.", 999_000),
        expect: refused("no-system", &["root-not-readable"]),
    },
    Case {
        name: "bombs-settings-crowd",
        tries: "200,000 files in each directory of settings",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let crowds = [
                ("etc/default/grub.d", "", ".cfg"),
                ("boot/loader/entries", "", ".conf"),
                ("etc/systemd/network", "", ".network"),
                ("etc/netplan", "", ".yaml"),
                ("etc/network/interfaces.d", "", ""),
                ("etc/modprobe.d", "", ".conf"),
                ("etc/udev/rules.d", "", ".rules"),
                ("etc/initramfs-tools/conf.d", "", ""),
            ];
            for (directory, ..) in crowds {
                fs::create_dir_all(tree.root.join(directory))?;
            }
            let disk = shop.ext4_of("disk.img", 512 << 20, &tree.root, &["-O", "^metadata_csum"], &[])?;
            for (directory, start, end) in crowds {
                crowd(shop, &disk, directory, (start, end), 200_000)?;
            }
            Ok(Subject::raw([disk]))
        },
        expect: refused("no-system", &["root-not-readable"]),
    },
    Case {
        name: "bombs-services",
        tries: "half a million names that start services",
        make: |shop| crowded(shop, "etc/systemd/system/multi-user.target.wants", "open-vm-tools", 500_000),
        expect: refused("no-system", &["root-not-readable"]),
    },
];

/// A guest with one file that is a hole.
fn sparse(shop: &Shop, path: &str, size_bytes: u64) -> Result<Subject> {
    let tree = Tree::new(shop)?;
    tree.sparse(path, size_bytes)?;
    Ok(Subject::raw([tree.ext4(shop, &[])?]))
}

/// A guest whose initramfs is one packed archive with a file of zeroes.
fn packed(shop: &Shop, packer: &[&str], file_bytes: u32, total_mib: u64) -> Result<Subject> {
    let tree = Tree::new(shop)?;
    fs::copy(segment(shop, packer, file_bytes, total_mib)?, tree.root.join(initrd()))?;
    Ok(Subject::raw([tree.ext4(shop, &[])?]))
}

/// Packs a good archive, a file of so many zeroes behind it, and zeroes up to a total.
fn segment(shop: &Shop, packer: &[&str], file_bytes: u32, total_mib: u64) -> Result<PathBuf> {
    let (path, start) = (shop.path("segment"), shop.path("start"));
    let mut header = Writer::new();
    header.file("zeroes", 0o644, b"")?;
    let mut header = header.finish();
    header.splice(54..62, format!("{file_bytes:08x}").bytes());
    header.truncate(120);
    fs::write(&start, [initramfs()?, header].concat())?;
    let script = "{ cat \"$0\"; head -c \"$1\"M /dev/zero; } | \"${@:3}\" -c >\"$2\"";
    let mut command = tool("bash");
    command
        .args(["-o", "pipefail", "-c", script])
        .arg(&start)
        .arg(total_mib.to_string())
        .arg(&path)
        .args(packer);
    run::run(&mut command)?;
    Ok(path)
}

fn repacked(shop: &Shop, file: &Path, packer: &str) -> Result<PathBuf> {
    let path = shop.path("repacked");
    run::run(
        tool("sh")
            .args(["-c", "\"$0\" -c <\"$1\" >\"$2.new\" && mv \"$2.new\" \"$2\"", packer])
            .args([file, &path]),
    )?;
    Ok(path)
}

fn crowded(shop: &Shop, directory: &str, start: &str, count: u32) -> Result<Subject> {
    let tree = Tree::new(shop)?;
    fs::create_dir_all(tree.root.join(directory))?;
    let disk = tree.ext4(shop, &[])?;
    crowd(shop, &disk, directory, (start, ""), count)?;
    Ok(Subject::raw([disk]))
}

/// Adds so many names of one file to a directory. The directory's blocks are written as a file, which then becomes the
/// directory: making a million files takes minutes.
fn crowd(shop: &Shop, disk: &Path, directory: &str, (start, end): (&str, &str), count: u32) -> Result<()> {
    let there = entries(shop, disk, directory)?;
    let shell = entries(shop, disk, "bin")?.into_iter().find(|(_, name, _)| name == "sh");
    let (inode, ..) = shell.context("the tree has /bin/sh")?;
    let mut blocks = Blocks::default();
    for (inode, name, kind) in &there {
        blocks.add(*inode, name, *kind)?;
    }
    for number in 0..count {
        blocks.add(inode, &format!("{start}{number:06}{end}"), 1)?;
    }
    let file = shop.path("crowd");
    fs::write(&file, blocks.finish()?)?;
    let (above, name) = directory.rsplit_once('/').unwrap_or(("", directory));
    shop.debugfs(
        disk,
        &[
            format!("cd /{above}"),
            format!("write {} {name}.crowd", file.display()),
            format!("sif {name}.crowd mode 040755"),
            format!("sif {name}.crowd links_count 2"),
            format!("unlink {name}"),
            format!("ln {name}.crowd {name}"),
            format!("unlink {name}.crowd"),
        ],
    )
}

/// Returns what is in a directory: inode, name, kind.
fn entries(shop: &Shop, disk: &Path, directory: &str) -> Result<Vec<(u32, String, u8)>> {
    let mut entries = Vec::new();
    for line in shop.asked(disk, &format!("ls -p /{directory}"))?.lines() {
        let fields: Vec<&str> = line.split('/').collect();
        let [_, inode, mode, _, _, name, ..] = fields.as_slice() else { continue };
        let kind = if mode.starts_with("04") {
            2
        } else if mode.starts_with("12") {
            7
        } else {
            1
        };
        if *inode != "0" {
            entries.push((inode.parse()?, (*name).to_owned(), kind));
        }
    }
    Ok(entries)
}

/// The blocks of a directory of ext4.
#[derive(Default)]
struct Blocks {
    whole: Vec<u8>,
    block: Vec<u8>,
    last: usize,
}

impl Blocks {
    const BYTES: usize = 4096;

    fn add(&mut self, inode: u32, name: &str, kind: u8) -> Result<()> {
        let length = (8 + name.len()).next_multiple_of(4);
        if self.block.len() + length > Self::BYTES {
            self.close()?;
        }
        self.last = self.block.len();
        self.block.extend(inode.to_le_bytes());
        self.block.extend(u16::try_from(length)?.to_le_bytes());
        self.block.extend([u8::try_from(name.len())?, kind]);
        self.block.extend(name.bytes());
        self.block.resize(self.last + length, 0);
        Ok(())
    }

    /// The last name of a block reaches to its end.
    fn close(&mut self) -> Result<()> {
        let length = u16::try_from(Self::BYTES - self.last)?;
        self.block.resize(Self::BYTES, 0);
        let field = self.block.get_mut(self.last + 4..self.last + 6).context("a block has a name")?;
        field.copy_from_slice(&length.to_le_bytes());
        self.whole.append(&mut self.block);
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<u8>> {
        self.close()?;
        Ok(self.whole)
    }
}
