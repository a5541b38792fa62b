//! The caller's document on a real guest: what is no edit of it is refused, and what is one is good before the conversion
//! and after it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "it is a test: what fails here fails the test"
)]

use guestconv_system_tests::{Copy, copy, json_schema, relaxng};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Runs a command on a disk.
fn guestconv(disk: &Path, command: &str, arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_guestconv"));
    program.arg(command).arg(disk).args(["--format", "raw", "--color", "never"]).args(arguments);
    program.output().unwrap()
}

/// Returns the document of a disk for a target.
fn document(disk: &Path, target: &str) -> String {
    let output = guestconv(disk, "inspect", &["--target", target, "--xml"]);
    assert!(output.status.success(), "{output:?}");
    let document = String::from_utf8(output.stdout).unwrap();
    relaxng::assert_valid(&document);
    document
}

/// Runs a command with a document in a file; the file is elsewhere, not beside the disk.
fn with_document(copy: &Copy, command: &str, target: &str, document: &str, more: &[&str]) -> Output {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), document).unwrap();
    let path = file.path().to_str().unwrap();
    guestconv(&copy.disk, command, &[&["--target", target, "--description", path], more].concat())
}

/// Returns the only place where `before` is, changed to `after`.
fn edited(document: &str, before: &str, after: &str) -> String {
    assert_eq!(document.matches(before).count(), 1, "{before} in {document}");
    document.replace(before, after)
}

#[test]
fn what_is_no_edit_is_refused_with_its_code_and_place() {
    let Some(copy) = copy("debian-12-dep") else { return };
    let target = copy.subject.target;
    let document = document(&copy.disk, target);
    let (start, end) = (document.find("    <graphics").unwrap(), document.find("    <network").unwrap());
    let graphics = &document[start..end];
    let twice = format!("{graphics}{graphics}");
    let device = "/guestconv/devices/network[@id='ens192']";
    for (before, after, code, place) in [
        ("<os>linux</os>", "<os>windows</os>", "description-info-changed", "/guestconv/info/os"),
        ("<info root='/dev/", "<info root='/dev/x", "description-info-changed", "/guestconv/info"),
        ("<boot firmware='bios'", "<boot firmware='uefi'", "description-boot-changed", "/guestconv/boot"),
        ("<devices>", "<devices><sound id='0'/>", "description-unknown-element", "/guestconv/devices/sound"),
        ("<network id", "<network vlan='7' id", "description-unknown-attribute", device),
        ("driver='virtio-net-pci'", "driver='ne2k_pci'", "driver-not-offered", device),
        ("driver='virtio-net-pci'", "", "description-device-changed", device),
        ("<driver>e1000</driver>", "<driver>ne2k_pci</driver>", "description-offers-changed", device),
        ("<network id", "<network mac='52:54:00:00:00:01' id", "description-mac-changed", device),
        ("id='ens192'", "id='ens193'", "description-new-device", "/guestconv/devices/network[@id='ens193']"),
        (graphics, &twice, "description-duplicate", "/guestconv/devices/graphics[@id='0']"),
        ("target='rhev-3.1'", "target='kvm'", "description-target", "/guestconv"),
        ("version='1'", "version='2'", "description-version", "/guestconv"),
        ("<devices>", "<devices>all", "description-unexpected-text", "/guestconv/devices"),
        ("<boot ", "<info/><boot ", "description-info-changed", "/guestconv/info[2]"),
    ] {
        let edited = edited(&document, before, after);
        // All take the document in one way: the others are tried once.
        let commands = if code == "driver-not-offered" {
            &["convert", "plan", "verify", "prove"][..]
        } else {
            &["convert"]
        };
        for command in commands {
            let output = with_document(&copy, command, target, &edited, &["--json"]);
            let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
            let place_of = |error: &serde_json::Value| {
                Some(error["message"].as_str()?.split_once(", line ")?.0.to_owned())
            };
            assert_eq!(
                (output.status.code(), &*output.stdout, error["code"].as_str(), place_of(&error).as_deref()),
                (Some(2), &b""[..], Some(code), Some(place)),
                "{command} with {after}: {error}"
            );
        }
    }
    assert!(copy.is_pristine(), "a refused document changed the disk");
    assert_eq!(copy.files(), ["disk.raw"], "a refused document left something beside the disk");
}

