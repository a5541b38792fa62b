//! A plan that was kept is carried out to the letter or refused; the record says what was done, by hashes that others find, too.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "it is a test: what fails here fails the test"
)]

use guestconv_system_tests::{Copy, copy, json_schema};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// Runs a command on the disk, with what it is given in its directory; returns its status, output and errors.
fn run(copy: &Copy, command: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_guestconv"));
    program.arg(command).arg(&copy.disk).args(["--format", "raw", "--color", "never"]);
    let output = program.args(more).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn sha256sum(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

fn outdated(why: &str) -> (Option<i32>, String, String) {
    let text = format!(
        "guestconv: the plan is not what this guest needs: {why}; the guest was changed since, or it is another guest or \
         another version of guestconv: plan again, and look at the new plan [plan-outdated]\n"
    );
    (Some(1), String::new(), text)
}

#[test]
fn a_plan_that_was_kept_is_carried_out_and_recorded() {
    let Some(copy) = copy("debian-12-dep") else { return };
    let elsewhere = tempfile::tempdir().unwrap();
    let file = |name: &str| elsewhere.path().join(name).to_str().unwrap().to_owned();
    let nic = ["--target", copy.subject.target, "--nic", "52:54:00:12:34:56"];
    let (status, document, errors) = run(&copy, "plan", &[&nic[..], &["--json"]].concat());
    assert_eq!((status, errors.as_str()), (Some(0), ""));
    let plan: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(
        plan["wishes"],
        json!({ "devices": [], "nics": [{ "name": null, "mac": "52:54:00:12:34:56" }], "rebuild": "append" })
    );
    fs::write(file("plan.json"), &document).unwrap();

    // Edited: the guest needs something else.
    let first = plan["steps"][0]["id"].as_str().unwrap().to_owned();
    let mut edited = plan.clone();
    edited["steps"][0]["why"] = json!("somebody says so");
    fs::write(file("edited.json"), edited.to_string()).unwrap();
    let refused = run(&copy, "convert", &["--plan", &file("edited.json"), "--record", &file("none.json")]);
    assert_eq!(refused, outdated(&format!("the step {first} is another one now")));
    fs::write(file("broken.json"), "{}").unwrap();
    let broken = "guestconv: the plan cannot be read: missing field `schema` at line 1 column 2; hand in what plan --json \
                  wrote [plan-invalid]\n";
    let refused = run(&copy, "convert", &["--plan", &file("broken.json")]);
    assert_eq!(refused, (Some(2), String::new(), broken.to_owned()));
    assert!(copy.is_pristine());
    assert_eq!(copy.files(), ["disk.raw"]);
    assert!(!Path::new(&file("none.json")).exists(), "a record of what was not done");

    let before = sha256sum(&copy.disk);
    let with = ["--plan", &file("plan.json"), "--record", &file("record.json"), "--hash-disks", "--json"];
    let begun = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (status, outcome, errors) = run(&copy, "convert", &with);
    assert_eq!((status, errors.as_str()), (Some(0), ""));
    let outcome: Value = serde_json::from_str(&outcome).unwrap();
    let record: Value = serde_json::from_str(&fs::read_to_string(file("record.json")).unwrap()).unwrap();
    json_schema::assert_valid("record", &record);
    let ended = record["ended_unix_seconds"].as_u64().unwrap();
    assert!((begun..=begun + 600).contains(&ended), "{ended}");
    let image = |sha256: &str| {
        let path = copy.disk.canonicalize().unwrap();
        let size_bytes = fs::metadata(&path).unwrap().len();
        json!({ "path": path.to_str().unwrap(), "format": "raw", "size_bytes": size_bytes, "sha256": sha256 })
    };
    let ids: Vec<&Value> = plan["steps"].as_array().unwrap().iter().map(|step| &step["id"]).collect();
    let mut files: Vec<Value> = Vec::new();
    for file in outcome["steps"].as_array().unwrap().iter().flat_map(|step| step["files"].as_array().unwrap())
    {
        match files.iter_mut().find(|known| known["path"] == file["path"]) {
            Some(known) => known["after"] = file["now"].clone(),
            None => files.push(json!({
                "root": "/dev/vg0/root", "path": file["path"], "before": file["before"], "after": file["now"],
            })),
        }
    }
    let expected = json!({
        "schema": 1,
        "guestconv": env!("CARGO_PKG_VERSION"),
        "protocol": guestconv::core::protocol::VERSION,
        "ended_unix_seconds": ended,
        "target": copy.subject.target,
        "plan_sha256": sha256sum(Path::new(&file("plan.json"))),
        "steps": ids,
        "disks": [{ "name": "sda", "before": image(&before), "after": image(&sha256sum(&copy.disk)) }],
        "files": files,
    });
    assert_eq!(record, expected);
    assert!(
        files.iter().any(|file| !file["before"].is_null() && file["before"] != file["after"]),
        "{files:?}"
    );

    let verified = run(&copy, "verify", &["--plan", &file("plan.json"), "--json"]);
    let report: Value = serde_json::from_str(&verified.1).unwrap();
    assert_eq!((verified.0, &report["missing"]), (Some(0), &json!([])));
    // What was done is not needed again.
    let again = run(&copy, "convert", &["--plan", &file("plan.json")]);
    assert_eq!(again, outdated(&format!("the guest does not need the step {first} now")));
    let there = run(&copy, "convert", &["--target", "kvm", "--record", &file("record.json")]);
    let said = format!(
        "guestconv: cannot make the record {}: File exists (os error 17); name a new file in a directory that is there \
         [record-failed]\n",
        file("record.json")
    );
    assert_eq!((there.0, there.2.lines().next()), (Some(2), said.lines().next()));
}

#[test]
fn the_plan_of_another_guest_is_refused() {
    let Some(copy) = copy("debian-12-dep") else { return };
    let Some(other) = guestconv_system_tests::copy("debian-12") else { return };
    let (_, document, _) = run(&other, "plan", &["--target", copy.subject.target, "--json"]);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), document).unwrap();
    let (status, output, errors) =
        run(&copy, "convert", &["--plan", file.path().to_str().unwrap(), "--json"]);
    let error: Value = serde_json::from_str(&errors).unwrap();
    assert_eq!((status, output.as_str(), &error["code"]), (Some(1), "", &json!("plan-outdated")));
    assert!(copy.is_pristine());
    assert_eq!(copy.files(), ["disk.raw"]);
}
