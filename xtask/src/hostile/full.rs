//! File systems of the guest that are full: nothing is begun that does not fit, and what fails is no loss.

use super::case::{Case, Subject, refused};
use super::debian::Tree;
use super::shop::Shop;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "full-blocks",
        tries: "a file system without a free block",
        make: |shop| filled(shop, 0),
        expect: refused("no-space", &[]),
    },
    Case {
        name: "full-but-a-block",
        tries: "a file system with room for one block more",
        make: |shop| filled(shop, 1),
        expect: refused("no-space", &[]),
    },
    Case {
        name: "full-inodes",
        tries: "a file system that can have no further file",
        make: |shop| {
            let disk = Tree::new(shop)?.ext4(shop, &[])?;
            let count = free(shop, &disk, "Free inodes:")?;
            let empty = shop.path("empty");
            fs::write(&empty, b"")?;
            let written = (0..count).map(|number| format!("write {} empty{number}", empty.display()));
            shop.debugfs(&disk, &written.collect::<Vec<_>>())?;
            ensure!(free(shop, &disk, "Free inodes:")? == 0, "it is not as full as it should be");
            let mut subject = Subject::raw([disk]);
            subject.wishes = ["--nic", "eth0=52:54:00:12:34:56"].map(str::to_owned).into();
            Ok(subject)
        },
        expect: refused("no-space", &[]),
    },
];

/// A guest with so many blocks of 4 KiB left.
fn filled(shop: &Shop, left: u64) -> Result<Subject> {
    let disk = Tree::new(shop)?.ext4(shop, &[])?;
    let filler = shop.path("filler");
    // What maps the blocks of a file takes blocks too, so the rest is filled by one block at a time.
    let large = free(shop, &disk, "Free blocks:")?.saturating_sub(64);
    fs::write(&filler, vec![b'x'; usize::try_from(large * 4096)?])?;
    shop.debugfs(&disk, &[format!("write {} filler", filler.display())])?;
    fs::write(&filler, vec![b'x'; 4096])?;
    let rest = free(shop, &disk, "Free blocks:")?.saturating_sub(left);
    let written = (0..rest).map(|number| format!("write {} filler{number}", filler.display()));
    shop.debugfs(&disk, &written.collect::<Vec<_>>())?;
    ensure!(free(shop, &disk, "Free blocks:")? == left, "it is not as full as it should be");
    Ok(Subject::raw([disk]))
}

/// Returns a number of the superblock.
fn free(shop: &Shop, disk: &Path, what: &str) -> Result<u64> {
    let answer = shop.asked(disk, "show_super_stats -h")?;
    let line =
        answer.lines().find_map(|line| line.strip_prefix(what)).context("debugfs says no such number")?;
    Ok(line.trim().parse()?)
}
