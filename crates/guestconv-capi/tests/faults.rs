//! A C program that does everything wrong gets errors, and leaks nothing.
#![allow(clippy::unwrap_used, reason = "it is a test: what fails here fails the test")]

mod c;

use std::fs;
use std::path::Path;
use std::process::Command;

/// Runs `faults.c` by `runner` and returns what it wrote to its standard error; `None` if something is not installed.
fn run(runner: Option<Command>) -> Option<String> {
    let (gcc, mut runner) = (c::tool("gcc")?, runner?);
    let directory = c::directory();
    let program = c::compiled(gcc, &c::package().join("tests/faults.c"), directory.path());
    fs::write(directory.path().join("disk"), vec![0; 1 << 20]).unwrap();
    fs::create_dir(directory.path().join("empty")).unwrap();
    fs::write(directory.path().join("layered"), layered()).unwrap();
    hanging_appliance(&directory.path().join("hangs"));
    runner.arg(program).current_dir(directory.path()).env("LD_LIBRARY_PATH", directory.path());
    let run = runner.output().unwrap();
    let errors = String::from_utf8(run.stderr).unwrap();
    assert_eq!((run.status.code(), run.stdout.as_slice()), (Some(0), b"Success\n".as_slice()), "{errors}");
    Some(errors)
}

/// Makes an appliance whose kernel waits for ever. It is static, since nothing but itself may be executed.
fn hanging_appliance(directory: &Path) {
    fs::create_dir(directory).unwrap();
    fs::write(directory.join("VERSION"), guestconv::core::protocol::VERSION).unwrap();
    fs::write(directory.join("agent"), "").unwrap();
    let source = directory.join("kernel.c");
    fs::write(&source, "#include <unistd.h>\nint main (void) { for (;;) pause (); }\n").unwrap();
    let gcc = Command::new("gcc").arg("-static").arg("-o").arg(directory.join("kernel")).arg(source).status();
    assert!(gcc.unwrap().success(), "the kernel that waits is compiled");
}

/// Returns a qcow2 image with a backing file that is not there.
fn layered() -> Vec<u8> {
    let name = b"missing.img";
    let header = [
        b"QFI\xfb".as_slice(),
        &2u32.to_be_bytes(),
        &72u64.to_be_bytes(), // where the name of the backing file is
        &11u32.to_be_bytes(),
        &16u32.to_be_bytes(), // bits of a cluster
        &(1u64 << 20).to_be_bytes(),
        &0u32.to_be_bytes(),
        &1u32.to_be_bytes(), // level 1 table
        &(1u64 << 16).to_be_bytes(),
        &(2u64 << 16).to_be_bytes(), // reference counts
        &1u32.to_be_bytes(),
        &0u32.to_be_bytes(),
        &0u64.to_be_bytes(),
        name,
    ];
    let mut image = header.concat();
    image.resize(3 << 16, 0);
    image
}

#[test]
fn what_a_program_does_wrong_is_an_error() {
    let Some(errors) = run(Some(Command::new("env"))) else { return };
    assert_eq!(errors, "", "the library does not print");
}

#[test]
fn what_a_program_does_wrong_leaks_nothing() {
    let valgrind = c::tool("valgrind").map(|mut valgrind| {
        valgrind.args(["--quiet", "--error-exitcode=99", "--leak-check=full", "--show-leak-kinds=definite"]);
        // Rust's handle of a thread that it did not start is held by a pointer into it: "possibly lost".
        valgrind.arg("--errors-for-leak-kinds=definite");
        valgrind
    });
    run(valgrind);
}
