//! Eight guests at the same time, in one process, each by a handle in a thread of its own, from inspect to verify. What
//! the library says of each is what it says when they come one after the other; the one that another thread cancels is as
//! it was; nothing is left. One of them gets a partition table and a boot loader.

#![allow(clippy::unwrap_used, reason = "it is a test: what fails here fails the test")]

use guestconv_system_tests::programs::{compiled_test, run, said};
use guestconv_system_tests::{installed, original};
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The guests, and the target that each is converted for.
const GUESTS: [(&str, &str); 8] = [
    ("debian-12-dep", "rhev-3.1"),
    ("debian-12-extlinux", "rhev-3.1"),
    ("debian-13-efi", "kvm"),
    ("debian-13-btrfs", "kvm"),
    ("rhel-6.4", "rhev-3.1"),
    ("multi-boot", "kvm"),
    ("debian-12", "rhev-3.1"),
    ("ec2-pv", "libvirt"),
];

/// The guest whose disk is laid out: its image stands alone, since what is in another file cannot move.
const LAID_OUT: &str = "ec2-pv";

/// The guest that is cancelled while it is converted.
const CANCELLED: usize = 4;

/// What the library says of a guest, and of one that is cancelled.
const DOCUMENTS: [&str; 7] = ["description", "hardware", "outcome", "plan", "plan-text", "report", "targets"];
const WHEN_CANCELLED: [&str; 5] = ["description", "hardware", "plan", "plan-text", "targets"];

#[test]
fn eight_guests_in_eight_threads_are_converted_as_one_after_the_other() {
    let Some(tree) = installed(&["gcc", "pkg-config", "qemu-img"]) else { return };
    let Some(originals) = GUESTS.iter().map(|(name, _)| original(name)).collect::<Option<Vec<_>>>() else {
        return;
    };
    let program = compiled_test(tree.path(), "stress.c");

    let alone = overlays(&originals);
    converted(&program, tree.path(), alone.path(), "alone", None);
    let together = overlays(&originals);
    let cancelled = together.path().join(CANCELLED.to_string());
    let before = fs::read(cancelled.join("test.qcow2")).unwrap();
    converted(&program, tree.path(), together.path(), "together", Some(CANCELLED));

    for (number, (name, target)) in GUESTS.iter().enumerate() {
        let mut expected = documents(&alone.path().join(number.to_string()), true);
        assert_eq!(expected.keys().collect::<Vec<_>>(), DOCUMENTS, "{name}");
        if number == CANCELLED {
            expected.retain(|document, _| WHEN_CANCELLED.contains(&document.as_str()));
        }
        let is = documents(&together.path().join(number.to_string()), number != CANCELLED);
        assert_eq!(is, expected, "{name} for {target}");
    }
    assert!(fs::read(cancelled.join("test.qcow2")).unwrap() == before, "the cancelled guest was written");
}

/// Returns a directory with one for each guest, by its number, which has an image over the guest's disk, or of it.
fn overlays(originals: &[PathBuf]) -> TempDir {
    let directory = tempfile::Builder::new().prefix("guestconv-test-").tempdir_in("/var/tmp").unwrap();
    for (number, (original, (name, _))) in originals.iter().zip(GUESTS).enumerate() {
        let place = directory.path().join(number.to_string());
        fs::create_dir(&place).unwrap();
        let mut image = Command::new("qemu-img");
        match name {
            LAID_OUT => image.args(["convert", "-q", "-f", "raw", "-O", "qcow2"]).arg(original),
            _ => image.args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"]).arg(original),
        };
        assert!(image.arg(place.join("test.qcow2")).status().unwrap().success(), "an image of {original:?}");
    }
    directory
}

/// Runs the program over the guests of a directory and asserts that it ends well and leaves nothing.
fn converted(program: &Path, tree: &Path, directory: &Path, how: &str, cancelled: Option<usize>) {
    let cancelled = cancelled.map_or("none".to_owned(), |number| number.to_string());
    let mut command = Command::new(program);
    command.args([how, &cancelled]);
    for (number, (_, target)) in GUESTS.iter().enumerate() {
        command.args([&number.to_string(), *target]);
    }
    let (process, output) = run(&mut command, tree, directory);
    assert_eq!(said(&output), (Some(0), "Success\n".to_owned(), String::new()), "{how}");
    let expected: BTreeSet<String> = (0..GUESTS.len()).map(|number| number.to_string()).collect();
    assert_eq!(names(directory), expected, "something is left beside the guests");
    for place in [PathBuf::from("/dev/shm"), env::temp_dir()] {
        let of_the_process = ["run", "new"].map(|kind| format!("guestconv-{kind}-{process}-"));
        let is_left = |name: &String| of_the_process.iter().any(|prefix| name.starts_with(prefix));
        let left: Vec<String> = names(&place).into_iter().filter(is_left).collect();
        assert_eq!(left, Vec::<String>::new(), "something is left in {}", place.display());
    }
}

/// Returns the documents in a guest's directory, which has nothing else but the disk, and its undo file if it is converted.
fn documents(directory: &Path, is_converted: bool) -> BTreeMap<String, String> {
    let mut names = names(directory);
    assert!(names.remove("test.qcow2"), "the disk is there");
    for undo in ["test.qcow2.guestconv-undo", "test.qcow2.guestconv-undo.json"] {
        assert_eq!(names.remove(undo), is_converted, "{undo} in {}", directory.display());
    }
    let read = |name: String| (name.clone(), fs::read_to_string(directory.join(name)).unwrap());
    names.into_iter().map(read).collect()
}

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}
