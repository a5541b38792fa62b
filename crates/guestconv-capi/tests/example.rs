//! The example compiles without a warning against header and library, and says what is wrong.
#![allow(clippy::unwrap_used, reason = "it is a test: what fails here fails the test")]

use std::path::Path;
use std::process::Command;

#[test]
fn the_example_compiles_and_tells_a_missing_disk() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    // For tests cargo does not put the library where programs link it, so it is built as a user would.
    let mut built = Command::new(env!("CARGO"));
    built.args(["build", "--quiet", "--locked", "--package", "guestconv-capi"]);
    assert!(built.current_dir(package).status().unwrap().success());
    let profile = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().to_owned();
    let library = profile.join("libguestconv_capi.so");
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("example");
    let compiled = Command::new("gcc")
        .args(["-Wall", "-Wextra", "-Werror", "-o"])
        .arg(&program)
        .arg(package.join("../../examples/example.c"))
        .arg("-I")
        .arg(package.join("include"))
        .arg(&library)
        .status()
        .expect("gcc");
    assert!(compiled.success());
    let run =
        Command::new(&program).current_dir(dir.path()).env("LD_LIBRARY_PATH", &profile).output().unwrap();
    let said = String::from_utf8(run.stderr).unwrap();
    assert_eq!(
        (run.status.code(), run.stdout, said.as_str()),
        (Some(1), Vec::new(), "there is no disk test.img\n")
    );
}
