//! Tests: a table of lies over a real reply. The first column is where the lie is (a JSON pointer), the second what it says.

use super::*;
use guestconv_core::description::Choices;
use guestconv_core::fixtures::rhel64;
use guestconv_core::knowledge;
use guestconv_core::plan::{PlanOptions, plan};
use serde_json::{Value, json};

const DISKS: &[(&str, u64)] = &[("sda", 3 << 30)];

fn planned() -> Plan {
    let target = knowledge::target("kvm").unwrap();
    plan(&rhel64::facts(), target, &Choices::default(), &PlanOptions::default()).unwrap()
}

fn done() -> Answer {
    let step = |step: &guestconv_core::plan::Step| StepOutcome {
        id: step.id.clone(),
        status: StepStatus::Done,
        files: Vec::new(),
    };
    Answer::Outcome(Outcome::of(planned().steps.iter().map(step).collect()))
}

/// Returns what is said of an answer with a lie in it.
fn said(answer: &Answer, lie: Option<(&str, Value)>, task: &Task) -> Option<String> {
    let mut document = serde_json::to_value(answer).unwrap();
    if let Some((place, value)) = lie {
        *document.pointer_mut(place).unwrap_or_else(|| panic!("{place}")) = value;
    }
    let answer: Answer = serde_json::from_value(document).unwrap();
    let error = require_none(&answer, &Asked { task, disks: DISKS }).err()?;
    assert_eq!(error.code(), "appliance-reply");
    Some(error.to_string().strip_prefix("the appliance lied: ").unwrap().to_owned())
}

