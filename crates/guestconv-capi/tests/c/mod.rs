//! What the tests from C share: the library as a user would build it, and a compiler.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "it is a test's: what fails here fails the test"
)]
#![allow(dead_code, reason = "not every test needs all of it")]

use std::env;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The library's soname, as `link.sh` says it.
pub(crate) const SONAME: &str = "libguestconv.so.0";

/// Returns the package's directory.
pub(crate) fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the program, to be run; `None`, with a word on stderr, if it is not installed and need not be.
pub(crate) fn tool(name: &str) -> Option<Command> {
    let found = Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_ok() {
        return Some(Command::new(name));
    }
    assert!(env::var_os("GUESTCONV_REQUIRE_GUESTS").is_none(), "{name} is missing; run: cargo xtask setup");
    eprintln!("skipped: {name} is missing; cargo xtask setup installs it");
    None
}

/// Links the library as it is shipped, of what cargo does not build for tests, under the name that programs load.
fn link(directory: &Path) {
    let linked = Command::new(package().join("link.sh")).arg(archive()).arg(directory.join(SONAME)).output();
    let linked = linked.unwrap();
    assert!(linked.status.success(), "the library is linked: {}", String::from_utf8_lossy(&linked.stderr));
    assert_eq!(String::from_utf8(linked.stderr).unwrap(), "", "the linker has nothing to say");
}

fn archive() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--package", "guestconv-capi", "--message-format=json"]);
    let built = cargo.current_dir(package()).stderr(Stdio::inherit()).output().unwrap();
    assert!(built.status.success(), "the library is built");
    let messages = String::from_utf8(built.stdout).unwrap();
    let messages = messages.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let text = |message: &serde_json::Value, pointer| message.pointer(pointer)?.as_str().map(str::to_owned);
    let is_ours = |message: &_| text(message, "/target/name").as_deref() == Some("guestconv_capi");
    let mut files = messages.filter(is_ours).filter_map(|message| text(&message, "/filenames/0"));
    let file = files.find(|file| file.ends_with(".a")).unwrap();
    file.into()
}

/// Returns a directory with the library under the names that programs link and load.
pub(crate) fn directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    link(directory.path());
    symlink(SONAME, directory.path().join("libguestconv.so")).unwrap();
    directory
}

/// Compiles a program against header and library in `directory`, without a warning, and returns it.
pub(crate) fn compiled(mut compiler: Command, source: &Path, directory: &Path) -> PathBuf {
    let program = directory.join("program");
    compiler.args(["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g", "-pthread", "-o"]);
    compiler.arg(&program).arg(source).arg("-I").arg(package().join("include")).arg("-L").arg(directory);
    let status = compiler.arg("-lguestconv").status().unwrap();
    assert!(status.success(), "{} compiles without a warning", source.display());
    // What runs has the library by its soname alone.
    std::fs::remove_file(directory.join("libguestconv.so")).unwrap();
    program
}
