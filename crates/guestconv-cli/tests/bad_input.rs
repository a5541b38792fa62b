//! Bad input: each has its own code, message and exit status, and nothing is changed or left behind.
//!
//! What can be told without a look into the disks is told where there is no appliance. The rest needs one, which
//! `GUESTCONV_APPLIANCE` names; without it that part is skipped and says so, or fails if `GUESTCONV_REQUIRE_GUESTS` is set.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "it is a test: what fails here fails the test"
)]

mod images;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

/// The commands that look at disks.
const ALL: &[&str] = &["inspect", "plan", "convert", "verify", "prove"];
/// Those of them that take a description.
const WITH_DESCRIPTION: &[&str] = &["plan", "convert", "verify", "prove"];

/// One bad input, and all that the program says to it.
struct Case {
    /// What it is run with, after the command: `DISK … OPTIONS`.
    arguments: &'static str,
    status: i32,
    kind: &'static str,
    code: &'static str,
    message: &'static str,
    /// What is told to people beside the message.
    because: Option<&'static str>,
}

const fn case(
    arguments: &'static str,
    status: i32,
    kind: &'static str,
    code: &'static str,
    message: &'static str,
) -> Case {
    Case { arguments, status, kind, code, message, because: None }
}

impl Case {
    const fn because(self, cause: &'static str) -> Self {
        Self { because: Some(cause), ..self }
    }

    /// Runs the commands in the directory of the disks and asserts what they say and that nothing has changed.
    fn check(&self, commands: &[&str], directory: &Path, appliance: &Path) {
        let before = files(directory);
        for command in commands {
            let target = if self.arguments.contains("--target") { "" } else { " --target rhev-3.1" };
            let named = format!("{command} {}{target}", self.arguments);
            let plain = run(directory, appliance, &named, &["--color", "never"]);
            let because = self.because.map(|cause| format!("  because: {cause}\n")).unwrap_or_default();
            let expected = format!("guestconv: {} [{}]\n{because}", self.message, self.code);
            assert_eq!(said(&plain), (Some(self.status), String::new(), expected), "{named}");

            let json = run(directory, appliance, &named, &["--json"]);
            let (status, stdout, stderr) = said(&json);
            let expected =
                serde_json::json!({ "code": self.code, "kind": self.kind, "message": self.message });
            let error: serde_json::Value = serde_json::from_str(&stderr).unwrap();
            assert_eq!(
                (status, stdout, error),
                (Some(self.status), String::new(), expected),
                "{named} --json"
            );
            assert_eq!(stderr.lines().count(), 1, "{named} --json: an error is one line");
        }
        assert!(files(directory) == before, "{}: a file changed, came or went", self.arguments);
    }
}

fn run(directory: &Path, appliance: &Path, arguments: &str, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_guestconv"))
        .args(arguments.split(' '))
        .args(more)
        .current_dir(directory)
        .env("GUESTCONV_APPLIANCE", appliance)
        .output()
        .unwrap()
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Returns every file below a directory with its content.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            files.extend(
                self::files(&path).into_iter().map(|(below, text)| (format!("{name}/{below}"), text)),
            );
        } else {
            files.insert(name, fs::read(&path).unwrap());
        }
    }
    files
}