#[test]
fn facts_that_lie_are_refused() {
    let answer = Answer::Facts(Box::new(rhel64::facts()));
    let task = Task::Inspect { known: Some(Vec::new()) };
    assert_eq!(said(&answer, None, &task), None);
    let document = serde_json::to_value(&answer).unwrap();
    let disk = document.pointer("/facts/layout/disks/0").unwrap().clone();
    let loader = |disk: &str| {
        let mut loader =
            document.pointer("/facts/roots/0/system/linux/bootloader/loaders/0").unwrap().clone();
        loader["disk"] = json!(disk);
        json!([loader])
    };
    let many =
        |place: &str, count: usize| Value::Array(vec![document.pointer(place).unwrap().clone(); count]);
    let finding = json!({"code": "a", "severity": "info", "text": ""});
    for (place, value, expected) in [
        ("/facts/schema", json!(2), "its facts are of schema 2"),
        ("/facts/layout/disks", json!([]), "it was given 1 disks and found 0"),
        ("/facts/layout/disks", json!([disk, disk]), "it was given 1 disks and found 2"),
        ("/facts/layout/disks/0/name", json!("sdb"), r#"the disk sda is called "sdb""#),
        ("/facts/layout/disks/0/size_bytes", json!(512), "the disk sda of 3221225472 bytes has 512"),
        (
            "/facts/layout/disks/0/table/partitions/0/device",
            json!("/dev/sdb1"),
            r#""/dev/sdb1" is on the disk sda"#,
        ),
        (
            "/facts/layout/disks/0/table/partitions",
            many("/facts/layout/disks/0/table/partitions/0", 257),
            "it found 257 partitions",
        ),
        (
            "/facts/layout/filesystems/0/device",
            json!("/dev/sda9"),
            r#""/dev/sda9" is no device of the layout"#,
        ),
        (
            "/facts/layout/volume_groups/0/physical_volumes/0",
            json!("/etc/shadow"),
            r#""/etc/shadow" is no device of the layout"#,
        ),
        (
            "/facts/layout/filesystems",
            many("/facts/layout/filesystems/0", 16_385),
            "it found 16385 file systems",
        ),
        (
            "/facts/firmware",
            json!({"uefi": {"esps": ["/dev/sdb1"]}}),
            r#""/dev/sdb1" is no device of the layout"#,
        ),
        ("/facts/findings", Value::Array(vec![finding; 10_001]), "it found 10001 findings"),
        ("/facts/findings", json!([{"code": "A b", "severity": "info", "text": ""}]), r#""A b" is no code"#),
        ("/facts/roots/0/device", json!("/dev/sdb"), r#""/dev/sdb" is no device of the layout"#),
        ("/facts/roots/0/mounts/0/device", json!("/dev/sdb"), r#""/dev/sdb" is no device of the layout"#),
        ("/facts/roots", many("/facts/roots/0", 2_001), "it found 2001 systems"),
        (
            "/facts/roots/0/system/linux/kernels",
            many("/facts/roots/0/system/linux/kernels/0", 2_001),
            "it found 2001 kernels",
        ),
        (
            "/facts/roots/0/system/linux/initramfs/images",
            many("/facts/roots/0/system/linux/initramfs/images/0", 2_001),
            "it found 2001 initramfs images",
        ),
        (
            "/facts/roots/0/system/linux/bootloader/loaders",
            loader("sdb"),
            r#"a boot loader is on the disk "sdb", which it was not given"#,
        ),
    ] {
        let shown: String = value.to_string().chars().take(100).collect();
        assert_eq!(said(&answer, Some((place, value)), &task).as_deref(), Some(expected), "{place} {shown}");
    }
}

#[test]
fn an_outcome_that_lies_is_refused() {
    let task = Task::Apply(Box::new(planned()));
    assert_eq!(said(&done(), None, &task), None);
    let failure = json!({"code": "file-changed", "message": "it is another"});
    let both = "its outcome says both that it failed and that it did not";
    let other = "its outcome is not of the steps of the plan";
    let id = planned().steps[0].id.clone();
    let wrote = format!(r#"step {id} wrote "/etc/shadow", which is not in the plan"#);
    for (place, value, expected) in [
        ("/outcome/steps", json!([]), other),
        ("/outcome/steps/0/id", json!("other/step"), other),
        ("/outcome/schema", json!(2), other),
        ("/outcome/steps/0/status", json!("failed"), both),
        ("/outcome/steps/0/status", json!("not-run"), both),
        ("/outcome/error", failure, both),
        ("/outcome/steps/0/files", json!([{"path": "/../etc/shadow", "now": null}]), &wrote),
    ] {
        let shown = value.to_string();
        assert_eq!(said(&done(), Some((place, value)), &task).as_deref(), Some(expected), "{place} {shown}");
    }
}

#[test]
fn a_step_that_failed_is_no_lie() {
    let Answer::Outcome(mut outcome) = done() else { unreachable!() };
    for step in &mut outcome.steps {
        step.status = StepStatus::NotRun;
    }
    outcome.steps[0].status = StepStatus::Failed;
    outcome.error = Some(Failure { code: "file-changed".to_owned(), message: "it is another".to_owned() });
    let answer = Answer::Outcome(outcome);
    let task = Task::Apply(Box::new(planned()));
    assert_eq!(said(&answer, None, &task), None);
    let lie = Some(("/outcome/error/code", json!("\u{1b}[2J")));
    assert_eq!(said(&answer, lie, &task).as_deref(), Some(r#""\u{1b}[2J" is no code"#));
}

#[test]
fn an_answer_to_another_question_is_refused() {
    let inspect = Task::Inspect { known: Some(Vec::new()) };
    let apply = Task::Apply(Box::new(planned()));
    let facts = Answer::Facts(Box::new(rhel64::facts()));
    let failure = Answer::Failure(Failure { code: "mount-failed".to_owned(), message: String::new() });
    let manifest = Answer::Manifest(Vec::new());
    let other = Some("it answers another question than was asked".to_owned());
    for (answer, task, expected) in [
        (&facts, &inspect, None),
        (&facts, &apply, other.clone()),
        (&facts, &Task::Manifest, other.clone()),
        (&done(), &inspect, other.clone()),
        (&done(), &Task::Manifest, other.clone()),
        (&manifest, &Task::Manifest, None),
        (&manifest, &inspect, other.clone()),
        (&manifest, &apply, other),
        (&failure, &inspect, None),
        (&failure, &apply, None),
    ] {
        assert_eq!(said(answer, None, task), expected, "{answer:.40?} {task:.40?}");
    }
}
