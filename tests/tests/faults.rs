//! A sample of the faults that `cargo xtask faults` tries: kills, refusals of the host and power cuts at points of real
//! conversions, of their recovery and of their undo. Nothing is lost.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "it is a test: what fails here fails the test")]

use guestconv_system_tests::original;
use std::process::Command;

/// What a conversion of a guest with one disk does from the first sync on, as `ARCHITECTURE.md` has it.
const ORDER: &str = "\
sync overlay
sync directory
create undo-draft
write undo-draft
sync undo-draft
sync directory
create journal-draft
write journal-draft
sync journal-draft
rename journal-draft
sync directory
write disk
sync disk
rename undo-draft
create record-draft
write record-draft
sync record-draft
rename record-draft
sync directory
unlink overlay
unlink journal
sync directory
";

#[test]
fn each_step_of_a_commit_is_durable_before_the_next() {
    let name = "debian-12-dep raw";
    if original("debian-12-dep").is_none() {
        return;
    }
    let output =
        Command::new(env!("CARGO_BIN_EXE_faults")).args(["order", "--guest", name]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), ORDER, "{said}");
}

/// Runs the program, in which ptrace needs a process of its own, and asserts that nothing was lost.
fn nothing_is_lost(fault: &str, guest: &str, points: &str) {
    let name = guest.split(' ').next().unwrap();
    if original(name).is_none() {
        return;
    }
    let program = env!("CARGO_BIN_EXE_faults");
    let output = Command::new(program).args([fault, "--points", points, "--guest", guest]).output().unwrap();
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "{fault} {guest}: {}", said.join("\n"));
    eprintln!("{}", said.join("\n"));
}

#[test]
fn a_killed_conversion_loses_nothing() {
    nothing_is_lost("kill", "debian-12-dep raw", "25");
}

#[test]
fn a_host_that_refuses_loses_nothing() {
    nothing_is_lost("io", "debian-12-dep raw", "15");
}

#[test]
fn a_power_cut_loses_nothing() {
    nothing_is_lost("power", "ec2-pv qcow2", "20");
}