#[test]
fn the_document_of_another_guest_or_target_is_refused() {
    let Some(copy) = copy("debian-12-dep") else { return };
    let Some(other) = guestconv_system_tests::copy("debian-12") else { return };
    let target = copy.subject.target;
    for (document, target, expected) in [
        (
            document(&other.disk, target),
            target,
            "guestconv: /guestconv/info, line 3, column 3: the attribute root says \"/dev/sda1\" where \"/dev/vg0/root\" \
             is expected; leave it as inspect wrote it, and check that the description is of this guest \
             [description-info-changed]\n",
        ),
        (
            document(&copy.disk, "kvm"),
            target,
            "guestconv: /guestconv, line 2, column 1: the attribute target says \"kvm\" where \"rhev-3.1\" is expected; \
             inspect for that target [description-target]\n",
        ),
        (
            document(&copy.disk, target),
            "kvm",
            "guestconv: /guestconv, line 2, column 1: the attribute target says \"rhev-3.1\" where \"kvm\" is expected; \
             inspect for that target [description-target]\n",
        ),
    ] {
        let output = with_document(&copy, "convert", target, &document, &[]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), &*output.stdout, &*stderr), (Some(2), &b""[..], expected));
    }
    assert!(copy.is_pristine() && other.is_pristine(), "a refused document changed the disk");
    assert_eq!((copy.files(), other.files()), (vec!["disk.raw".to_owned()], vec!["disk.raw".to_owned()]));
}

/// A script that reads only the first lines of what verify says, or none, sees by the status how it went.
#[test]
fn nobody_reads_what_is_written_and_the_status_tells_all_the_same() {
    let Some(copy) = copy("debian-12-dep") else { return };
    for more in ["--json", "--color=never"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut program = Command::new(env!("CARGO_BIN_EXE_guestconv"));
        program.arg("verify").arg(&copy.disk).args([
            "--format",
            "raw",
            "--target",
            copy.subject.target,
            more,
        ]);
        let output = program.stdout(writer).stderr(std::process::Stdio::piped()).spawn().unwrap();
        let output = output.wait_with_output().unwrap();
        assert_eq!((output.status.code(), &*output.stderr), (Some(6), &b""[..]), "{more}");
    }
}

/// What converting changes is no part of what the caller may not touch: verify, plan and convert take the same document.
#[test]
fn the_document_of_a_conversion_is_good_after_it() {
    let Some(copy) = copy("debian-12-dep") else { return };
    let target = copy.subject.target;
    let nic = "--nic=52:54:00:ab:cd:01";
    let wish = edited(&document(&copy.disk, target), "driver='virtio-net-pci'", "driver='e1000'");
    relaxng::assert_valid(&wish);
    let converted = with_document(&copy, "convert", target, &wish, &[nic]);
    assert_eq!((converted.status.code(), &*converted.stderr), (Some(0), &b""[..]), "{converted:?}");
    // With the card that was named for the conversion, and without: the guest knows it now.
    for more in [&[nic][..], &[]] {
        let verified = with_document(&copy, "verify", target, &wish, &[&["--json"], more].concat());
        let report: serde_json::Value = serde_json::from_slice(&verified.stdout).unwrap();
        assert_eq!(
            (verified.status.code(), &report["missing"]),
            (Some(0), &serde_json::json!([])),
            "{more:?}"
        );
        let planned = with_document(&copy, "plan", target, &wish, &[&["--json"], more].concat());
        let plan: serde_json::Value = serde_json::from_slice(&planned.stdout).unwrap();
        assert_eq!(
            (planned.status.code(), &plan["steps"], &plan["hardware"]["nics"][0]["driver"]),
            (Some(0), &serde_json::json!([]), &serde_json::json!("e1000")),
            "{more:?}"
        );
    }
}

