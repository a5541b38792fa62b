//! The example compiles without a warning against header and library, and says what is wrong.
#![allow(clippy::unwrap_used, reason = "it is a test: what fails here fails the test")]

mod c;

use std::process::Command;

#[test]
fn the_example_compiles_and_tells_a_missing_disk() {
    let Some(gcc) = c::tool("gcc") else { return };
    let directory = c::directory();
    let program = c::compiled(gcc, &c::package().join("../../examples/example.c"), directory.path());
    let mut run = Command::new(&program);
    run.current_dir(directory.path()).env("LD_LIBRARY_PATH", directory.path());
    let run = run.output().unwrap();
    let said = String::from_utf8(run.stderr).unwrap();
    assert_eq!(
        (run.status.code(), run.stdout, said.as_str()),
        (Some(1), Vec::new(), "there is no disk test.img; check its path\n")
    );
}
