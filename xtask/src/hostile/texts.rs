//! Texts that are no text, have no lines or too many, or make a parser count.

use super::case::{Case, Subject, converts, refused};
use super::cycles::with_menu;
use super::debian::{KERNEL, Tree};
use super::shop::{Shop, noise};
use anyhow::Result;
use std::fs;

/// The settings files of the plain guest.
const SETTINGS: [&str; 8] = [
    "etc/fstab",
    "etc/hostname",
    "etc/default/grub",
    "etc/network/interfaces",
    "etc/initramfs-tools/initramfs.conf",
    "etc/initramfs-tools/modules",
    "boot/grub/grub.cfg",
    "boot/grub/device.map",
];

pub(super) const CASES: &[Case] = &[
    Case {
        name: "texts-crlf",
        tries: "every settings file has the lines of another system",
        make: |shop| each(shop, |text| text.replace('\n', "\r\n").into_bytes()),
        expect: converts(&[]),
    },
    Case {
        name: "texts-nul",
        tries: "a NUL behind every line of every settings file",
        make: |shop| each(shop, |text| text.replace('\n', "\0\n").into_bytes()),
        expect: refused("verify-failed", &[]),
    },
    Case {
        name: "texts-utf-16",
        tries: "every settings file is UTF-16",
        make: |shop| each(shop, |text| text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        expect: converts(&[]),
    },
    Case {
        name: "texts-not-utf-8",
        tries: "every settings file ends in bytes that are no UTF-8",
        make: |shop| each(shop, |text| [text.as_bytes(), b"# \xff\xfe\xc3\x28\n"].concat()),
        expect: refused("no-system", &["root-not-readable"]),
    },
    Case {
        name: "texts-noise",
        tries: "every settings file is noise",
        make: |shop| each(shop, |text| noise(text.len() as u64, 60_000)),
        expect: refused("no-system", &["root-not-readable"]),
    },
    Case {
        name: "texts-empty",
        tries: "every settings file is empty",
        make: |shop| each(shop, |_| Vec::new()),
        expect: converts(&[]),
    },
    Case {
        name: "texts-lines-long",
        tries: "a line of 1 MiB before every settings file's own",
        make: |shop| each(shop, |text| format!("x{}\n{text}", " x".repeat(512 << 10)).into_bytes()),
        expect: refused("no-system", &["root-not-readable"]),
    },
    Case {
        name: "texts-lines-many",
        tries: "every settings file is repeated up to 4 MB",
        make: |shop| each(shop, |text| text.repeat(4_000_000 / text.len().max(1)).into_bytes()),
        expect: refused("no-system", &["root-not-readable"]),
    },
    Case {
        name: "texts-words-many",
        tries: "kernel options, and a list of file systems, of half a million words",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let words = " root=/dev/sda1".repeat(250_000);
            let menu = fs::read_to_string(tree.root.join("boot/grub/grub.cfg"))?;
            tree.file("boot/grub/grub.cfg", menu.replace(" quiet", &words).as_bytes())?;
            tree.file("etc/default/grub", format!("GRUB_CMDLINE_LINUX=\"{words}\"\n").as_bytes())?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: refused("text-too-large", &[]),
    },
    Case {
        name: "texts-quotes",
        tries: "quotes, braces and brackets that are never closed, by the hundred thousand",
        make: |shop| {
            with_menu(shop, "", &["'", "\"", "{", "[", "$(", "${", "\\", "<<EOF"].concat().repeat(100_000))
        },
        expect: converts(&[]),
    },
    Case {
        name: "texts-entries-many",
        tries: "a hundred thousand menu entries",
        make: |shop| {
            with_menu(
                shop,
                "",
                &format!("menuentry x {{ linux /boot/vmlinuz-{KERNEL} root=/dev/sda1 }}\n").repeat(50_000),
            )
        },
        expect: refused("text-too-large", &[]),
    },
    Case {
        name: "texts-numbers",
        tries: "numbers beyond all numbers, wherever one is read",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let many = "9".repeat(400);
            tree.file("usr/lib/os-release", format!("ID=debian\nVERSION_ID={many}.{many}\n").as_bytes())?;
            tree.file(
                "etc/fstab",
                format!("/dev/sda{many} /boot ext4 x {many} {many}\n/dev/sda1 / ext4 x -1 -1\n").as_bytes(),
            )?;
            let menu = fs::read_to_string(tree.root.join("boot/grub/grub.cfg"))?;
            tree.file(
                "boot/grub/grub.cfg",
                menu.replace("default=0", &format!("default={many}"))
                    .replace("hd0,msdos1", &format!("hd{many},msdos{many}"))
                    .as_bytes(),
            )?;
            tree.file("boot/grub/device.map", format!("(hd{many}) /dev/sda\n").as_bytes())?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "texts-patterns",
        tries: "SELinux patterns that explode, and a hundred thousand of them",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let mut text = String::new();
            text.push_str("/((((a{100}){100}){100}){100})  system_u:object_r:x_t:s0\n");
            text.push_str("/(.*)*(.*)*(.*)*(.*)*(.*)*/etc  system_u:object_r:x_t:s0\n");
            (0..50_000)
                .for_each(|number| text.push_str(&format!("/x{number}(/.*)?  system_u:object_r:x_t:s0\n")));
            tree.file("etc/selinux/config", b"SELINUX=enforcing\nSELINUXTYPE=targeted\n")?;
            tree.file("etc/selinux/targeted/contexts/files/file_contexts", text.as_bytes())?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "texts-aliases",
        tries: "an index of modules of 30 MB, of names that begin alike",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let base = format!("lib/modules/{KERNEL}");
            let mut alias = String::new();
            (1..7000)
                .for_each(|length| alias.push_str(&format!("alias {} virtio_blk\n", "a".repeat(length))));
            tree.file(&format!("{base}/modules.alias"), alias.as_bytes())?;
            let index = fs::read_to_string(tree.root.join(format!("{base}/modules.dep")))?;
            let needs = " kernel/drivers/virtio/virtio.ko".repeat(200_000);
            tree.file(&format!("{base}/modules.dep"), format!("{index}kernel/x.ko:{needs}\n").as_bytes())?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "texts-xml",
        tries: "entity bombs in the XML that VMware's and libvirt's programs leave in a guest",
        make: |shop| {
            let tree = Tree::new(shop)?;
            for path in [
                "etc/vmware-tools/vgauth.conf",
                "etc/libvirt/qemu/x.xml",
                "var/lib/cloud/seed/ovf-env.xml",
                "etc/vmware-tools/locations",
            ] {
                tree.file(path, super::documents::entity_bomb("domain").as_bytes())?;
            }
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "texts-yaml",
        tries: "netplan and cloud-init settings of aliases that multiply, and of a hundred thousand levels",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
            (1..30).for_each(|number| {
                let before = number - 1;
                text.push_str(&format!(
                    "a{number}: &a{number} [{}]\n",
                    vec![format!("*a{before}"); 9].join(",")
                ));
            });
            text.push_str("network: *a29\n");
            tree.file("etc/netplan/01.yaml", text.as_bytes())?;
            tree.file("etc/netplan/02.yaml", "[".repeat(100_000).as_bytes())?;
            tree.file(
                "etc/netplan/03.yaml",
                (0..2000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect::<String>().as_bytes(),
            )?;
            tree.file("etc/cloud/cloud.cfg", text.as_bytes())?;
            tree.file("etc/cloud/cloud.cfg.d/99.cfg", "{".repeat(100_000).as_bytes())?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: converts(&[]),
    },
];

/// A guest whose settings files are all changed in one way.
fn each(shop: &Shop, change: fn(&str) -> Vec<u8>) -> Result<Subject> {
    let tree = Tree::new(shop)?;
    for path in SETTINGS {
        let text = fs::read_to_string(tree.root.join(path))?;
        tree.file(path, &change(&text))?;
    }
    Ok(Subject::raw([tree.ext4(shop, &[])?]))
}