#[test]
fn a_wrong_disk_is_told_without_an_appliance() {
    let directory = TempDir::new().unwrap();
    images::make(directory.path());
    for case in [
        case("absent.img", 7, "disk", "disk-not-found", "there is no disk absent.img; check its path")
            .because("No such file or directory (os error 2)"),
        case(
            "directory",
            7,
            "disk",
            "disk-is-directory",
            "directory is a directory; give the image of a disk",
        ),
        case(
            "/dev/null",
            7,
            "disk",
            "disk-not-a-disk",
            "/dev/null is neither a file nor a block device; give the image of a disk, or a block device",
        ),
        case(
            "empty.img",
            7,
            "disk",
            "disk-empty",
            "empty.img is empty and holds no disk; check that it was copied to its end",
        ),
        case(
            "tiny.img",
            7,
            "disk",
            "disk-empty",
            "tiny.img is smaller than a sector and holds no disk; check that it was copied to its end",
        ),
        case(
            "blank.img --format qcow2",
            7,
            "disk",
            "disk-format-mismatch",
            "blank.img is no qcow2 image, as was said; it looks like raw: say the format that it has",
        ),
        case(
            "vmdk.img",
            7,
            "disk",
            "disk-format-unsupported",
            "vmdk.img is a vmdk image, which cannot be read yet; convert it to raw or qcow2 first",
        ),
        case(
            "vmdk.img --format qcow2",
            7,
            "disk",
            "disk-format-mismatch",
            "vmdk.img is no qcow2 image, as was said; it looks like vmdk: say the format that it has",
        ),
        case(
            "backing.qcow2",
            7,
            "disk",
            "backing-file-not-allowed",
            "backing.qcow2 has the backing file \"/etc/passwd\"; allow backing files if you trust the image",
        ),
        case(
            "backing.qcow2 --format qcow2",
            7,
            "disk",
            "backing-file-not-allowed",
            "backing.qcow2 has the backing file \"/etc/passwd\"; allow backing files if you trust the image",
        ),
        case(
            "header.img",
            7,
            "disk",
            "backing-file-not-allowed",
            "header.img has the backing file \"/etc/passwd\"; allow backing files if you trust the image",
        ),
        case(
            "orphan.qcow2 --allow-backing",
            7,
            "disk",
            "backing-file-not-opened",
            "cannot open what orphan.qcow2 is based on: Backing file \"absent.img\": No such file or directory (os error 2); put its backing file where the image says",
        ),
        case(
            "data-file.qcow2",
            7,
            "disk",
            "data-file-not-allowed",
            "data-file.qcow2 keeps its data in another file; allow backing files if you trust the image",
        ),
        case(
            "encrypted.qcow2",
            7,
            "disk",
            "qcow2-feature-unsupported",
            "encrypted.qcow2 is an encrypted qcow2 image, which cannot be read yet; decrypt it with qemu-img first",
        ),
        case(
            "cut.qcow2",
            7,
            "disk",
            "disk-truncated",
            "cut.qcow2 is cut off: it has a cluster at byte 196608 and ends at 196608; copy the whole image, or check \
             it with qemu-img",
        ),
        case(
            "feature.qcow2",
            7,
            "disk",
            "qcow2-feature-unsupported",
            "feature.qcow2 uses a qcow2 feature that cannot be read yet: Unrecognized incompatible feature(s) 60; convert it with qemu-img first",
        ),
        case(
            "damaged.qcow2",
            7,
            "disk",
            "qcow2-damaged",
            "damaged.qcow2 is a damaged qcow2 image: qcow2 v4294967295 is not supported; check it with qemu-img",
        ),
        case(
            "blank.img ./directory/../blank.img",
            2,
            "invalid-argument",
            "disk-twice",
            "./directory/../blank.img is given twice; give each disk of the guest once",
        ),
    ] {
        case.check(ALL, directory.path(), Path::new("no-appliance"));
    }
}

#[test]
fn a_wrong_wish_is_told_without_an_appliance() {
    let directory = TempDir::new().unwrap();
    images::make(directory.path());
    let usage = |arguments, code, message| case(arguments, 2, "invalid-argument", code, message);
    for (commands, case) in [
        (
            ALL,
            usage(
                "blank.img --target xen-9",
                "target-unknown",
                "there is no target \"xen-9\"; choose one of: rhev-3.1, kvm",
            ),
        ),
        (
            ALL,
            usage(
                "blank.img --nic 52:54",
                "nic-invalid",
                "\"52:54\" is no network card; write the address of one card, like 52:54:00:12:34:56 or eth0=52:54:00:12:34:56",
            ),
        ),
        (
            ALL,
            usage(
                "blank.img --nic 52:54:00:00:00:01 --nic eth1=52-54-00-00-00-01",
                "nic-twice",
                "the network card eth1=52:54:00:00:00:01 is there twice; name each card once, with its own address",
            ),
        ),
        (
            ALL,
            usage(
                "blank.img --libvirt-xml broken.xml",
                "domain-not-xml",
                "the libvirt XML cannot be read: expected 'info' tag, not 'guestconv' at 3:1; take what virsh dumpxml writes",
            ),
        ),
        (
            ALL,
            usage(
                "blank.img --libvirt-xml absent.xml",
                "document-unreadable",
                "cannot read the libvirt XML absent.xml: No such file or directory (os error 2)",
            ),
        ),
        (
            WITH_DESCRIPTION,
            usage(
                "blank.img --description absent.xml",
                "document-unreadable",
                "cannot read the description absent.xml: No such file or directory (os error 2)",
            ),
        ),
        (
            WITH_DESCRIPTION,
            usage(
                "blank.img --description directory",
                "document-unreadable",
                "cannot read the description directory: Is a directory (os error 21)",
            ),
        ),
        (
            WITH_DESCRIPTION,
            usage(
                "blank.img --description tiny.img",
                "document-unreadable",
                "cannot read the description tiny.img: stream did not contain valid UTF-8",
            ),
        ),
        (
            WITH_DESCRIPTION,
            usage(
                "blank.img --description broken.xml",
                "description-not-xml",
                "the description is not XML: expected 'info' tag, not 'guestconv' at 3:1; correct it, or let inspect write it anew",
            ),
        ),
        (
            WITH_DESCRIPTION,
            usage(
                "blank.img --description other.xml",
                "description-unknown-element",
                "/html, line 1, column 1: the document's element must be guestconv; pass the document that inspect wrote",
            ),
        ),
        (
            WITH_DESCRIPTION,
            usage(
                "blank.img --description dtd.xml",
                "description-dtd",
                "the description has a document type declaration, which is not accepted; remove it",
            ),
        ),
        (
            WITH_DESCRIPTION,
            usage(
                "blank.img --description blank.img",
                "description-not-xml",
                "the description is not XML: unknown token at 1:1; correct it, or let inspect write it anew",
            ),
        ),
    ] {
        case.check(commands, directory.path(), Path::new("no-appliance"));
    }
}

