//! Programs in C against the tree that a user installs: compiled as its documents say, and run with nothing that tells
//! where the appliance is.

use guestconv::APPLIANCE_VARIABLE;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Returns a program in C of the tests, compiled.
///
/// # Panics
/// If it does not compile without a warning.
pub fn compiled_test(tree: &Path, name: &str) -> PathBuf {
    compiled(tree, &Path::new(env!("CARGO_MANIFEST_DIR")).join("c").join(name))
}

/// Returns a program in C, compiled by the flags of pkg-config.
///
/// # Panics
/// If it does not compile without a warning.
pub fn compiled(tree: &Path, source: &Path) -> PathBuf {
    let flags = Command::new("pkg-config")
        .args(["--cflags", "--libs", "guestconv"])
        .env("PKG_CONFIG_PATH", tree.join("lib/pkgconfig"))
        .output()
        .unwrap();
    assert!(flags.status.success(), "pkg-config: {}", String::from_utf8_lossy(&flags.stderr));
    let program = tree.join("program");
    let compiled = Command::new("gcc")
        .args(["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g", "-pthread", "-o"])
        .arg(&program)
        .arg(source)
        .args(String::from_utf8(flags.stdout).unwrap().split_whitespace())
        .status()
        .unwrap();
    assert!(compiled.success(), "{} compiles without a warning", source.display());
    program
}

/// Runs a program of the tree in a directory; returns the number of its process, and how it ended.
///
/// # Panics
/// If it cannot be started.
pub fn run(command: &mut Command, tree: &Path, directory: &Path) -> (u32, Output) {
    command.current_dir(directory).env_remove(APPLIANCE_VARIABLE).env("LD_LIBRARY_PATH", tree.join("lib"));
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    (child.id(), child.wait_with_output().unwrap())
}

/// Returns the exit status, and what was written to the standard output and the standard error.
pub fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}
