//! What a user installs: the seed's program is built against the tree by pkg-config, converts a real guest, leaks
//! nothing; the guest boots.

#![allow(clippy::unwrap_used, reason = "it is a test: what fails here fails the test")]

use guestconv::Options;
use guestconv::core::description::Choices;
use guestconv::core::plan::{Plan, PlanOptions};
use guestconv_system_tests::programs::{compiled, compiled_test, run, said};
use guestconv_system_tests::{
    Copy, EXAMPLES, EXAMPLES_TARGET, assert_as_before, copy_for_examples, installed,
};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles the tree's example as its first lines say, and returns the program.
fn example(tree: &Path) -> PathBuf {
    compiled(tree, &tree.join("share/doc/guestconv/examples/example.c"))
}

fn second_plan(copy: &Copy) -> Plan {
    let mut guest = copy.open(Options::default());
    guest.plan(EXAMPLES_TARGET, &Choices::default(), &PlanOptions::default()).unwrap()
}

#[test]
fn the_example_converts_guests_that_boot() {
    let Some(tree) = installed(&["gcc", "pkg-config"]) else { return };
    for copy in EXAMPLES.iter().filter_map(|name| copy_for_examples(name)) {
        assert_is_converted(tree.path(), &copy);
    }
}

/// Runs the example on a guest and asserts that it is converted, and boots.
fn assert_is_converted(tree: &Path, copy: &Copy) {
    let output = run(&mut Command::new(example(tree)), tree, copy.directory.path()).1;
    assert_eq!(said(&output), (Some(0), "Success\n".to_owned(), String::new()));
    let kept = ["test.img", "test.img.guestconv-undo", "test.img.guestconv-undo.json"];
    assert_eq!(copy.files(), kept, "the undo file is left beside the disk, and no more");

    // The program of the tree finds the appliance too, also when it is called by a link from elsewhere.
    let link = copy.directory.path().join("guestconv");
    symlink(tree.join("bin/guestconv"), &link).unwrap();
    let mut verify = Command::new(&link);
    verify.args(["verify", "test.img", "--format", "raw", "--target", EXAMPLES_TARGET]);
    let (status, _, errors) = said(&run(&mut verify, tree, copy.directory.path()).1);
    assert_eq!((status, errors.as_str()), (Some(0), ""));

    let plan = second_plan(copy);
    assert_eq!(plan.steps, [], "{}", copy.subject.name);
    let proof = copy.boot(&plan.hardware);
    assert_as_before(copy.subject, copy.subject.root, &proof);
}

/// Runs the program under valgrind and asserts that it is content, and leaks nothing. valgrind knows no Landlock and keeps
/// the limit of descriptors to itself, so this is an old host, too.
fn assert_clean(program: &Path, arguments: &[&str], tree: &Path, copy: &Copy) {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--quiet", "--error-exitcode=99", "--leak-check=full", "--show-leak-kinds=definite"]);
    // Rust's handle of a thread that it did not start is held by a pointer into it: "possibly lost".
    valgrind.arg("--errors-for-leak-kinds=definite").arg(program).args(arguments);
    let (status, output, errors) = said(&run(&mut valgrind, tree, copy.directory.path()).1);
    assert_eq!((status, output.as_str()), (Some(0), "Success\n"), "{}: {errors}", copy.subject.name);
}

#[test]
fn the_example_is_clean_under_valgrind() {
    let Some(tree) = installed(&["gcc", "pkg-config", "valgrind"]) else { return };
    let program = example(tree.path());
    for copy in EXAMPLES.iter().filter_map(|name| copy_for_examples(name)) {
        assert_clean(&program, &[], tree.path(), &copy);
        assert_eq!(second_plan(&copy).steps, [], "{}", copy.subject.name);
    }
}

/// The guest is edited, converted, verified and proven from C, and that is undone; work is cancelled from another thread
/// and by callbacks.
#[test]
fn a_program_uses_all_of_the_library() {
    let Some(tree) = installed(&["gcc", "pkg-config", "valgrind"]) else { return };
    let Some(copy) = copy_for_examples("debian-12-dep") else { return };
    fs::create_dir(copy.directory.path().join("overlays")).unwrap();
    let program = compiled_test(tree.path(), "whole.c");
    assert_clean(&program, &["whole"], tree.path(), &copy);
    assert!(copy.is_pristine(), "an undo brings back every bit");
    assert_eq!(copy.files(), ["evidence", "overlays", "test.img"], "something is left by the undo");
    assert_eq!(fs::read_dir(copy.directory.path().join("overlays")).unwrap().count(), 0);
    assert_ne!(fs::read_dir(copy.directory.path().join("evidence")).unwrap().count(), 0);
}

/// No originals are kept, and the program is told so.
#[test]
fn a_program_converts_without_an_undo_file() {
    let Some(tree) = installed(&["gcc", "pkg-config"]) else { return };
    let Some(copy) = copy_for_examples("debian-12-dep") else { return };
    let program = compiled_test(tree.path(), "whole.c");
    let mut command = Command::new(&program);
    let output = run(command.arg("without-undo"), tree.path(), copy.directory.path()).1;
    assert_eq!(said(&output), (Some(0), "Success\n".to_owned(), String::new()));
    assert!(!copy.is_pristine(), "the commit did not reach the disk");
    assert_eq!(copy.files(), ["test.img"], "something is left beside the disk");
}
