//! A small Debian-like root that is converted when nothing hostile is in it: every planner finds something to do.

use super::shop::Shop;
use anyhow::{Context, Result};
use guestconv_core::formats::cpio::Writer;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// The version of its kernel.
pub(crate) const KERNEL: &str = "6.1.0-41-amd64";
/// Its modules, with what each needs.
const MODULES: &[(&str, &[&str])] = &[
    ("kernel/drivers/virtio/virtio.ko", &[]),
    ("kernel/drivers/virtio/virtio_ring.ko", &["kernel/drivers/virtio/virtio.ko"]),
    (
        "kernel/drivers/virtio/virtio_pci.ko",
        &["kernel/drivers/virtio/virtio_ring.ko", "kernel/drivers/virtio/virtio.ko"],
    ),
    (
        "kernel/drivers/block/virtio_blk.ko",
        &["kernel/drivers/virtio/virtio_ring.ko", "kernel/drivers/virtio/virtio.ko"],
    ),
    (
        "kernel/drivers/scsi/virtio_scsi.ko",
        &["kernel/drivers/virtio/virtio_ring.ko", "kernel/drivers/virtio/virtio.ko"],
    ),
    (
        "kernel/drivers/net/virtio_net.ko",
        &["kernel/drivers/virtio/virtio_ring.ko", "kernel/drivers/virtio/virtio.ko"],
    ),
    ("kernel/drivers/scsi/scsi_mod.ko", &[]),
    ("kernel/drivers/scsi/sd_mod.ko", &["kernel/drivers/scsi/scsi_mod.ko"]),
    ("kernel/drivers/ata/ahci.ko", &["kernel/drivers/scsi/scsi_mod.ko"]),
    ("kernel/drivers/message/fusion/mptspi.ko", &["kernel/drivers/scsi/scsi_mod.ko"]),
];

/// The files of a root, on the host until a file system is made of them.
pub(crate) struct Tree {
    /// Where they are.
    pub(crate) root: PathBuf,
}

impl Tree {
    /// Makes the root in a shop.
    pub(crate) fn new(shop: &Shop) -> Result<Self> {
        Self::named(shop, "tree", "hostile")
    }

    /// Makes a root of that directory and host name.
    pub(crate) fn named(shop: &Shop, directory: &str, hostname: &str) -> Result<Self> {
        let tree = Self { root: shop.path(directory) };
        let grub = format!(
            "set default=0\nset timeout=5\nmenuentry 'Debian' --class debian {{\n  insmod ext2\n  set root='hd0,msdos1'\n\
             \tlinux /boot/vmlinuz-{KERNEL} root=/dev/sda1 ro quiet\n\tinitrd /boot/initrd.img-{KERNEL}\n}}\n"
        );
        for (path, text) in [
            (
                "usr/lib/os-release",
                "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
            ),
            ("etc/fstab", "/dev/sda1 / ext4 errors=remount-ro 0 1\n/dev/sr0 /media/cdrom udf noauto 0 0\n"),
            ("etc/hostname", &format!("{hostname}\n")),
            ("etc/default/grub", "GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX=\"root=/dev/sda1\"\n"),
            ("etc/network/interfaces", "auto lo\niface lo inet loopback\nauto eth0\niface eth0 inet dhcp\n"),
            ("etc/initramfs-tools/initramfs.conf", "MODULES=dep\n"),
            ("etc/initramfs-tools/modules", "# nothing\n"),
            ("usr/sbin/update-initramfs", "#!/bin/sh\n"),
            ("usr/bin/vmtoolsd", "tools\n"),
            ("lib/systemd/system/open-vm-tools.service", "[Unit]\nDescription=tools\n"),
            ("sbin/init", "init\n"),
            ("boot/grub/grub.cfg", &grub),
            ("boot/grub/device.map", "(hd0) /dev/sda\n"),
        ] {
            tree.file(path, text.as_bytes())?;
        }
        // The head of an ELF file for x86-64, by which the architecture is told.
        tree.file("bin/sh", &[&b"\x7fELF\x02\x01\x01"[..], &[0; 9], &[3, 0, 62, 0], &[0; 44]].concat())?;
        tree.file(&format!("boot/vmlinuz-{KERNEL}"), b"kernel\n")?;
        tree.file(&initrd(), &initramfs()?)?;
        tree.link("etc/os-release", "../usr/lib/os-release")?;
        tree.link(
            "etc/systemd/system/multi-user.target.wants/open-vm-tools.service",
            "/lib/systemd/system/open-vm-tools.service",
        )?;
        tree.modules(KERNEL)?;
        for directory in ["dev", "proc", "sys", "run", "tmp", "var/lib"] {
            fs::create_dir_all(tree.root.join(directory))?;
        }
        Ok(tree)
    }

