//! What leads back to itself, or goes down without end.

use super::case::{Case, Subject, converts, refused};
use super::debian::{KERNEL, Tree, initrd};
use super::shop::{self, DISK_BYTES, PARTITION_AT, Shop, mbr};
use anyhow::Result;
use std::fmt::Write as _;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "cycles-links",
        tries: "links that lead to each other, where files and directories are looked for",
        make: |shop| {
            let tree = Tree::new(shop)?;
            tree.link("etc/fstab", "fstab.other")?;
            tree.link("etc/fstab.other", "fstab")?;
            tree.link("etc/hostname", "hostname")?;
            tree.link("boot/loader", "loader")?;
            tree.link("etc/initramfs-tools", "../etc/initramfs-tools/x")?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "cycles-initramfs-link",
        tries: "the initramfs of the menu is a link to itself",
        make: |shop| {
            let tree = Tree::new(shop)?;
            tree.link(&initrd(), &format!("initrd.img-{KERNEL}"))?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: refused("no-system", &["root-not-readable"]),
    },
    Case {
        name: "cycles-modules-link",
        tries: "/lib/modules is a link to itself",
        make: |shop| {
            let tree = Tree::new(shop)?;
            tree.link("lib/modules", "/lib/modules")?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: refused("no-system", &["root-not-readable"]),
    },
    Case {
        name: "cycles-directory",
        tries: "a directory that holds itself by a hard link, in /boot, /etc and the modules",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let modules = format!("/lib/modules/{KERNEL}");
            let names = ["/boot", "/boot/grub", "/etc", "/etc/systemd/system", &modules];
            let loops: Vec<String> = names.iter().map(|name| format!("ln {name} {name}/loop")).collect();
            Ok(Subject::raw([tree.ext4(shop, &loops)?]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "cycles-menu",
        tries: "a menu that sources itself, loads itself as a menu, and calls its own functions",
        make: |shop| {
            let own =
                "source /boot/grub/grub.cfg\nconfigfile /boot/grub/grub.cfg\nnormal /boot/grub/grub.cfg\n";
            let function = "function again {\n  again\n  source $prefix/grub.cfg\n}\nagain\n";
            with_menu(shop, &format!("{own}{function}"), "")
        },
        expect: converts(&[]),
    },
    Case {
        name: "cycles-variables",
        tries: "menu variables that double themselves",
        make: |shop| {
            let mut text = "set a=aaaaaaaaaaaaaaaa\n".to_owned();
            (0..2000).for_each(|_| text.push_str("set a=\"$a$a\"\nset b=\"${b}${a}$b\"\n"));
            with_menu(shop, &text, "")
        },
        expect: converts(&[]),
    },
    Case {
        name: "cycles-nested-menus",
        tries: "a hundred thousand menus in each other, none closed",
        make: |shop| with_menu(shop, "", &"submenu 'x' {\n".repeat(100_000)),
        expect: converts(&[]),
    },
    Case {
        name: "cycles-nested-conditions",
        tries: "a hundred thousand conditions in each other",
        make: |shop| with_menu(shop, &"if [ x = x ]; then\n".repeat(100_000), ""),
        expect: converts(&[]),
    },
    Case {
        name: "cycles-extlinux",
        tries: "an extlinux menu that includes itself",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let text = format!(
                "INCLUDE extlinux.conf\nMENU INCLUDE /boot/extlinux/extlinux.conf\nDEFAULT linux\nLABEL linux\n\
                 KERNEL /boot/vmlinuz-{KERNEL}\nAPPEND root=/dev/sda1\nINITRD /boot/initrd.img-{KERNEL}\nINCLUDE ../extlinux/extlinux.conf\n"
            );
            tree.file("boot/extlinux/extlinux.conf", text.as_bytes())?;
            tree.file("boot/syslinux/syslinux.cfg", text.as_bytes())?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "cycles-bls",
        tries: "boot loader entries whose options name each other, and links among them",
        make: |shop| {
            let tree = Tree::new(shop)?;
            for number in 0..300 {
                let text = format!(
                    "title entry {number}\nversion {number}\nlinux /boot/vmlinuz-{KERNEL}\ninitrd $initrd\noptions $kernelopts $options\n"
                );
                tree.file(&format!("boot/loader/entries/{number}.conf"), text.as_bytes())?;
            }
            tree.link("boot/loader/entries/loop.conf", "loop.conf")?;
            tree.file(
                "boot/grub/grub.cfg",
                b"set kernelopts=\"$kernelopts $options root=/dev/sda1\"\nblscfg\n",
            )?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "cycles-fstab",
        tries: "bind mounts onto each other, the root as its own /boot, and ten thousand mounts",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let mut text = "/dev/sda1 / ext4 defaults 0 1\n/dev/sda1 /boot ext4 defaults 0 2\n".to_owned();
            text.push_str("/opt /var none bind 0 0\n/var /opt none bind 0 0\n/ /opt none rbind 0 0\n");
            (0..10_000).for_each(|number| {
                let _ = writeln!(text, "/dev/sda1 /usr/{number} ext4 defaults 0 0");
            });
            tree.file("etc/fstab", text.as_bytes())?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "cycles-extended-partitions",
        tries: "a chain of extended partitions that leads back to its start",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let disk = tree.ext4(shop, &[])?;
            // The chain lies in the gap before the partition, and overlaps nothing.
            let sectors = (DISK_BYTES - PARTITION_AT) / 512;
            mbr(&disk, &[(0x80, 0x83, PARTITION_AT / 512, sectors), (0, 0x05, 64, 1024)])?;
            for (at, next) in [(64, 10), (74, 20), (84, 10)] {
                let mut sector = vec![0; 446];
                for (kind, start, length) in [(0x83u8, 1u32, 1u32), (0x05, next, 8)] {
                    sector.extend([0, 0, 2, 0, kind, 0, 2, 0]);
                    sector.extend(start.to_le_bytes());
                    sector.extend(length.to_le_bytes());
                }
                sector.resize(510, 0);
                sector.extend([0x55, 0xaa]);
                shop::poke(&disk, at * 512, &sector)?;
            }
            Ok(Subject::raw([disk]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "cycles-soft-dependencies",
        tries: "two hundred thousand modules of which each needs the next, and the last the first",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let (mut dep, mut soft) = (String::new(), String::new());
            for number in 0..200_000 {
                let _ = writeln!(dep, "m{number}.ko:");
                let _ = writeln!(soft, "softdep m{number} pre: m{}", (number + 1) % 200_000);
            }
            soft.push_str("softdep virtio_blk pre: m0\n");
            let base = format!("lib/modules/{KERNEL}");
            let index = std::fs::read_to_string(tree.root.join(format!("{base}/modules.dep")))?;
            tree.file(&format!("{base}/modules.dep"), format!("{index}{dep}").as_bytes())?;
            tree.file(&format!("{base}/modules.softdep"), soft.as_bytes())?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: converts(&[]),
    },
];

/// A guest whose menu has a text before and behind its entry.
pub(super) fn with_menu(shop: &Shop, before: &str, behind: &str) -> Result<Subject> {
    let tree = Tree::new(shop)?;
    let menu = std::fs::read_to_string(tree.root.join("boot/grub/grub.cfg"))?;
    tree.file("boot/grub/grub.cfg", format!("{before}{menu}{behind}").as_bytes())?;
    Ok(Subject::raw([tree.ext4(shop, &[])?]))
}
