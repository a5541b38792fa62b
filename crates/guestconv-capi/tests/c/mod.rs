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

/// Builds the library, as cargo does not for tests, and returns its file.
pub(crate) fn library() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--package", "guestconv-capi", "--message-format=json"]);
    let built = cargo.current_dir(package()).stderr(Stdio::inherit()).output().unwrap();
    assert!(built.status.success(), "the library is built");
    let messages = String::from_utf8(built.stdout).unwrap();
    let messages = messages.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let text = |message: &serde_json::Value, pointer| message.pointer(pointer)?.as_str().map(str::to_owned);
    let is_ours = |message: &_| text(message, "/target/name").as_deref() == Some("guestconv_capi");
    let mut files = messages.filter(is_ours).filter_map(|message| text(&message, "/filenames/0"));
    let file = files.find(|file| file.ends_with(".so")).unwrap();
    file.into()
}

/// Returns a directory with the library under the names that programs link and load.
pub(crate) fn directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let library = library();
    for name in ["libguestconv.so", "libguestconv.so.0"] {
        symlink(&library, directory.path().join(name)).unwrap();
    }
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
