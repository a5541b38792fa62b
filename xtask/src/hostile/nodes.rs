//! Devices, pipes, sockets and directories where files are expected: none may be opened, none may block.

use super::case::{Case, Subject, converts, refused};
use super::debian::{KERNEL, Tree, initrd};
use super::shop::Shop;
use anyhow::Result;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "nodes-fstab-pipe",
        tries: "/etc/fstab is a pipe that nobody writes",
        make: |shop| with_nodes(shop, &[("etc/fstab", "p")]),
        expect: converts(&[]),
    },
    Case {
        name: "nodes-os-release-zero",
        tries: "os-release is a device without end",
        make: |shop| with_nodes(shop, &[("usr/lib/os-release", "c 1 5"), ("etc/os-release", "c 1 5")]),
        expect: converts(&[]),
    },
    Case {
        name: "nodes-menu-pipe",
        tries: "grub.cfg is a pipe",
        make: |shop| with_nodes(shop, &[("boot/grub/grub.cfg", "p")]),
        expect: converts(&[]),
    },
    Case {
        name: "nodes-initramfs-disk",
        tries: "the initramfs is the disk itself as a block device",
        make: |shop| with_nodes(shop, &[(&initrd(), "b 254 0")]),
        expect: refused("initramfs-not-read", &[]),
    },
    Case {
        name: "nodes-initramfs-pipe",
        tries: "the initramfs is a pipe",
        make: |shop| with_nodes(shop, &[(&initrd(), "p")]),
        expect: refused("initramfs-not-read", &[]),
    },
    Case {
        name: "nodes-kernel-memory",
        tries: "the kernel's image is the memory of the machine",
        make: |shop| with_nodes(shop, &[(&format!("boot/vmlinuz-{KERNEL}"), "c 1 1")]),
        expect: converts(&[]),
    },
    Case {
        name: "nodes-modules-pipes",
        tries: "the indexes of the modules and a module are pipes",
        make: |shop| {
            let dep = format!("lib/modules/{KERNEL}/modules.dep");
            let alias = format!("lib/modules/{KERNEL}/modules.alias");
            let module = format!("lib/modules/{KERNEL}/kernel/drivers/block/virtio_blk.ko");
            with_nodes(shop, &[(&dep, "p"), (&alias, "p"), (&module, "p")])
        },
        expect: refused("no-block-driver", &[]),
    },
    Case {
        name: "nodes-settings",
        tries: "every settings file that is looked for is a terminal, a pipe or a device",
        make: |shop| {
            with_nodes(
                shop,
                &[
                    ("etc/hostname", "c 5 0"),
                    ("etc/default/grub", "c 4 64"),
                    ("etc/network/interfaces", "p"),
                    ("etc/initramfs-tools/modules", "c 1 5"),
                    ("etc/initramfs-tools/initramfs.conf", "p"),
                    ("etc/crypttab", "p"),
                    ("etc/inittab", "c 1 8"),
                    ("boot/grub/device.map", "b 7 0"),
                    ("etc/X11/xorg.conf", "p"),
                    ("etc/udev/rules.d/70-persistent-net.rules", "p"),
                    ("etc/selinux/config", "p"),
                ],
            )
        },
        expect: converts(&[]),
    },
    Case {
        name: "nodes-sockets",
        tries: "fstab, the menu and the initramfs are sockets",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let names = ["/etc/fstab".to_owned(), "/boot/grub/grub.cfg".to_owned(), format!("/{}", initrd())];
            let sockets = names.map(|name| format!("sif {name} mode 0140644"));
            Ok(Subject::raw([tree.ext4(shop, &sockets)?]))
        },
        expect: refused("initramfs-not-read", &[]),
    },
    Case {
        name: "nodes-directories",
        tries: "fstab, the menu, the initramfs and a module are directories",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let module = format!("lib/modules/{KERNEL}/kernel/drivers/block/virtio_blk.ko");
            for path in ["etc/fstab", "boot/grub/grub.cfg", "etc/initramfs-tools/modules", &initrd(), &module]
            {
                tree.remove(path)?;
                tree.file(&format!("{path}/file"), b"")?;
            }
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: refused("initramfs-not-read", &[]),
    },
    Case {
        name: "nodes-mode-0",
        tries: "modes that no system has: 0, and type bits that are none",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let odd =
                [("/etc/fstab", "0170644"), ("/etc/hostname", "0"), ("/boot/grub/device.map", "0030000")];
            let odd = odd.map(|(name, mode)| format!("sif {name} mode {mode}"));
            Ok(Subject::raw([tree.ext4(shop, &odd)?]))
        },
        expect: refused("no-system", &["root-not-readable"]),
    },
];

/// A guest with these nodes; what they are is as `debugfs` takes it.
fn with_nodes(shop: &Shop, nodes: &[(&str, &str)]) -> Result<Subject> {
    let tree = Tree::new(shop)?;
    let mut commands = Vec::new();
    for (path, kind) in nodes {
        // The directory is made with a file in it that goes again.
        tree.file(path, b"")?;
        tree.remove(path)?;
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        commands.extend([format!("cd /{directory}"), format!("mknod {name} {kind}")]);
    }
    commands.push("cd /".to_owned());
    Ok(Subject::raw([tree.ext4(shop, &commands)?]))
}
