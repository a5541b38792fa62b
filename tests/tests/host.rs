//! What the host may do to a conversion: kill it, run it as an ordinary user, lack QEMU, forbid ptrace.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "it is a test: what fails here fails the test"
)]

use guestconv_system_tests::{Copy, copy};
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_convert-once");
const NOBODY: u32 = 65534;
/// What is there after a conversion.
const CONVERTED: [&str; 3] = ["disk.raw", "disk.raw.guestconv-undo", "disk.raw.guestconv-undo.json"];

fn convert(program: &Path, copy: &Copy) -> Command {
    let mut command = Command::new(program);
    command.arg(&copy.disk).arg(copy.subject.target);
    command
}

/// Runs it to its end and asserts that it converted.
fn assert_converts(command: &mut Command) {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let is_done = output.status.success() && text.contains("converted by");
    assert!(is_done, "{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_kill_before_the_commit_leaves_the_disk_as_it_was() {
    let Some(copy) = copy("debian-12-dep") else { return };
    for (stage, wait_ms) in [("inspect", 0), ("apply", 0), ("apply", 60), ("verify", 0), ("verify", 60)] {
        let mut child = convert(Path::new(PROGRAM), &copy).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let is_reached = lines.any(|line| line.unwrap() == stage);
        std::thread::sleep(Duration::from_millis(wait_ms));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(is_reached, "{stage} was not reached");
        assert!(copy.is_pristine(), "killed {wait_ms} ms after {stage} began");
    }
    assert_converts(&mut convert(Path::new(PROGRAM), &copy));
    assert!(!copy.is_pristine());
    assert_eq!(copy.files(), CONVERTED, "what the killed ones left is cleaned up");
}

#[test]
fn an_ordinary_user_without_qemu_converts() {
    let Some(copy) = copy("debian-12-dep") else { return };
    // Neither the program nor the appliance need be where an ordinary user can read.
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
    let program = place.path().join("convert-once");
    fs::copy(PROGRAM, &program).unwrap();
    let appliance = place.path().join("appliance");
    fs::create_dir(&appliance).unwrap();
    for file in ["kernel", "agent", "VERSION"] {
        let from = Path::new(&std::env::var_os("GUESTCONV_APPLIANCE").unwrap()).join(file);
        fs::copy(from, appliance.join(file)).unwrap();
    }
    let mut command = convert(&program, &copy);
    command.env("GUESTCONV_APPLIANCE", &appliance).env("PATH", "/nonexistent").current_dir("/");
    if rustix::process::geteuid().is_root() {
        chown(&copy.disk, Some(NOBODY), Some(NOBODY)).unwrap();
        chown(copy.directory.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        command.uid(NOBODY).gid(NOBODY);
    }
    assert_converts(&mut command);
    assert_eq!(copy.files(), CONVERTED);
}

#[test]
fn a_host_that_forbids_ptrace_converts() {
    let Some(copy) = copy("debian-12-dep") else { return };
    assert_converts(convert(Path::new(PROGRAM), &copy).arg("--no-ptrace"));
}
