//! Links that lead out of the root: where inspection reads, and where apply writes.

use super::case::{Case, Subject, converts, refused};
use super::debian::{KERNEL, Tree, initrd};
use super::shop::Shop;
use anyhow::Result;
use std::fs;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "links-fstab-absolute",
        tries: "/etc/fstab is an absolute link to a file of the host",
        make: |shop| linked(shop, "etc/fstab", &shop.canary.display().to_string()),
        expect: converts(&[]),
    },
    Case {
        name: "links-fstab-dots",
        tries: "/etc/fstab climbs out by .. to a file of the host",
        make: |shop| linked(shop, "etc/fstab", &climbing(shop)),
        expect: converts(&[]),
    },
    Case {
        name: "links-os-release",
        tries: "os-release, in both its places, is a file of the host",
        make: |shop| {
            let tree = Tree::new(shop)?;
            tree.link("usr/lib/os-release", &climbing(shop))?;
            tree.link("etc/os-release", &shop.canary.display().to_string())?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "links-menu",
        tries: "grub.cfg is a file of the host",
        make: |shop| linked(shop, "boot/grub/grub.cfg", &climbing(shop)),
        expect: converts(&[]),
    },
    Case {
        name: "links-initramfs-device",
        tries: "the initramfs is a link to the appliance's own disk",
        make: |shop| linked(shop, &initrd(), "/dev/vda"),
        expect: refused("driver-absent", &[]),
    },
    Case {
        name: "links-initramfs-host",
        tries: "the initramfs is a link to a file of the host, which apply would append to",
        make: |shop| linked(shop, &initrd(), &climbing(shop)),
        expect: refused("driver-absent", &[]),
    },
    Case {
        name: "links-boot-device",
        tries: "/boot is a link to a block device",
        make: |shop| {
            let tree = Tree::new(shop)?;
            tree.link("boot", "/dev/vda1")?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: converts(&["no-kernel"]),
    },
    Case {
        name: "links-parent-out",
        tries: "the directory that apply writes to is a link to a directory of the host",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let outside = shop.canary.parent().map(|dir| dir.display().to_string()).unwrap_or_default();
            tree.link("etc/initramfs-tools", &outside)?;
            tree.link("etc/default", &format!("../../../../../../..{outside}"))?;
            tree.link("etc/systemd", &outside)?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "links-parent-in",
        tries: "the directory that apply writes to climbs beyond the top and comes down inside",
        make: |shop| {
            let tree = Tree::new(shop)?;
            tree.file("srv/conf/initramfs.conf", b"MODULES=dep\n")?;
            tree.file("srv/conf/modules", b"# here\n")?;
            tree.link("etc/initramfs-tools", "../../../../../../../srv/conf")?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "links-fstab-inside",
        tries: "/etc/fstab climbs beyond the top and comes down inside: that file is edited",
        make: |shop| {
            let tree = Tree::new(shop)?;
            tree.file("srv/fstab", b"/dev/sda1 / ext4 defaults 0 1\n")?;
            tree.link("etc/fstab", "../../../../../../srv/../srv/fstab")?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "links-hard",
        tries: "a file that apply edits, and the initramfs, have other names by hard links",
        make: |shop| {
            let tree = Tree::new(shop)?;
            fs::create_dir_all(tree.root.join("home/user"))?;
            fs::hard_link(tree.root.join("etc/fstab"), tree.root.join("home/user/mine"))?;
            fs::remove_file(tree.root.join(format!("boot/vmlinuz-{KERNEL}")))?;
            fs::hard_link(tree.root.join(initrd()), tree.root.join(format!("boot/vmlinuz-{KERNEL}")))?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "links-magic",
        tries: "links through /proc, which would leave the root if it was the appliance's",
        make: |shop| {
            let tree = Tree::new(shop)?;
            tree.link("etc/fstab", "/proc/self/root/proc/self/mounts")?;
            tree.link("etc/hostname", "/proc/1/root/request.json")?;
            tree.link("etc/default/grub", "/proc/self/fd/0")?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "links-request",
        tries: "links to the appliance's own files: the request and the agent",
        make: |shop| {
            let tree = Tree::new(shop)?;
            tree.link("etc/fstab", "/request.json")?;
            tree.link("etc/hostname", "../../../init")?;
            tree.link(&initrd(), "../../../init")?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: refused("driver-absent", &[]),
    },
    Case {
        name: "links-modules",
        tries: "the directory of the modules is a link out",
        make: |shop| linked(shop, &format!("lib/modules/{KERNEL}"), "../../../../../../dev"),
        expect: converts(&["no-kernel"]),
    },
    Case {
        name: "links-module-zero",
        tries: "a module that would be appended is a link to a device without end",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let module = format!("lib/modules/{KERNEL}/kernel/drivers/block/virtio_blk.ko");
            tree.link(&module, "/dev/zero")?;
            let zero = ["cd /dev", "mknod zero c 1 5", "cd /"].map(str::to_owned);
            Ok(Subject::raw([tree.ext4(shop, &zero)?]))
        },
        expect: refused("driver-absent", &[]),
    },
    Case {
        name: "links-service",
        tries: "the link that apply removes says 4,000 bytes of anything",
        make: |shop| {
            let to = format!("/{}\u{1b}[2J{}", "x/".repeat(1000), "../".repeat(600));
            linked(shop, "etc/systemd/system/multi-user.target.wants/open-vm-tools.service", &to)
        },
        expect: converts(&[]),
    },
    Case {
        name: "links-mountpoint",
        tries: "a mountpoint of fstab is a link out of the root",
        make: |shop| {
            let tree = Tree::new(shop)?;
            tree.file("etc/fstab", b"/dev/sda1 / ext4 defaults 0 1\n/dev/sdb1 /opt ext4 defaults 0 2\n")?;
            tree.link("opt", "/../../../run/guest/../../..")?;
            let first = tree.ext4(shop, &[])?;
            let data = Tree { root: shop.path("data") };
            data.file("lost", b"data\n")?;
            let second = shop.ext4_of("second.img", 32 << 20, &data.root, &["-U", "random"], &[])?;
            Ok(Subject::raw([first, second]))
        },
        expect: converts(&[]),
    },
];

/// A guest with one link.
fn linked(shop: &Shop, path: &str, to: &str) -> Result<Subject> {
    let tree = Tree::new(shop)?;
    tree.link(path, to)?;
    Ok(Subject::raw([tree.ext4(shop, &[])?]))
}

/// The way from anywhere to the file of the host.
fn climbing(shop: &Shop) -> String {
    format!("../../../../../../../../../..{}", shop.canary.display())
}
