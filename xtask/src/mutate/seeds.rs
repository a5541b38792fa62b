//! What is mutated: one small disk set of every table, volume, lock, file system and format, each sound and with a system on it
//! where it can hold one. All are made in few runs of User Mode Linux, and cached.

use crate::guest::uml;
use crate::matrix::tree_archive;
use crate::{cache, run};
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How many disks one run of User Mode Linux gets.
const DISKS_AT_ONCE: usize = 20;

/// A sound disk set.
pub(super) struct Seed {
    /// Its name.
    pub(super) name: &'static str,
    /// The size of each disk, in MiB.
    sizes: &'static [u64],
    /// The shell script that makes it; the disks are `$1` and on, `fill DEVICE [OPTION…]` puts a system there.
    make: &'static str,
    /// The format that the disk is turned into, with options of `qemu-img convert`; empty: it stays raw.
    image: &'static str,
}

impl Seed {
    const fn of(name: &'static str, sizes: &'static [u64], make: &'static str) -> Self {
        Self { name, sizes, make, image: "" }
    }

    const fn image(name: &'static str, image: &'static str) -> Self {
        Self { name, sizes: &[24], make: "mkfs.ext4 -q $1; fill $1", image }
    }

    /// Returns whether it is not raw, so that the host looks at what it says of itself.
    pub(super) const fn is_image(&self) -> bool {
        !self.image.is_empty()
    }

    /// Returns the names of its disks.
    fn files(&self) -> impl Iterator<Item = String> {
        (1..=self.sizes.len()).map(|number| format!("{}-{number}", self.name))
    }
}

pub(super) const SEEDS: &[Seed] = &[
    Seed::of("ext2", &[24], "mkfs.ext2 -q $1; fill $1"),
    Seed::of("ext3", &[24], "mkfs.ext3 -q $1; fill $1"),
    Seed::of("ext4", &[24], "mkfs.ext4 -q $1; fill $1"),
    Seed::of("xfs", &[320], "mkfs.xfs -q $1; fill $1"),
    Seed::of("xfs-v4", &[320], "mkfs.xfs -q -m crc=0,finobt=0 $1; fill $1"),
    Seed::of("btrfs", &[128], "mkfs.btrfs -q $1; fill $1"),
    Seed::of("btrfs-mixed", &[48], "mkfs.btrfs -q --mixed $1; fill $1"),
    Seed::of("btrfs-two", &[128; 2], "mkfs.btrfs -q -f -m raid1 -d raid0 $1 $2; fill $1"),
    Seed::of("f2fs", &[64], "mkfs.f2fs -q $1; fill $1"),
    Seed::of("jfs", &[32], "mkfs.jfs -q $1; fill $1"),
    Seed::of("nilfs2", &[144], "mkfs.nilfs2 -q $1; fill $1"),
    Seed::of("reiserfs", &[48], "mkfs.reiserfs -q -f $1"),
    Seed::of("vfat", &[24], "mkfs.vfat $1"),
    Seed::of("exfat", &[24], "mkfs.exfat $1"),
    Seed::of("ntfs", &[24], "mkfs.ntfs -q -Q -F $1"),
    Seed::of(
        "squashfs",
        &[8],
        "mksquashfs /etc/apt /tmp/image -quiet -no-progress; cat /tmp/image > $1; rm /tmp/image",
    ),
    Seed::of("erofs", &[8], "mkfs.erofs -zlz4 /tmp/image /etc/apt; cat /tmp/image > $1; rm /tmp/image"),
    Seed::of(
        "iso9660",
        &[8],
        "genisoimage -quiet -R -o /tmp/image /etc/apt; cat /tmp/image > $1; rm /tmp/image",
    ),
    Seed::of("udf", &[24], "mkfs.udf --utf8 $1"),
    Seed::of("swap", &[8], "mkswap $1"),
    Seed::of(
        "mbr",
        &[48],
        "printf ',8M,82\\n,,E\\n,8M,83\\n,,83\\n' | sfdisk -q $1; settle $1; mkfs.ext4 -q ${1}6; fill ${1}6",
    ),
    Seed::of(
        "gpt",
        &[32],
        "printf 'label: gpt\\n,8M,S\\n,,L\\n' | sfdisk -q $1; settle $1; mkfs.ext4 -q ${1}2; fill ${1}2",
    ),
    Seed::of(
        "lvm",
        &[32],
        "L pvcreate -y $1; L vgcreate linear $1; L lvcreate -Zn -Wn -y -L 24m -n root linear; on linear-root; L vgchange -an linear",
    ),
    Seed::of(
        "lvm-raid",
        &[48; 2],
        "L pvcreate -y $1 $2; L vgcreate raid $1 $2; L lvcreate -Zn -Wn -y --type raid1 -m1 -L 24m -n root raid; on raid-root; L vgchange -an raid",
    ),
    Seed::of(
        "lvm-thin",
        &[64],
        "L pvcreate -y $1; L vgcreate thin $1; L lvcreate -Zn -y --type thin-pool -L 32m --poolmetadatasize 4m --poolmetadataspare n -n pool thin; L lvcreate -y --type thin -V 32m --thinpool pool -n root thin; on thin-root; L vgchange -an thin",
    ),
    Seed::of(
        "md-old",
        &[24; 2],
        "mdadm -C /dev/md1 --run -e 0.90 -l 1 -n 2 --assume-clean $1 $2; mkfs.ext4 -q /dev/md1; fill /dev/md1; mdadm --stop /dev/md1",
    ),
    Seed::of(
        "md-raid5",
        &[24; 3],
        "mdadm -C /dev/md2 --run -e 1.2 -l 5 -n 3 --assume-clean $1 $2 $3; mkfs.ext4 -q /dev/md2; fill /dev/md2; mdadm --stop /dev/md2",
    ),
    Seed::of(
        "luks1",
        &[32],
        "lock luks1 $1; cryptsetup open --key-file /tmp/key $1 one; on one; cryptsetup close one",
    ),
    Seed::of(
        "luks2",
        &[48],
        "lock luks2 $1; cryptsetup open --key-file /tmp/key $1 two; on two; cryptsetup close two",
    ),
    Seed::image("qcow2", "qcow2 -o cluster_size=4k"),
    Seed::image("qcow2-zlib", "qcow2 -c -o cluster_size=4k"),
    Seed::image("qcow2-zstd", "qcow2 -c -o compression_type=zstd,cluster_size=4k"),
    Seed::image("qcow2-extended", "qcow2 -o extended_l2=on,cluster_size=16k"),
    Seed::image("vmdk-sparse", "vmdk"),
    Seed::image("vmdk-stream", "vmdk -o subformat=streamOptimized"),
    Seed::image("vhd-dynamic", "vpc -o force_size=on"),
    Seed::image("vhd-fixed", "vpc -o subformat=fixed,force_size=on"),
    Seed::image("vhdx", "vhdx"),
    Seed::image("vdi", "vdi"),
];

