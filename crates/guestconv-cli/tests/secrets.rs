//! Secrets of a guest are in no output: canaries are planted in files that the conversion reads and in files that it edits,
//! and looked for in all that every command says. In the guest they stay as they were.

#![allow(clippy::unwrap_used, reason = "it is a test: what fails here fails the test")]

use guestconv_system_tests::{Copy, copy};
use std::fs;
use std::path::Path;
use std::process::Command;

/// What nobody may read but the guest.
const CANARY: &str = "c4n4ry";

/// The files with canaries, and what is put into each: `(path, is it appended, text)`.
const PLANTED: &[(&str, bool, &str)] = &[
    ("/etc/fstab", true, "//nas/share /srv cifs user=u,password=c4n4ry-1,uid=0 0 0\n"),
    (
        "/etc/network/interfaces",
        true,
        "\nallow-hotplug wlan0\niface wlan0 inet dhcp\n  wpa-psk c4n4ry-2 with blanks\n",
    ),
    (
        "/boot/grub/grub.cfg",
        true,
        "set superusers=\"root\"\npassword_pbkdf2 root grub.pbkdf2.sha512.10000.C4.c4n4ry-3\npassword other c4n4ry-4\n",
    ),
    ("/etc/default/grub", true, "GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX rd.iscsi.password=c4n4ry-5\"\n"),
    ("/etc/shadow", true, "user:$6$salt$c4n4ry.6:19000:0:99999:7:::\n"),
    ("/etc/machine-token", false, "c4n4ry-7\n"),
    (
        "/etc/NetworkManager/system-connections/wlan.nmconnection",
        false,
        "[connection]\nid=wlan\ntype=wifi\n[wifi-security]\npsk=c4n4ry-8\n",
    ),
    (
        "/etc/netplan/90-wlan.yaml",
        false,
        "network:\n  wifis:\n    wlan0:\n      access-points:\n        x: {password: c4n4ry-9}\n",
    ),
    (
        "/etc/cloud/cloud.cfg.d/99.cfg",
        false,
        "datasource_list: [NoCloud]\npassword: c4n4ry-10\nchpasswd:\n  list: |\n    root:c4n4ry-11\n",
    ),
    (
        "/etc/ssh/ssh_host_rsa_key",
        false,
        "-----BEGIN OPENSSH PRIVATE KEY-----\nc4n4ry-12\n-----END OPENSSH PRIVATE KEY-----\n",
    ),
    ("/etc/wpa_supplicant.conf", false, "network={\n  psk=\"c4n4ry-13\"\n}\n"),
];

/// Runs e2fsprogs' debugger on the root of the guest, whose partition is at the first MiB; returns what it says.
fn debugfs(disk: &Path, requests: &str) -> String {
    let script = tempfile::NamedTempFile::new().unwrap();
    fs::write(script.path(), requests).unwrap();
    let device = format!("{}?offset=1048576", disk.display());
    let mut program = Command::new("debugfs");
    program.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").arg("-w").arg("-f").arg(script.path()).arg(device);
    let output = program.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Returns what a file of the guest holds; empty if it is not there.
fn content(disk: &Path, path: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    debugfs(disk, &format!("dump {path} {}\n", out.display()));
    fs::read_to_string(out).unwrap_or_default()
}

fn plant(disk: &Path) {
    let dir = tempfile::tempdir().unwrap();
    for (index, (path, is_appended, text)) in PLANTED.iter().enumerate() {
        let file = dir.path().join(index.to_string());
        let before = if *is_appended { content(disk, path) } else { String::new() };
        fs::write(&file, before + text).unwrap();
        let parents = Path::new(path).ancestors().skip(1).map(|parent| parent.to_str().unwrap());
        let mut parents: Vec<&str> = parents.filter(|parent| *parent != "/").collect();
        parents.reverse();
        let made: String = parents.iter().map(|parent| format!("mkdir {parent}\n")).collect();
        let removed = if *is_appended { format!("rm {path}\n") } else { String::new() };
        debugfs(disk, &format!("{made}{removed}write {} {path}\n", file.display()));
    }
}

/// Runs a command on the disk and returns all that it says.
fn said(copy: &Copy, command: &str, more: &[&str]) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_guestconv"));
    program.arg(command).arg(&copy.disk).args(["--format", "raw", "--color", "never"]).args(more);
    let output = program.output().unwrap();
    assert!(output.status.success(), "{command} {more:?}: {output:?}");
    let all = [output.stdout, output.stderr].concat();
    String::from_utf8(all).unwrap()
}

#[test]
fn secrets_of_the_guest_are_in_no_output() {
    let Some(copy) = copy("debian-12") else { return };
    plant(&copy.disk);
    let planted = |path: &str| content(&copy.disk, path);
    for (path, _, text) in PLANTED {
        assert!(planted(path).ends_with(text), "{path} was not planted: {}", planted(path));
    }
    let dir = tempfile::tempdir().unwrap();
    let record = dir.path().join("record.json");
    let target = ["--target", copy.subject.target];
    let told = ["--verbose", "--progress", "json", "--timings"];
    let mut outputs = vec![
        said(&copy, "inspect", &["--json", "--initramfs"]),
        said(&copy, "inspect", &told),
        said(&copy, "inspect", &[&target[..], &["--xml"]].concat()),
    ];
    for command in ["plan", "verify"] {
        for more in [&["--json"][..], &told] {
            let mut program = Command::new(env!("CARGO_BIN_EXE_guestconv"));
            program.arg(command).arg(&copy.disk).args(["--format", "raw"]).args(target).args(more);
            let output = program.output().unwrap(); // verify finds something missing
            outputs.push(String::from_utf8([output.stdout, output.stderr].concat()).unwrap());
        }
    }
    let options = guestconv::Options::default();
    let spec = guestconv::DiskSpec { format: guestconv::Format::Raw, ..guestconv::DiskSpec::new(&copy.disk) };
    let mut guest = guestconv::Guest::open(vec![spec], options).unwrap();
    let plan = guest.plan(copy.subject.target, &Default::default(), &Default::default()).unwrap();
    outputs.push(format!("{:?} {plan:?} {plan}", guest.inspect().unwrap()));
    drop(guest);
    let edited: Vec<&str> = plan
        .steps
        .iter()
        .flat_map(|step| &step.changes)
        .filter_map(|change| Some(change.path()?.as_str()))
        .collect();
    for path in ["/etc/fstab", "/boot/grub/grub.cfg"] {
        assert!(edited.contains(&path), "{path} is not edited, so nothing is shown: {edited:?}");
    }

    let with = ["--record", record.to_str().unwrap(), "--json"];
    outputs.push(said(&copy, "convert", &[&target[..], &with, &told].concat()));
    outputs.push(fs::read_to_string(&record).unwrap());
    let beside = copy.disk.with_file_name("disk.raw.guestconv-undo.json");
    outputs.push(fs::read_to_string(beside).unwrap());
    outputs.push(said(&copy, "verify", &[&target[..], &["--json"]].concat()));
    for output in outputs {
        let found: Vec<&str> = output.lines().filter(|line| line.contains(CANARY)).collect();
        assert!(found.is_empty(), "{found:#?}");
    }
    // What was edited around them has them still.
    for (path, _, text) in PLANTED {
        let now = planted(path);
        let words = text.split_whitespace().map(|word| word.trim_end_matches(['"', '}']));
        for canary in words.filter(|word| word.contains(CANARY)) {
            assert!(now.contains(canary), "{path} lost {canary}: {now}");
        }
    }
}
