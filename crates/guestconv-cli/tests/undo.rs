//! The way back by the command line, on a real guest.

#![allow(clippy::unwrap_used, reason = "it is a test: what fails here fails the test")]

use guestconv_system_tests::{Copy, copy};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::process::Command;

/// Runs a command on the disk; returns its status, and what it wrote to output and errors.
fn run(copy: &Copy, command: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_guestconv"));
    program
        .current_dir(copy.directory.path())
        .args([command, "disk.raw", "--format", "raw", "--color", "never"]);
    let output = program.args(more).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_conversion_is_undone_discarded_or_made_without_a_way_back() {
    let Some(copy) = copy("debian-12-dep") else { return };
    let convert = ["--target", copy.subject.target, "--json"];
    let kept = ["disk.raw", "disk.raw.guestconv-undo", "disk.raw.guestconv-undo.json"];
    let failed = |status, text: &str| (Some(status), String::new(), format!("guestconv: {text}\n"));
    let missing = failed(
        7,
        "no disk has an undo file; it was converted without one, undone, or its undo file was discarded [undo-missing]",
    );
    assert_eq!(run(&copy, "undo", &[]), missing);
    assert_eq!(run(&copy, "discard-undo", &[]), missing);

    assert_eq!(run(&copy, "convert", &convert).0, Some(0));
    assert_eq!(copy.files(), kept);
    let undone = "undone in 0.01 s: the disks are what they were\n";
    let (status, output, errors) = run(&copy, "undo", &[]);
    let took = output.split(' ').nth(2).unwrap().to_owned();
    assert_eq!((status, output, errors), (Some(0), undone.replace("0.01", &took), String::new()));
    assert!(copy.is_pristine());
    assert_eq!(copy.files(), ["disk.raw"]);

    assert_eq!(run(&copy, "convert", &convert).0, Some(0));
    let disk = OpenOptions::new().read(true).write(true).open(&copy.disk).unwrap();
    let mut sector = [0; 512];
    disk.read_exact_at(&mut sector, 0).unwrap();
    disk.write_all_at(&sector, 0).unwrap();
    let changed = "disk.raw was written since the conversion: putting the originals back would mix both; take a copy, or \
                   force the undo if you know that only its time or place has changed [undo-disk-changed]";
    assert_eq!(run(&copy, "undo", &[]), failed(1, changed));
    assert!(!copy.is_pristine());
    assert_eq!(run(&copy, "undo", &["--force"]).0, Some(0));
    assert!(copy.is_pristine());

    assert_eq!(run(&copy, "convert", &convert).0, Some(0));
    let place = copy.directory.path().canonicalize().unwrap().join("disk.raw.guestconv-undo");
    let removed = format!("removed\n     {}\n", place.display());
    assert_eq!(run(&copy, "discard-undo", &[]), (Some(0), removed, String::new()));
    assert_eq!(copy.files(), ["disk.raw"]);
    assert_eq!(run(&copy, "undo", &[]), missing);
}

#[test]
fn without_an_undo_file_nothing_is_left() {
    let Some(copy) = copy("debian-12-dep") else { return };
    let (status, ..) = run(&copy, "convert", &["--target", copy.subject.target, "--no-undo"]);
    assert_eq!((status, copy.files()), (Some(0), vec!["disk.raw".to_owned()]));
    assert!(!copy.is_pristine());
}
