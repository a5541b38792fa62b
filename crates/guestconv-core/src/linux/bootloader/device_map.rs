//! `device.map`: which of the system's disks is BIOS's first, for grub-install and GRUB legacy's shell in the running guest.
//! A whole disk has no UUID, so this is the one place where the target's own name is written.

use crate::description::{Choice, Class};
use crate::formats::fields::{fields, lines, replaced};
use crate::linux::devices;
use crate::plan::Context;

/// Returns the text with the disks' names on the target.
pub(super) fn edited(context: &Context<'_>, text: &str) -> String {
    let names = target_names(context);
    let mut edits = Vec::new();
    for (at, line) in lines(text) {
        let all = fields(at, line);
        let [_, name, ..] = all.as_slice() else { continue };
        if !devices::is_unstable(name.text) {
            continue;
        }
        let Some(device) = devices::resolve(&context.facts.layout, name.text) else { continue };
        let target = names.iter().find(|(disk, _)| device.0 == format!("/dev/{disk}"));
        if let Some((_, target)) = target.filter(|(_, target)| target != name.text) {
            edits.push((name.range.clone(), target.clone()));
        }
    }
    replaced(text, &edits)
}

/// Returns what the guest's kernel will call each disk: counted on each bus.
fn target_names(context: &Context<'_>) -> Vec<(String, String)> {
    let (mut virtio, mut scsi, mut nvme) = (0u8, 0u8, 0u8);
    let mut names = Vec::new();
    for disk in &context.facts.layout.disks {
        let choice = context.choices.devices.get(&(Class::Block, disk.name.clone()));
        let Some(Choice::Driver(driver)) = choice else { continue };
        let (count, prefix) = match driver.as_str() {
            "virtio-blk-pci" => (&mut virtio, "vd"),
            "nvme" => (&mut nvme, "nvme"),
            _ => (&mut scsi, "sd"),
        };
        // 26 disks and more have names of two letters, and no place in a BIOS's table.
        let name = match (prefix, *count) {
            ("nvme", number) => format!("/dev/nvme{number}n1"),
            (prefix, number @ 0..26) => format!("/dev/{prefix}{}", char::from(b'a' + number)),
            _ => continue,
        };
        *count = count.saturating_add(1);
        names.push((disk.name.clone(), name));
    }
    names
}
