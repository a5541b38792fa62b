//! A C program that does everything wrong gets errors, and leaks nothing.
#![allow(clippy::unwrap_used, reason = "it is a test: what fails here fails the test")]

mod c;

use std::fs;
use std::process::Command;

/// Runs `faults.c`, by `runner` or by itself.
fn run(runner: impl FnOnce() -> Option<Command>) {
    let (Some(gcc), Some(mut runner)) = (c::tool("gcc"), runner()) else { return };
    let directory = c::directory();
    let program = c::compiled(gcc, &c::package().join("tests/faults.c"), directory.path());
    fs::write(directory.path().join("disk"), vec![0; 1 << 20]).unwrap();
    fs::create_dir(directory.path().join("empty")).unwrap();
    runner.arg(program).current_dir(directory.path()).env("LD_LIBRARY_PATH", directory.path());
    let run = runner.output().unwrap();
    let (output, errors) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert_eq!((run.status.code(), output.as_ref(), errors.as_ref()), (Some(0), "Success\n", ""));
}

#[test]
fn what_a_program_does_wrong_is_an_error() {
    run(|| Some(Command::new("env")));
}

#[test]
fn what_a_program_does_wrong_leaks_nothing() {
    run(|| {
        let mut valgrind = c::tool("valgrind")?;
        valgrind.args(["--quiet", "--error-exitcode=99", "--leak-check=full", "--show-leak-kinds=definite"]);
        // Rust's handle of a thread that it did not start is held by a pointer into it: "possibly lost".
        valgrind.arg("--errors-for-leak-kinds=definite");
        Some(valgrind)
    });
}