/// Returns the disks of each seed, in the cache, which nobody may write to.
pub(super) fn made() -> Result<Vec<(&'static Seed, Vec<PathBuf>)>> {
    let tree = tree_archive()?;
    let archive = fs::read(&tree)?;
    let told =
        SEEDS.iter().map(|seed| format!("{} {:?} {} {}", seed.name, seed.sizes, seed.make, seed.image));
    let told = told.collect::<Vec<_>>().join("\n");
    let inputs: [&[u8]; 3] = [told.as_bytes(), include_bytes!("script.sh"), &archive];
    let entry = cache::entry("mutate", &inputs, |dir| build(&tree, dir))?;
    Ok(SEEDS.iter().map(|seed| (seed, seed.files().map(|file| entry.join(file)).collect())).collect())
}

fn build(tree: &Path, dir: &Path) -> Result<()> {
    let mut rest = SEEDS;
    while !rest.is_empty() {
        let mut disks = 0;
        let fits = rest.iter().take_while(|seed| {
            disks += seed.sizes.len();
            disks <= DISKS_AT_ONCE
        });
        let (now, later) = rest.split_at(fits.count());
        together(now, tree, dir)?;
        rest = later;
    }
    for seed in SEEDS.iter().filter(|seed| seed.is_image()) {
        for file in seed.files() {
            let (raw, path) = (dir.join("raw"), dir.join(file));
            fs::rename(&path, &raw)?;
            let mut convert = Command::new("qemu-img");
            convert.args(["convert", "-f", "raw", "-O"]).args(seed.image.split_whitespace());
            run::run(convert.arg(&raw).arg(&path))?;
            fs::remove_file(raw)?;
        }
    }
    Ok(())
}

/// Makes seeds in one run.
fn together(seeds: &[Seed], tree: &Path, dir: &Path) -> Result<()> {
    let mut script =
        format!("set -eu\n{}\n{}\n", include_str!("../guest/library.sh"), include_str!("script.sh"));
    let (mut images, mut letters) = (Vec::new(), 'a'..='z');
    for seed in seeds {
        let mut devices = Vec::new();
        for (file, size_mib) in seed.files().zip(seed.sizes) {
            let image = dir.join(file);
            File::create(&image)?.set_len(size_mib << 20)?;
            images.push(image);
            devices.push(format!("/dev/vd{}", letters.next().context("too many disks at once")?));
        }
        let (name, make, devices) = (seed.name, seed.make, devices.join(" "));
        script.push_str(&format!("made () {{\n{make}\n}}\nmade {devices} > /tmp/log 2>&1 || {{ echo {name}; cat /tmp/log; exit 1; }}\n"));
    }
    script.push_str("sync\n");
    uml::run(&script, &images, tree)
}