    /// Adds the modules of a kernel.
    pub(crate) fn modules(&self, kernel: &str) -> Result<()> {
        let base = format!("lib/modules/{kernel}");
        let mut index = String::new();
        for (path, needs) in MODULES {
            self.file(&format!("{base}/{path}"), format!("module {path}\n").repeat(20).as_bytes())?;
            index.push_str(&format!("{path}: {}\n", needs.join(" ")));
        }
        self.file(&format!("{base}/modules.dep"), index.as_bytes())?;
        for (name, text) in [
            (
                "modules.alias",
                "alias pci:v00001AF4d*sv*sd*bc*sc*i* virtio_pci\nalias virtio:d00000002v* virtio_blk\n",
            ),
            ("modules.builtin", "kernel/fs/ext4/ext4.ko\n"),
            ("modules.softdep", "# none\n"),
            ("modules.order", ""),
        ] {
            self.file(&format!("{base}/{name}"), text.as_bytes())?;
        }
        Ok(())
    }

    /// Writes a file, whatever was there.
    pub(crate) fn file(&self, path: &str, content: &[u8]) -> Result<PathBuf> {
        let place = self.cleared(path)?;
        fs::write(&place, content).with_context(|| format!("cannot write {}", place.display()))?;
        fs::set_permissions(&place, fs::Permissions::from_mode(0o644))?;
        Ok(place)
    }

    /// Writes a file of that size that is one hole.
    pub(crate) fn sparse(&self, path: &str, size_bytes: u64) -> Result<()> {
        let place = self.cleared(path)?;
        Ok(fs::File::create(place)?.set_len(size_bytes)?)
    }

    /// Makes a symbolic link, whatever was there.
    pub(crate) fn link(&self, path: &str, to: &str) -> Result<()> {
        let place = self.cleared(path)?;
        symlink(to, &place).with_context(|| format!("cannot make {}", place.display()))
    }

    /// Makes a file whose name is these bytes.
    pub(crate) fn named_by_bytes(&self, directory: &str, name: &[u8], content: &[u8]) -> Result<()> {
        let directory = self.root.join(directory);
        fs::create_dir_all(&directory)?;
        Ok(fs::write(directory.join(std::ffi::OsStr::from_bytes(name)), content)?)
    }

    /// Removes a file, a link or a directory with all in it.
    pub(crate) fn remove(&self, path: &str) -> Result<()> {
        removed(&self.root.join(path))
    }

    /// Returns the tree as ext4 in the partition of a disk.
    pub(crate) fn ext4(&self, shop: &Shop, debugfs: &[String]) -> Result<PathBuf> {
        shop.ext4(&self.root, debugfs)
    }

    fn cleared(&self, path: &str) -> Result<PathBuf> {
        let place = self.root.join(path);
        removed(&place)?;
        fs::create_dir_all(place.parent().context("a file is in a directory")?)?;
        Ok(place)
    }
}

fn removed(place: &Path) -> Result<()> {
    match fs::symlink_metadata(place) {
        Ok(there) if there.is_dir() => fs::remove_dir_all(place)?,
        Ok(_) => fs::remove_file(place)?,
        Err(_) => {}
    }
    Ok(())
}

/// Returns the path of its initramfs, without the `/` in front.
pub(crate) fn initrd() -> String {
    format!("boot/initrd.img-{KERNEL}")
}

/// Returns its initramfs: udev, a module, and the name of a device that does not last.
pub(crate) fn initramfs() -> Result<Vec<u8>> {
    let mut archive = Writer::new();
    for directory in ["usr", "usr/lib", "usr/lib/systemd", "conf", "conf/conf.d"] {
        archive.directory(directory, 0o755)?;
    }
    archive.file("usr/lib/systemd/systemd-udevd", 0o755, b"udevd\n")?;
    archive.file("conf/conf.d/resume", 0o644, b"RESUME=/dev/sda1\n")?;
    archive.link("lib", "usr/lib")?;
    archive.file(&format!("usr/lib/modules/{KERNEL}/kernel/drivers/scsi/scsi_mod.ko"), 0o644, b"module\n")?;
    Ok(archive.finish())
}
