//! A conversion into a new image by the command line, on a real guest.

#![allow(clippy::unwrap_used, reason = "it is a test: what fails here fails the test")]

use guestconv_system_tests::{Copy, copy};
use std::process::Command;

/// Runs a command in the directory of the disk; returns its status, and what it wrote to output and errors.
fn run(copy: &Copy, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_guestconv"));
    let program = program.current_dir(copy.directory.path()).args(arguments).args(["--color", "never"]);
    let output = program.args(["--target", copy.subject.target]).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_source_is_left_alone() {
    let Some(copy) = copy("debian-12-dep") else { return };
    for (more, name, format) in
        [(&[][..], "new.img", "raw"), (&["--output-format", "qcow2"], "new.qcow2", "qcow2")]
    {
        let convert = ["convert", "disk.raw", "--format", "raw", "--output", name];
        let (status, page, errors) = run(&copy, &[&convert[..], more].concat());
        assert_eq!((status, errors), (Some(0), String::new()));
        assert!(page.contains(&format!("the result is in\n     {name}\n")), "{page}");
        assert!(copy.is_pristine(), "{name}: the source was written");
        let (status, page, _) = run(&copy, &["verify", name, "--format", format]);
        assert_eq!(status, Some(0), "{page}");

        let refused = format!(
            "guestconv: {} is there already; name a new file, or remove it [output-exists]\n",
            copy.directory.path().join(name).display()
        );
        assert_eq!(run(&copy, &convert), (Some(2), String::new(), refused));
    }
    assert_eq!(copy.files(), ["disk.raw", "new.img", "new.qcow2"]);

    // The same guest as VMware hands it out: only read, and converted to the same.
    let mut make = Command::new("qemu-img");
    make.current_dir(copy.directory.path()).args(["convert", "-f", "raw", "-O", "vmdk"]);
    let made = make.args(["-o", "subformat=streamOptimized", "disk.raw", "disk.vmdk"]).status();
    assert!(made.unwrap().success());
    let refused = "guestconv: disk.vmdk is a vmdk image, which is only read: convert it into a new image (--output), and \
                   leave it as it is [output-needed]\n";
    assert_eq!(run(&copy, &["convert", "disk.vmdk"]), (Some(2), String::new(), refused.to_owned()));
    let convert = ["convert", "disk.vmdk", "--output", "of-vmdk.img", "--output-format", "raw"];
    let (status, _, errors) = run(&copy, &convert);
    assert_eq!((status, errors), (Some(0), String::new()));
    let (status, page, _) = run(&copy, &["verify", "of-vmdk.img", "--format", "raw"]);
    assert_eq!(status, Some(0), "{page}");
    assert_eq!(copy.files(), ["disk.raw", "disk.vmdk", "new.img", "new.qcow2", "of-vmdk.img"]);
}
