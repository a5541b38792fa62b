//! A plan that was kept is what it was, or is refused.

use super::super::{PLAN_SCHEMA, Plan, PlanError, Step, Wishes};
use crate::change::Change;
use crate::description::{Choice, Choices, Class};
use crate::finding::Finding;
use crate::hardware::{Hardware, HardwareFirmware};
use crate::path::guest_path;
use crate::plan::{Nic, Rebuild};

fn step(id: &str, after: &str) -> Step {
    let path = guest_path("/etc/fstab");
    let change = Change::Write { path, before: None, after: after.into(), mode: None };
    Step { id: id.into(), root: 0, why: "it is a test".into(), changes: vec![change] }
}

fn plan(steps: Vec<Step>) -> Plan {
    let devices = [
        ((Class::Block, "sda".to_owned()), Choice::Driver("scsi-hd".into())),
        ((Class::Graphics, "0".to_owned()), Choice::Removed),
    ];
    Plan {
        schema: PLAN_SCHEMA,
        target: "kvm".into(),
        wishes: Wishes {
            devices: Choices { devices: devices.into() },
            nics: vec![Nic { name: None, mac: "52:54:00:00:00:01".into() }],
            rebuild: Rebuild::Append,
        },
        roots: Vec::new(),
        steps,
        hardware: Hardware {
            machine: "q35".into(),
            firmware: HardwareFirmware::Bios,
            arch: "x86_64".into(),
            disks: Vec::new(),
            nics: Vec::new(),
            graphics: None,
            console: None,
        },
        findings: Vec::new(),
    }
}

#[test]
fn a_document_is_read_as_it_was_written() {
    let plan = plan(vec![step("a/b", "x\n")]);
    let document = plan.to_document();
    assert_eq!(Plan::of_document(&document), Ok(plan.clone()));
    assert_eq!(Plan::of_document(&document).unwrap().to_document(), document);
    assert_eq!(plan.sha256().len(), 64);
    let terminal = self::plan(vec![step("a/b", "\u{9b}2J\u{7f}\n")]);
    assert!(terminal.to_document().contains(r#""after": "\u009b2J\u007f\n""#), "{}", terminal.to_document());
    assert_eq!(Plan::of_document(&terminal.to_document()), Ok(terminal));
    for (text, expected) in [
        (document.replace("\"schema\": 1", "\"schema\": 7"), "its schema is 7, and only 1 is known"),
        (
            document.replace("\"target\"", "\"tarpit\""),
            "unknown field `tarpit`, expected one of `schema`, `target`, `wishes`, `roots`, `steps`, `hardware`, \
             `findings` at line 3 column 10",
        ),
        (format!("{document}x"), "trailing characters at line 52 column 1"),
        (String::new(), "EOF while parsing a value at line 1 column 0"),
    ] {
        let message = format!("the plan cannot be read: {expected}; hand in what plan --json wrote");
        assert_eq!(Plan::of_document(&text), Err(PlanError::new("plan-invalid", message)));
    }
}

#[test]
fn a_plan_that_is_another_now_is_refused() {
    let (a, b) = (step("a/b", "x"), step("c/d", "y"));
    let kept = plan(vec![a.clone(), b.clone()]);
    assert_eq!(kept.require_same(&kept), Ok(()));
    let mut elsewhere = kept.clone();
    elsewhere.findings.push(Finding::warning("host-without-landlock", "it has none"));
    assert_eq!(kept.require_same(&elsewhere), Ok(()), "the plan of another host");
    let mut damaged = kept.clone();
    damaged.findings.push(Finding::error("filesystem-damaged", "it is"));
    let mut other = kept.clone();
    other.hardware.machine = "pc".into();
    for (now, expected) in [
        (plan(vec![step("a/b", "z"), b.clone()]), "the step a/b is another one now"),
        (plan(vec![b]), "where the plan has the step a/b, the guest needs c/d now"),
        (plan(vec![a.clone()]), "the guest does not need the step c/d now"),
        (plan(vec![a, step("c/d", "y"), step("e/f", "y")]), "the guest needs the step e/f, too, now"),
        (damaged, "the steps are the same, but not the hardware, the systems or the findings"),
        (other, "the steps are the same, but not the hardware, the systems or the findings"),
    ] {
        let message = format!(
            "the plan is not what this guest needs: {expected}; the guest was changed since, or it is another guest or \
             another version of guestconv: plan again, and look at the new plan"
        );
        assert_eq!(kept.require_same(&now), Err(PlanError::new("plan-outdated", message)));
    }
}
