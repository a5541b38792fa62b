use super::features::{Checked, known};
use super::*;
use crate::boot_image::tests::{grub, lay_out};
use guestconv_core::lay_out::Content;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

/// Returns GRUB's parts by their names, each with the code of one of its modules.
fn module(grub: &Grub, name: &str) -> [Vec<u8>; 2] {
    [&grub.bios, &grub.uefi].map(|part| fs::read(part.dir.join(format!("{name}.mod"))).unwrap())
}

fn content(filesystem: &str, features: u32) -> Content {
    let uuid = "6f2f3f4f-0001-4001-8001-ec2000000001".to_owned();
    Content { size_bytes: 1 << 30, filesystem: filesystem.to_owned(), uuid, features }
}

/// Returns an ELF file with this code.
fn elf(code: &[u8], is_wide: bool) -> Vec<u8> {
    let mut bytes = vec![0x7f, b'E', b'L', b'F', if is_wide { 2 } else { 1 }, 1];
    bytes.resize(0x40, 0);
    let names = bytes.len();
    bytes.extend(b"\0.text\0");
    let text = bytes.len();
    bytes.extend(code);
    let table = bytes.len();
    for (name, offset, size) in [(0, names, 7), (1, text, code.len())] {
        let words = [name, 1, 0, 0, offset, size];
        let width = |number: usize| if is_wide && number >= 2 { 8 } else { 4 };
        for (number, word) in words.into_iter().enumerate() {
            bytes.extend(&u64::try_from(word).unwrap().to_le_bytes()[..width(number)]);
        }
    }
    let put = |bytes: &mut Vec<u8>, at: usize, value: usize| {
        bytes[at..at + 2].copy_from_slice(&(value as u16).to_le_bytes())
    };
    let fields = if is_wide { [0x28, 0x3a, 0x3c, 0x3e] } else { [0x20, 0x2e, 0x30, 0x32] };
    for (at, value) in fields.into_iter().zip([table, if is_wide { 40 } else { 24 }, 2, 0]) {
        put(&mut bytes, at, value);
    }
    bytes
}

#[test]
fn a_check_is_found_in_each_of_its_forms_and_nowhere_else() {
    let mask = 0xfffe_9c29_u32.to_le_bytes();
    let code = |before: &[u8]| [&[0x90; 8], before, &mask, &[0x90; 8]].concat();
    for (before, is_check) in [
        (&[0xa9][..], true),                        // test eax, imm
        (&[0xf7, 0xc6], true),                      // test esi, imm
        (&[0xf7, 0x03], true),                      // test [ebx], imm
        (&[0xf7, 0x04, 0x24], true),                // test [esp], imm
        (&[0xf7, 0x43, 0x60], true),                // test [ebx+60], imm
        (&[0xf7, 0x44, 0x24, 0x60], true),          // test [esp+60], imm
        (&[0xf7, 0x85, 0xd0, 0, 0, 0], true),       // test [ebp+d0], imm
        (&[0xf7, 0x84, 0x24, 0xd0, 0, 0, 0], true), // test [esp+d0], imm
        (&[0xf7, 0x53, 0x60], false),               // not [ebx+60]
        (&[0x25], false),                           // and eax, imm
        (&[0xb8], false),                           // mov eax, imm
        (&[], false),
    ] {
        let expected = is_check.then_some(0x163d6);
        for is_wide in [false, true] {
            let module = elf(&code(before), is_wide);
            assert_eq!(known(&module, Checked::Ext), expected, "{before:x?} {is_wide}");
        }
    }
    let test = |mask: u32| [&[0xa9][..], &mask.to_le_bytes()].concat();
    let two = [test(0xfffe_9c29), test(0xffff_fc29)].concat();
    for (name, checked, module, expected) in [
        ("two that differ", Checked::Ext, elf(&two, false), None),
        ("twice the same", Checked::Ext, elf(&test(0xffff_fc29).repeat(2), true), Some(0x3d6)),
        ("no extents", Checked::Ext, elf(&test(0xffff_ffef), true), None),
        ("an external journal", Checked::Ext, elf(&test(0xfffe_9c21), true), None),
        ("XFS", Checked::Xfs, elf(&test(0xc0ff_ffff), true), Some(0x3f)),
        ("XFS of 2.02", Checked::Xfs, elf(&test(0xfeff_ffff), false), Some(1)),
        ("not ELF", Checked::Ext, test(0xfffe_9c29), None),
        ("cut off", Checked::Ext, elf(&test(0xfffe_9c29), true)[..0x60].to_vec(), None),
        ("empty", Checked::Xfs, Vec::new(), None),
    ] {
        assert_eq!(known(&module, checked), expected, "{name}");
    }
}