/// What a program reads of the program: each document has its schema, which the program prints, too.
#[test]
fn each_document_is_as_its_schema_says() {
    let Some(copy) = copy("debian-12-dep") else { return };
    let target = copy.subject.target;
    let json = |command: &str, more: &[&str], status: i32| {
        let output = guestconv(&copy.disk, command, &[&["--json"], more].concat());
        assert_eq!(output.status.code(), Some(status), "{command}: {output:?}");
        let text = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
        serde_json::from_slice::<serde_json::Value>(text).unwrap()
    };
    for (schema, command, more, status) in [
        ("facts", "inspect", &[][..], 0),
        ("description", "inspect", &["--target", target], 0),
        ("plan", "plan", &["--target", target], 0),
        ("report", "verify", &["--target", target], 6),
        ("error", "plan", &["--target", "none"], 2),
        ("outcome", "convert", &["--target", target], 0),
        ("facts", "inspect", &[], 0),
        ("plan", "plan", &["--target", target], 0),
        ("report", "verify", &["--target", target], 0),
    ] {
        json_schema::assert_valid(schema, &json(command, more, status));
    }
}

#[test]
fn the_schemas_are_printed_and_what_needs_no_disk_is_as_they_say() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_guestconv")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    for name in ["description", "facts", "plan", "outcome", "report", "proof", "targets", "event", "error"] {
        let published = fs::read_to_string(docs.join(format!("schemas/{name}.json"))).unwrap();
        assert!(run(&["schema", name]) == published, "{name}");
    }
    assert_eq!(run(&["schema", "description-xml"]), fs::read_to_string(docs.join("guestconv.rng")).unwrap());
    json_schema::assert_valid("targets", &serde_json::from_str(&run(&["targets", "--json"])).unwrap());
}

#[test]
fn each_line_of_progress_is_as_its_schema_says() {
    let Some(copy) = copy("debian-12-dep") else { return };
    let more = ["--target", copy.subject.target, "--json", "--progress", "json", "--timings"];
    let output = guestconv(&copy.disk, "convert", &more);
    assert!(output.status.success(), "{output:?}");
    let mut events = BTreeSet::new();
    for line in String::from_utf8(output.stderr).unwrap().lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        json_schema::assert_valid("event", &event);
        events.insert(event["event"].as_str().unwrap().to_owned());
    }
    assert_eq!(Vec::from_iter(events), ["finished", "progress", "started", "timings"]);
}

/// The machine as those read it who start it, before the conversion and with it.
#[test]
fn hardware_is_a_domain_or_a_command_with_the_guests_disks() {
    let Some(copy) = copy("debian-12-dep") else { return };
    let disk = copy.disk.canonicalize().unwrap().display().to_string();
    let said = |command: &str, hardware: &str| {
        let more = ["--target", "libvirt", "--nic", "52:54:00:ab:cd:01", "--hardware", hardware];
        let output = guestconv(&copy.disk, command, &more);
        assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let domain = said("plan", "libvirt");
    relaxng::assert_valid_domain(&domain);
    let flat: String = domain.lines().map(str::trim).collect();
    let devices = &flat[flat.find("<devices>").unwrap()..flat.find("<graphics").unwrap()];
    assert_eq!(
        devices,
        format!(
            "<devices><disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{disk}'/>\
             <target dev='vda' bus='virtio'/><boot order='1'/></disk><interface type='network'>\
             <mac address='52:54:00:ab:cd:01'/><source network='default'/><model type='virtio'/></interface>"
        )
    );
    let command = said("plan", "qemu");
    let lines: Vec<&str> = command.lines().map(|line| line.trim().trim_end_matches(" \\")).collect();
    let drive = format!("-drive if=none,id=disk0,file={disk},format=raw");
    for line in [&*drive, "-device virtio-net-pci,netdev=net0,mac=52:54:00:ab:cd:01,romfile="] {
        assert!(lines.contains(&line), "{line} in {command}");
    }
    assert!(copy.is_pristine(), "a plan changed the disk");
    assert_eq!(said("convert", "libvirt"), domain, "the conversion gives another machine than its plan");
    assert!(!copy.is_pristine());
}