#[test]
fn an_appliance_that_cannot_be_used_is_told() {
    let directory = TempDir::new().unwrap();
    images::make(directory.path());
    let ours = env!("CARGO_PKG_VERSION");
    for (appliance, files, code, message) in [
        ("no-appliance", &[][..], "appliance-not-found", "no appliance in no-appliance; set GUESTCONV_APPLIANCE to its directory".to_owned()),
        ("older", &[("kernel", "x"), ("agent", "x"), ("VERSION", "0.0.9\n")], "appliance-version", format!("the appliance in older is of version \"0.0.9\", this library of {ours}; install both from one release")),
        ("no-agent", &[("kernel", "x"), ("VERSION", ours)], "appliance-incomplete", "the appliance in no-agent is incomplete: cannot read agent: No such file or directory (os error 2); install it again".to_owned()),
    ] {
        let place = directory.path().join(appliance);
        for (name, text) in files {
            fs::create_dir_all(&place).unwrap();
            fs::write(place.join(name), text).unwrap();
        }
        case("blank.img", 1, "appliance", code, message.leak()).check(ALL, directory.path(), Path::new(appliance));
    }
}

#[test]
fn disks_without_a_system_are_told() {
    let Some(appliance) = appliance() else { return };
    let directory = TempDir::new().unwrap();
    images::make(directory.path());
    images::make_ext4(directory.path());
    let no_system =
        "no installed system was found on sda: no file system is there; add all disks of the guest";
    for case in [
        case(
            "blank.img",
            3,
            "guest",
            "disks-blank",
            "nothing is on sda: no partition table and no file system; check that it is the right disk",
        ),
        case("noise.img", 3, "guest", "no-system", no_system),
        case(
            "ext4.img",
            3,
            "guest",
            "no-system",
            "no installed system was found on sda: there is ext4 on /dev/sda; add all disks of the guest",
        ),
        case(
            "ext4-cut.img",
            3,
            "guest",
            "no-system",
            "no installed system was found on sda: there is ext4 on /dev/sda; add all disks of the guest, or see to this: \
             /dev/sda: the file system cannot be mounted: Invalid argument (os error 22); it is neither looked at nor \
             changed",
        ),
        case("header.img --format raw", 3, "guest", "no-system", no_system),
        case(
            "cut.img",
            7,
            "disk",
            "disk-truncated",
            "/dev/sda1 of the guest ends at byte 3145728, its disk at 2097152: the image is cut off; copy the whole disk",
        ),
    ] {
        case.check(ALL, directory.path(), appliance.as_ref());
    }
    // Whoever only asks what is there gets an answer.
    let look = run(directory.path(), appliance.as_ref(), "inspect blank.img", &["--color", "never"]);
    let expected = "no installed system\n  firmware  none: no boot loader was found\n  disks     sda 1 MiB\n";
    assert_eq!(said(&look), (Some(0), expected.to_owned(), String::new()));
}

/// The MBR of `cut.img` tells where its partitions end; so does the GPT of a real guest.
#[test]
fn a_guest_whose_disk_was_cut_off_is_told() {
    let Some(copy) = guestconv_system_tests::copy("debian-13-efi") else { return };
    let disk = fs::File::options().write(true).open(&copy.disk).unwrap();
    disk.set_len(disk.metadata().unwrap().len() / 2).unwrap();
    for command in ALL {
        let arguments = format!("{command} disk.raw --target kvm --json");
        let appliance = env::var_os("GUESTCONV_APPLIANCE").unwrap();
        let (status, stdout, stderr) =
            said(&run(copy.directory.path(), appliance.as_ref(), &arguments, &["--format", "raw"]));
        let error: serde_json::Value = serde_json::from_str(&stderr).unwrap();
        assert_eq!(
            (status, stdout.as_str(), error["code"].as_str()),
            (Some(7), "", Some("disk-truncated")),
            "{command}: {error}"
        );
    }
    assert_eq!(copy.files(), ["disk.raw"]);
}

/// Returns the appliance's directory; `None`, and says so, if none is named and none is required.
fn appliance() -> Option<std::ffi::OsString> {
    let named = env::var_os("GUESTCONV_APPLIANCE").filter(|value| !value.is_empty());
    if named.is_none() {
        let is_required = env::var_os("GUESTCONV_REQUIRE_GUESTS").is_some();
        assert!(!is_required, "GUESTCONV_APPLIANCE is missing; run: cargo xtask test");
        eprintln!("skipped: GUESTCONV_APPLIANCE is missing; cargo xtask test makes it");
    }
    named
}
