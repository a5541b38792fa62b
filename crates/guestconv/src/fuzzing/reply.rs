//! A reply, and all that becomes of it.

use crate::appliance::{Asked, Incoming, require_none};
use guestconv_core::describe::describe;
use guestconv_core::description::{Choices, edited};
use guestconv_core::facts::Facts;
use guestconv_core::fixtures::rhel64;
use guestconv_core::formats::libvirt_domain;
use guestconv_core::hardware::host::{Host, HostDisk, HostDiskKind, HostFirmware, HostFormat};
use guestconv_core::hardware::{Hardware, libvirt, qemu};
use guestconv_core::knowledge::{self, Target};
use guestconv_core::plan::{Plan, PlanOptions, plan, require_system};
use guestconv_core::protocol::{Answer, REPLY_MAGIC, Reply, Task, VERSION};
use guestconv_core::report::Report;

pub(super) fn reply(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else { return };
    let bytes = if *first == b'{' { framed(input) } else { rest.to_vec() };
    let piece = if *first == b'{' { 4096 } else { usize::from(*first).max(1) };
    let mut incoming = Incoming::default();
    if bytes.chunks(piece).try_for_each(|piece| incoming.push(piece)).is_err() {
        return;
    }
    let Ok(reply) = incoming.parse() else { return };
    answered(reply);
}

/// Returns a reply of our version with that answer.
fn framed(answer: &[u8]) -> Vec<u8> {
    let json =
        [format!("{{\"version\":{VERSION:?},\"timings\":[[\"a\",1]],\"answer\":").as_bytes(), answer, b"}"]
            .concat();
    [REPLY_MAGIC, format!("{:08x}\n", json.len()).as_bytes(), &json].concat()
}

fn answered(reply: Reply) {
    let plan = plan(&rhel64::facts(), target("kvm"), &Choices::default(), &PlanOptions::default()).unwrap();
    for task in [Task::Inspect { known: Some(Vec::new()) }, Task::Apply(Box::new(plan)), Task::Manifest] {
        let asked = Asked { task: &task, disks: &[("sda", 3 << 30)] };
        if require_none(&reply.answer, &asked).is_ok()
            && let Answer::Facts(facts) = &reply.answer
        {
            all_of(facts);
        }
    }
}

fn target(id: &str) -> &'static Target {
    knowledge::target(id).unwrap()
}

fn all_of(facts: &Facts) {
    drop(require_system(facts));
    for target in knowledge::targets() {
        for_target(facts, target);
    }
}

fn for_target(facts: &Facts, target: &Target) {
    let described = describe(facts, target, &[]);
    let document = described.to_xml();
    let choices = edited::choices(&document, &described);
    assert_eq!(choices, Ok(described.choices()), "an unedited description selects what it says");
    if let Ok(plan) = plan(facts, target, &Choices::default(), &PlanOptions::default()) {
        shown(&plan.to_string());
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan, "a plan is read as it was written");
        written(&plan.hardware);
    }
    drop(Report::of(facts, target, &described.choices(), &PlanOptions::default()));
}

/// The hardware of a plan, as QEMU and libvirt read it.
fn written(hardware: &Hardware) {
    let disk = |index: usize| HostDisk {
        path: format!("/disk{index}"),
        format: HostFormat::Qcow2,
        kind: HostDiskKind::File,
    };
    let host = Host {
        name: "guest".to_owned(),
        memory_mib: 2048,
        cpus: 2,
        disks: (0..hardware.disks.len()).map(disk).collect(),
        firmware: Some(HostFirmware { code: "/code".to_owned(), variables: "/variables".to_owned() }),
    };
    if let Ok(command) = qemu::command(hardware, &host) {
        shown(&qemu::shell(&command));
    }
    if let Ok(domain) = libvirt::domain(hardware, &host) {
        shown(&domain);
        drop(libvirt_domain::nics(&domain).unwrap());
    }
}

/// What a person sees moves no cursor.
fn shown(text: &str) {
    let hostile = text.chars().find(|c| c.is_control() && *c != '\n' && *c != '\t');
    assert_eq!(hostile, None, "a control character reaches a terminal");
}
