//! Passphrases come by the standard input too, where no other user of the host sees them.

#![allow(clippy::unwrap_used, reason = "it is a test: what fails here fails the test")]

use guestconv_system_tests::{Copy, copy};
use std::io::Write;
use std::process::{Command, Stdio};

/// Inspects the guest with what is written to the standard input; returns the status, the line of the root and the errors.
fn inspected(copy: &Copy, more: &[&str], input: &[u8]) -> (Option<i32>, Option<String>, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_guestconv"));
    program.arg("inspect").arg(&copy.disk).args(["--format", "raw", "--color", "never"]).args(more);
    program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = program.spawn().unwrap();
    // One that is refused at once reads nothing.
    drop(child.stdin.take().unwrap().write_all(input));
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let page = text(output.stdout);
    let root =
        page.lines().find(|line| line.trim_start().starts_with("root")).map(|line| line.trim().to_owned());
    (output.status.code(), root, text(output.stderr))
}

#[test]
fn passphrases_on_the_standard_input_open_the_guest() {
    let Some(copy) = copy("debian-12-luks") else { return };
    let root = |device: &str| Some(format!("root    {device}"));
    let by = ["--keys-from-stdin"];
    let found = inspected(&copy, &by, b"wrong\nguestconv\n");
    assert_eq!(found, (Some(0), root("/dev/luks-vg/root"), String::new()));
    let (status, found, errors) = inspected(&copy, &by, b"wrong\n");
    assert_eq!((status, found), (Some(2), None));
    assert!(errors.ends_with("[key-wrong]\n"), "{errors}");
    let none = "guestconv: the keys on the standard input: there are none; write one passphrase per line [key-file-unreadable]\n";
    assert_eq!(inspected(&copy, &by, b""), (Some(2), None, none.to_owned()));
}
