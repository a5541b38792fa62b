//! Two of what there should be one of: a name then means two things, or the first, or none.

use super::case::{Case, Subject, converts, refused};
use super::debian::Tree;
use super::shop::{DISK_BYTES, PARTITION_AT, poke};
use super::volumes::{Lvm, lvm_disk};
use std::fs;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "duplicates-disks",
        tries: "two disks that are the same to the last bit",
        make: |shop| {
            let first = Tree::new(shop)?.ext4(shop, &[])?;
            let second = shop.path("second.img");
            fs::copy(&first, &second)?;
            Ok(Subject::raw([first, second]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "duplicates-uuids",
        tries: "another system with the same UUID, which is /boot by that UUID",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let uuid = "UUID=6a1b2c3d-0000-4000-8000-00000000000a";
            tree.file(
                "etc/fstab",
                format!("{uuid} / ext4 defaults 0 1\n{uuid} /boot ext4 defaults 0 2\n").as_bytes(),
            )?;
            let first = tree.ext4(shop, &[])?;
            let other = Tree::named(shop, "other", "other")?;
            let second =
                shop.ext4_of("second.img", DISK_BYTES, &other.root, &["-O", "^metadata_csum"], &[])?;
            Ok(Subject::raw([first, second]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "duplicates-26-disks",
        tries: "twenty-six disks that are the same",
        make: |shop| {
            let first = Tree::new(shop)?.ext4(shop, &[])?;
            let mut disks = vec![first.clone()];
            for number in 1..26 {
                let copy = shop.path(&format!("copy{number}.img"));
                crate::run::run(
                    std::process::Command::new("cp").arg("--sparse=always").args([&first, &copy]),
                )?;
                disks.push(copy);
            }
            Ok(Subject::raw(disks))
        },
        expect: converts(&[]),
    },
    Case {
        name: "duplicates-partitions",
        tries: "four partitions in one place, one of them extended",
        make: |shop| {
            let disk = Tree::new(shop)?.ext4(shop, &[])?;
            let (start, length) = (PARTITION_AT / 512, (DISK_BYTES - PARTITION_AT) / 512);
            let all = [
                (0x80, 0x83, start, length),
                (0, 0x83, start, length),
                (0, 0x8e, start, length),
                (0, 0x05, start, length),
            ];
            super::shop::mbr(&disk, &all)?;
            Ok(Subject::raw([disk]))
        },
        expect: refused("guest-changed", &[]),
    },
    Case {
        name: "duplicates-physical-volumes",
        tries: "two physical volumes with one UUID, and two groups with one name",
        make: |shop| {
            let tree = Tree::new(shop)?;
            let first = lvm_disk(shop, "disk.img", &tree, &Lvm::default())?;
            let second = shop.path("second.img");
            fs::copy(&first, &second)?;
            let third = lvm_disk(
                shop,
                "third.img",
                &tree,
                &Lvm { group_id: 'b', physical_id: 'b', ..Lvm::default() },
            )?;
            Ok(Subject::raw([first, second, third]))
        },
        expect: converts(&[]),
    },
    Case {
        name: "duplicates-labels",
        tries: "a label that two file systems have, and one that is a path",
        make: |shop| {
            let tree = Tree::new(shop)?;
            tree.file("etc/fstab", b"LABEL=../../sda1 / ext4 x 0 1\nLABEL=same /boot ext4 x 0 2\n")?;
            let first = shop.ext4_of(
                "disk.img",
                DISK_BYTES,
                &tree.root,
                &["-O", "^metadata_csum", "-L", "../../sda1"],
                &[],
            )?;
            let data = Tree { root: shop.path("data") };
            data.file("x", b"x")?;
            let options = ["-L", "same"];
            let second = shop.ext4_of("second.img", 32 << 20, &data.root, &options, &[])?;
            let third = shop.ext4_of("third.img", 32 << 20, &data.root, &options, &[])?;
            poke(&third, PARTITION_AT + 1024 + 0x68, b"another one of 16")?;
            Ok(Subject::raw([first, second, third]))
        },
        expect: converts(&[]),
    },
];
