//! The straight line: inspect, plan, convert, undo, convert again, verify, boot.

use crate::{Copy, are_identical, are_pristine, assert_as_before, differing, json_schema, planned, relaxng};
use guestconv::core::change::Change;
use guestconv::core::hardware::HardwareFirmware;
use guestconv::core::plan::Plan;
use guestconv::{ConvertOptions, Event, Options, Stage, UndoOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is beside each disk that a conversion changed.
const UNDO: [&str; 2] = [".guestconv-undo", ".guestconv-undo.json"];

/// Converts the copy of a guest, and back, and again, boots it by `firmware`, and asserts all that must be true of every
/// conversion. Returns the plan. The copy is left converted, with its undo files.
///
/// # Panics
/// If something is not true.
pub fn line(copy: &Copy, firmware: HardwareFirmware) -> Plan {
    let name = copy.subject.name;
    let target = copy.subject.target;
    let disks = copy.files();
    let was_untouched = Arc::new(AtomicBool::new(false));
    let observer = {
        let (was_untouched, disks) = (Arc::clone(&was_untouched), copy.disks());
        move |event: &Event<'_>| {
            if *event == Event::Started(Stage::Commit) {
                was_untouched.store(are_pristine(&disks), Ordering::SeqCst);
            }
        }
    };
    let mut guest = copy.open(Options { observer: Arc::new(observer), ..Options::default() });
    let before = guest.manifest().unwrap();
    let options = copy.plan_options();
    let described = guest.describe(target, &options.nics).unwrap();
    let (choices, document) = (described.choices(), described.to_xml());
    relaxng::assert_valid(&document);
    let plan = guest.plan(target, &choices, &options).unwrap();
    assert!(!plan.steps.is_empty(), "{name} is not for {target} yet, so there is something to do");
    assert!(copy.is_pristine(), "{name}: inspect and plan wrote to the disk");
    let convert_options = ConvertOptions::default();
    guest.convert(&plan, &convert_options).unwrap();
    assert!(was_untouched.load(Ordering::SeqCst), "{name}: the disk changed before the commit");
    let with_undo = with_undo(copy);
    assert_eq!(copy.files(), with_undo, "{name}: undo files are left beside what changed, and no more");
    guest.undo(&UndoOptions::default()).unwrap();
    copy.assert_as_built("after an undo");
    assert_eq!(copy.files(), disks, "{name}: something is left by the undo");
    let outcome = guest.convert(&plan, &convert_options).unwrap();
    assert!(!copy.is_pristine(), "{name}: the commit did not reach the disk");
    assert_eq!(copy.files(), with_undo, "{name}: undo files are left beside what changed, and no more");
    copy.assert_sound();

    let after = guest.manifest().unwrap();
    let planned = planned(&plan);
    let unplanned: Vec<_> = differing(&laid_out(before, &plan), &after)
        .into_iter()
        .filter(|path| !planned.contains(path))
        .collect();
    assert_eq!(unplanned, [], "{name}: files changed that the plan does not name");
    drop(guest);

    let mut again = copy.open(Options::default());
    assert_eq!(again.plan(target, &choices, &options).unwrap().steps, [], "{name}: a second plan");
    assert_eq!(again.verify(target, &choices, &options).unwrap().missing, [], "{name}: verify");
    relaxng::assert_valid(&again.describe(target, &options.nics).unwrap().to_xml());
    let chosen = again.choices(target, &options.nics, &document).unwrap();
    assert_eq!(chosen, choices, "{name}: the document of the conversion is good after it");
    drop(again);

    assert_eq!(plan.hardware.firmware, copy.subject.firmware, "{name}");
    let mut hardware = plan.hardware.clone();
    hardware.firmware = firmware;
    let proof = copy.boot(&hardware);
    for (schema, document) in [
        ("description", serde_json::to_value(&described)),
        ("plan", serde_json::to_value(&plan)),
        ("outcome", serde_json::to_value(&outcome)),
        ("proof", serde_json::to_value(&proof)),
    ] {
        json_schema::assert_valid(schema, &document.unwrap());
    }
    assert_as_before(copy.subject, copy.subject.root, &proof);
    plan
}

/// Returns what is in the directory of a copy once it is converted, sorted.
fn with_undo(copy: &Copy) -> Vec<String> {
    let mut names = Vec::new();
    for (disk, original) in copy.disks() {
        let name = disk.file_name().unwrap().to_str().unwrap();
        names.push(name.to_owned());
        if !are_identical(&disk, &original) {
            names.extend(UNDO.map(|end| format!("{name}{end}")));
        }
    }
    names.sort();
    names
}

/// Converts the copy of a guest and returns the plan.
///
/// # Panics
/// If it is not converted.
pub fn convert(copy: &Copy) -> Plan {
    let (mut guest, options) = (copy.open(Options::default()), copy.plan_options());
    let choices = guest.describe(copy.subject.target, &options.nics).unwrap().choices();
    let plan = guest.plan(copy.subject.target, &choices, &options).unwrap();
    guest.convert(&plan, &ConvertOptions::default()).unwrap();
    plan
}

/// Returns a manifest with the names that devices have once the plan's disks are laid out.
fn laid_out(mut manifest: Vec<String>, plan: &Plan) -> Vec<String> {
    for change in plan.steps.iter().flat_map(|step| &step.changes) {
        let Change::LayOut(lay_out) = change else { continue };
        let root = lay_out.table.partitions.iter().find(|partition| partition.number == 1).unwrap();
        let was = format!("/dev/{} ", lay_out.disk);
        for line in &mut manifest {
            if let Some(rest) = line.strip_prefix(&was) {
                *line = format!("{} {rest}", root.device);
            }
        }
    }
    manifest
}
