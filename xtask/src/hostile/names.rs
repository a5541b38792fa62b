//! Names that are no text, that rule a terminal, or that mean something to a shell.

use super::case::{Case, Subject, converts, refused};
use super::debian::{KERNEL, Tree};
use super::shop::{Shop, poke};
use anyhow::Result;
use std::fs;

/// Clears the screen, sets the title, goes back, rings, and does it again by the single codes of the upper control set.
const CODES: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{8}\r\u{9b}2J\u{90}q\u{7f}";

pub(super) const CASES: &[Case] = &[
    Case {
        name: "names-terminal-os-release",
        tries: "terminal codes in os-release and the host name",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let release = format!(
                "ID=\"deb{CODES}\"\nVERSION_ID=\"12{CODES}\"\nPRETTY_NAME=\"Debian {CODES}\"\nNAME=\"{CODES}\"\n"
            );
            tree.file("usr/lib/os-release", release.as_bytes())?;
            tree.file("etc/hostname", format!("host{CODES}\n").as_bytes())?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "names-terminal-files",
        tries: "terminal codes in names of kernels, services, settings and menu entries",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let kernel = format!("6.2{CODES}");
            tree.modules(&kernel)?;
            tree.file(&format!("boot/vmlinuz-{kernel}"), b"kernel\n")?;
            tree.link(
                &format!("etc/systemd/system/multi-user.target.wants/vmware-tools{CODES}.service"),
                "/lib/systemd/system/vmware-tools.service",
            )?;
            tree.link(
                &format!("etc/systemd/system/{CODES}.wants/vgauth.service"),
                &format!("/lib/systemd/system/{CODES}vgauth.service"),
            )?;
            tree.file(&format!("etc/default/grub.d/{CODES}.cfg"), b"GRUB_CMDLINE_LINUX=root=/dev/sda1\n")?;
            let menu = fs::read_to_string(tree.root.join("boot/grub/grub.cfg"))?;
            let menu =
                menu.replace("Debian", &format!("Debian {CODES}")).replace("quiet", &format!("quiet{CODES}"));
            tree.file("boot/grub/grub.cfg", menu.as_bytes())?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "names-terminal-fstab",
        tries: "terminal codes in what the plan shows: the lines of fstab that are edited",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let text = format!(
                "# {CODES}\n/dev/sda1 / ext4 defaults,{CODES} 0 1\n/dev/sdz{CODES} /opt{CODES} ext4 x 0 0\n"
            );
            tree.file("etc/fstab", text.as_bytes())?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "names-terminal-label",
        tries: "terminal codes in the label of the file system",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let disk = shop.ext4_of("disk.img", 96 << 20, &tree.root, &["-O", "^metadata_csum"], &[])?;
            poke(&disk, (1 << 20) + 1024 + 0x78, b"\x1b[2J\x1b]0;x\x07\xff\x9b")?;
            Ok(Subject::raw([disk]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "names-not-utf-8",
        tries: "names that are not UTF-8, in every directory that is listed",
        make: |shop| {
            let tree = Tree::new(shop)?;
            for directory in [
                "boot",
                "boot/grub",
                "boot/loader/entries",
                "etc/default/grub.d",
                "etc/initramfs-tools/conf.d",
                "etc/systemd/system/multi-user.target.wants",
                "lib/modules",
                "etc/modprobe.d",
            ] {
                tree.named_by_bytes(directory, b"vmlinuz-\xff\xfe\x80.conf", b"x\n")?;
                tree.named_by_bytes(directory, b"\xc3\x28.cfg", b"x\n")?;
            }
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "names-link-not-utf-8",
        tries: "a link that apply removes, and fstab, lead to names that are not UTF-8",
        make: |shop| {
            use std::os::unix::ffi::OsStrExt;
            let tree = Tree::new(shop)?;
            let to = std::ffi::OsStr::from_bytes(b"/lib/\xff\xfe.service");
            for path in ["etc/systemd/system/multi-user.target.wants/open-vm-tools.service", "etc/hostname"] {
                tree.remove(path)?;
                std::os::unix::fs::symlink(to, tree.root.join(path))?;
            }
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: refused("no-system", &["root-not-readable"]),
    },
    Case {
        name: "names-shell",
        tries: "names that a shell would run, options and variables in them",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let kernel = "$(reboot)`reboot`;reboot;-rf --help %n%s";
            tree.modules(kernel)?;
            tree.file(&format!("boot/vmlinuz-{kernel}"), b"kernel\n")?;
            tree.file("etc/hostname", b"$(reboot)'\"`;\n")?;
            tree.file(
                "etc/default/grub",
                b"GRUB_CMDLINE_LINUX=\"root=/dev/sda1 $(reboot) `reboot`\"\n$(touch /x)\n",
            )?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "names-xml",
        tries: "texts that would end an element, open another, or cannot be in XML at all",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let codes = "</product><x a='\"&lt;]]><!--\u{fffe}\u{1}\u{b}&amp;";
            let release = format!("ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"{codes}\"\n");
            tree.file("usr/lib/os-release", release.as_bytes())?;
            tree.file("etc/hostname", format!("{codes}\n").as_bytes())?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "names-long",
        tries: "names of 255 bytes, a path of 4,000, and a host name of 60,000",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let long = "n".repeat(240);
            tree.modules(&long)?;
            tree.file(&format!("boot/vmlinuz-{long}"), b"kernel\n")?;
            let deep = format!("etc/{}", "d".repeat(200) + "/") + &format!("{}/", "d".repeat(200)).repeat(14);
            tree.file(&format!("{deep}file"), b"x\n")?;
            tree.file("etc/hostname", "h".repeat(60_000).as_bytes())?;
            let menu = fs::read_to_string(tree.root.join("boot/grub/grub.cfg"))?;
            let entry =
                format!("menuentry 'x' {{\n linux /{deep}file root=/{deep}\n initrd /{deep}{deep}\n}}\n");
            tree.file("boot/grub/grub.cfg", (menu + &entry).as_bytes())?;
            Ok(Subject::raw([tree.ext4(shop, &[])?]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "names-inside-archive",
        tries: "names in the initramfs that climb out, are absolute, rule a terminal or are no text",
        make: |shop| named_inside(shop),
        expect: converts(&[]),
    },
];

fn named_inside(shop: &Shop) -> Result<Subject> {
    let tree = Tree::new(shop)?;
    let mut archive = guestconv_core::formats::cpio::Writer::new();
    // The writer cleans names, so they are written over afterwards.
    for name in ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb", "cccccccccccccccc"] {
        archive.file(name, 0o644, b"x")?;
    }
    let mut bytes = archive.finish();
    for (from, to) in [
        (
            &b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"[..],
            &b"../../../../../../../../../../../etc/crontb"[..40],
        ),
        (b"bbbbbbbbbbbbbbbb", b"\x1b[2J\x1b]0;x\x07\xff\xfe\x80/.."),
        (b"cccccccccccccccc", b"//////etc/passwd"),
    ] {
        if let Some(at) = bytes.windows(from.len()).position(|window| window == from) {
            bytes.splice(at..at + from.len(), to.iter().copied());
        }
    }
    let modules = format!("lib/modules/{KERNEL}/kernel/\u{1b}[2Jx.ko");
    let mut more = guestconv_core::formats::cpio::Writer::new();
    more.file(&modules, 0o644, b"x")?;
    more.file("etc/cmdline.d/\u{1b}[2J.conf", 0o644, b"root=/dev/sda1 \x1b[2J\n")?;
    let all = [super::debian::initramfs()?, bytes, more.finish()].concat();
    tree.file(&super::debian::initrd(), &all)?;
    Ok(Subject::raw([tree.ext4(shop, &[])?]))
}
