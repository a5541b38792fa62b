//! What a user installs: the seed's program is built against the tree by pkg-config, converts a real guest, leaks
//! nothing; the guest boots.

#![allow(clippy::unwrap_used, reason = "it is a test: what fails here fails the test")]

use guestconv::core::description::Choices;
use guestconv::core::plan::{Plan, PlanOptions};
use guestconv::{APPLIANCE_VARIABLE, Options};
use guestconv_system_tests::{Copy, assert_as_before, copy, installed};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Returns the guest with its disk where the example wants it.
fn guest() -> Option<Copy> {
    let mut copy = copy("debian-12-dep")?;
    let disk = copy.directory.path().join("test.img");
    fs::rename(&copy.disk, &disk).unwrap();
    copy.disk = disk;
    Some(copy)
}

/// Compiles the tree's example as its first lines say, and returns the program.
fn example(tree: &Path) -> PathBuf {
    compiled(tree, &tree.join("share/doc/guestconv/examples/example.c"))
}

fn compiled(tree: &Path, source: &Path) -> PathBuf {
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

/// Runs a program of the tree where the guest's disk is, with nothing that tells it where the appliance is.
fn run(command: &mut Command, tree: &Path, copy: &Copy) -> Output {
    command.current_dir(copy.directory.path());
    command.env_remove(APPLIANCE_VARIABLE).env("LD_LIBRARY_PATH", tree.join("lib")).output().unwrap()
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn second_plan(copy: &Copy) -> Plan {
    let mut guest = copy.open(Options::default());
    guest.plan(copy.subject.target, &Choices::default(), &PlanOptions::default()).unwrap()
}

#[test]
fn the_example_converts_a_guest_that_boots() {
    let Some(tree) = installed(&["gcc", "pkg-config"]) else { return };
    let Some(copy) = guest() else { return };
    let output = run(&mut Command::new(example(tree.path())), tree.path(), &copy);
    assert_eq!(said(&output), (Some(0), "Success\n".to_owned(), String::new()));
    let kept = ["test.img", "test.img.guestconv-undo", "test.img.guestconv-undo.json"];
    assert_eq!(copy.files(), kept, "the undo file is left beside the disk, and no more");

    // The program of the tree finds the appliance too, also when it is called by a link from elsewhere.
    let link = copy.directory.path().join("guestconv");
    symlink(tree.path().join("bin/guestconv"), &link).unwrap();
    let mut verify = Command::new(&link);
    verify.args(["verify", "test.img", "--format", "raw", "--target", copy.subject.target]);
    let (status, _, errors) = said(&run(&mut verify, tree.path(), &copy));
    assert_eq!((status, errors.as_str()), (Some(0), ""));

    let plan = second_plan(&copy);
    assert_eq!(plan.steps, []);
    let proof = copy.boot(&plan.hardware);
    assert_as_before(copy.subject, copy.subject.root, &proof);
}

/// Runs the program under valgrind and asserts that it is content, and leaks nothing. valgrind knows no Landlock and keeps
/// the limit of descriptors to itself, so this is an old host, too.
fn assert_clean(program: &Path, tree: &Path, copy: &Copy) {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--quiet", "--error-exitcode=99", "--leak-check=full", "--show-leak-kinds=definite"]);
    // Rust's handle of a thread that it did not start is held by a pointer into it: "possibly lost".
    valgrind.arg("--errors-for-leak-kinds=definite").arg(program);
    let (status, output, errors) = said(&run(&mut valgrind, tree, copy));
    assert_eq!((status, output.as_str()), (Some(0), "Success\n"), "{errors}");
}

#[test]
fn the_example_is_clean_under_valgrind() {
    let Some(tree) = installed(&["gcc", "pkg-config", "valgrind"]) else { return };
    let Some(copy) = guest() else { return };
    assert_clean(&example(tree.path()), tree.path(), &copy);
    assert_eq!(second_plan(&copy).steps, []);
}

/// The guest is edited, converted, verified and proven from C; work is cancelled from another thread and by callbacks.
#[test]
fn a_program_uses_all_of_the_library() {
    let Some(tree) = installed(&["gcc", "pkg-config", "valgrind"]) else { return };
    let Some(copy) = guest() else { return };
    fs::create_dir(copy.directory.path().join("overlays")).unwrap();
    let program = compiled(tree.path(), &Path::new(env!("CARGO_MANIFEST_DIR")).join("c/whole.c"));
    assert_clean(&program, tree.path(), &copy);
    let kept =
        ["evidence", "overlays", "test.img", "test.img.guestconv-undo", "test.img.guestconv-undo.json"];
    assert_eq!(copy.files(), kept, "the undo file is left beside the disk, and no more");
    assert_eq!(fs::read_dir(copy.directory.path().join("overlays")).unwrap().count(), 0);
    assert_ne!(fs::read_dir(copy.directory.path().join("evidence")).unwrap().count(), 0);
}