#[test]
fn hostile_modules_are_no_harm() {
    let module = elf(&[0xa9, 0x29, 0x9c, 0xfe, 0xff], true);
    for at in 0..module.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut module = module.clone();
            module[at] = value;
            for checked in [Checked::Ext, Checked::Xfs] {
                let known = known(&module, checked);
                assert!(known.is_none_or(|known| known & 0x29 != 0x29), "{at} {value}");
            }
        }
    }
}

/// Where a file system's superblock has its incompatible features.
fn feature_bytes(image: &mut [u8], checked: Checked) -> &mut [u8; 4] {
    let at = match checked {
        Checked::Ext => 1024 + 96,
        Checked::Xfs => 216,
    };
    image[at..].first_chunk_mut().unwrap()
}

/// Asks GRUB itself, which is built for programs of the host, too, whether it reads a file system.
fn is_read(image: &Path) -> bool {
    let output = Command::new("grub-fstest").arg(image).args(["ls", "(loop0)"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().contains("Filesystem type")
}

#[test]
fn what_grub_says_that_it_reads_it_reads_and_nothing_else() {
    let Some(grub) = grub() else { return };
    if Command::new("grub-fstest").arg("--version").output().is_err() {
        eprintln!("skipped: no grub-fstest");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fs.img");
    for (kind, checked) in [("ext4", Checked::Ext), ("xfs", Checked::Xfs)] {
        fs::File::create(&path).unwrap().set_len(320 << 20).unwrap();
        let status = Command::new(format!("mkfs.{kind}")).arg("-q").arg(&path).status();
        if !status.is_ok_and(|status| status.success()) {
            eprintln!("skipped: mkfs.{kind}");
            continue;
        }
        let file = fs::File::options().read(true).write(true).open(&path).unwrap();
        let mut head = [0; 4096];
        file.read_exact_at(&mut head, 0).unwrap();
        let turned = |number: u32| if kind == "xfs" { number.to_be() } else { number.to_le() };
        let made = turned(u32::from_ne_bytes(*feature_bytes(&mut head, checked)));
        // As it was made, and with each other feature as if it had that, too: GRUB checks no checksum.
        for features in std::iter::once(made).chain((0..32).map(|bit| made | 1 << bit)) {
            *feature_bytes(&mut head, checked) = turned(features).to_ne_bytes();
            file.write_all_at(&head, 0).unwrap();
            let says = grub.require_reads(&content(kind, features)).is_ok();
            assert_eq!(is_read(&path), says, "{kind} with {features:#x}");
        }
    }
}

#[test]
fn the_hosts_drivers_tell_what_they_know() {
    let Some(grub) = grub() else { return };
    for (module_name, checked) in [("ext2", Checked::Ext), ("xfs", Checked::Xfs)] {
        let [bios, uefi] = module(&grub, module_name).map(|bytes| known(&bytes, checked));
        assert_eq!(bios, uefi, "{module_name}");
        let newer = bios.map(|known| known & checked.oldest());
        assert_eq!(newer, Some(checked.oldest()), "{module_name}: {bios:x?}");
    }
}

#[test]
fn a_filesystem_that_grub_cannot_read_is_refused_by_the_names_of_its_features() {
    let Some(grub) = grub() else { return };
    let refusal = |kind: &str, features: u32| {
        let refused = grub.require_reads(&content(kind, features)).unwrap_err();
        assert_eq!((refused.kind(), refused.code()), (ErrorKind::Guest, "grub-cannot-read"));
        refused.to_string()
    };
    let with = |kind: &str, features: &str| {
        format!(
            "GRUB {} in {} cannot read the {kind} of this guest, which has {features}; name a newer GRUB by --grub-dir: a \
             directory with i386-pc and x86_64-efi, such as /usr/lib/grub of a newer release's packages",
            grub.bios.version(),
            grub.bios.dir.display()
        )
    };
    assert_eq!(refusal("ext4", 0x282c2), with("ext4", "inline_data, casefold"));
    assert_eq!(refusal("xfs", 0x8000_0003), with("xfs", "bit 31"));
    assert_eq!(refusal("f2fs", 0), "GRUB cannot start a guest from a file system of type f2fs");
    assert_eq!(refusal("\u{1b}[2J", 0), "GRUB cannot start a guest from a file system of type \\u{1b}[2J");
    assert!(grub.require_reads(&content("btrfs", 0)).is_ok());
}

/// A directory like GRUB's, with links to the host's files but for `without`.
fn copy(grub: &Grub, without: &[&str], dir: &Path) {
    for part in [&grub.bios, &grub.uefi] {
        let here = dir.join(part.platform.name());
        fs::create_dir(&here).unwrap();
        for entry in fs::read_dir(&part.dir).unwrap().map(|entry| entry.unwrap()) {
            let name = entry.file_name();
            if !without.contains(&name.to_str().unwrap()) {
                std::os::unix::fs::symlink(entry.path(), here.join(name)).unwrap();
            }
        }
    }
}

#[test]
fn a_grub_that_is_not_whole_is_an_error_and_extras_are_left_out() {
    let Some(grub) = grub() else { return };
    let made = |without: &[&str], config: &str| {
        let dir = tempfile::tempdir().unwrap();
        copy(&grub, without, dir.path());
        let mut lay_out = lay_out(1 << 20, 1 << 20);
        lay_out.grub.config = config.to_owned();
        let images = Grub::find(Some(dir.path())).and_then(|grub| {
            let cancel = Cancel::default();
            Ok([grub.boot()?, grub.core(&lay_out, &cancel)?, grub.efi(&lay_out, &cancel)?])
        });
        images.map(|_| ()).map_err(|error| error.code().to_owned())
    };
    let missing = Err("grub-missing".to_owned());
    for (without, config, expected) in [
        (&[][..], "", Ok(())),
        (&["zstd.mod", "legacycfg.mod", "png.mod", "btrfs.mod"], "", Ok(())),
        (&["legacycfg.mod"], "legacy_configfile ($root)/boot/grub/menu.lst", missing.clone()),
        (&["ext2.mod"], "", missing.clone()),
        (&["linux.mod"], "", missing.clone()),
        (&["kernel.img"], "", missing.clone()),
        (&["boot.img"], "", missing),
        (&["moddep.lst"], "", Err("grub-failed".to_owned())),
    ] {
        assert_eq!(made(without, config), expected, "{without:?}");
    }
}

#[test]
fn a_host_without_grub_is_told_which_packages_to_install() {
    let Some(grub) = grub() else { return };
    let dir = tempfile::tempdir().unwrap();
    let message = |what: &str| {
        format!(
            "the disk needs a boot loader, and {what}; install GRUB 2: grub-common, grub-pc-bin and grub-efi-amd64-bin (Debian, \
             Ubuntu), grub2-tools, grub2-pc-modules and grub2-efi-x64-modules (Fedora, RHEL), grub2, grub2-i386-pc and \
             grub2-x86_64-efi (SUSE), or name a directory with its i386-pc and x86_64-efi by --grub-dir"
        )
    };
    let error = Grub::find(Some(dir.path())).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Io, "grub-missing"));
    let place = dir.path().display();
    assert_eq!(error.to_string(), message(&format!("GRUB's i386-pc is in none of: {place}")));
    let modules = [grub.bios.dir.parent().unwrap().to_owned()];
    let error = Grub::find_in(&[dir.path().to_owned()], &modules).unwrap_err();
    assert_eq!(error.to_string(), message("there is no grub-mkimage"));
}
