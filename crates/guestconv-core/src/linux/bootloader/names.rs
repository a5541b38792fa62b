//! Devices that a kernel's command line names, and the names for them that hold on every bus.
//!
//! With an initramfs `UUID=` and volumes are understood. Without one the kernel looks itself, and knows only its own names
//! and `PARTUUID=`. What cannot be told is left alone, with a finding.

use crate::finding::Finding;
use crate::formats::cmdline::{CmdlineEdit, Operation, Word};
use crate::layout::Layout;
use crate::linux::devices;

/// Arguments whose value is a device.
const ARGUMENTS: [&str; 7] =
    ["root", "resume", "real_root", "real_resume", "crypt_root", "boot", "cryptdevice"];

/// Whether the kernel of a command line gets an initramfs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Initramfs {
    /// It does.
    Used,
    /// It does not.
    Absent,
}

/// Returns the edit that gives the devices of a command line their stable names; findings are about `source`.
pub(super) fn edit(
    layout: &Layout,
    words: &[Word],
    initramfs: Initramfs,
    source: &str,
    findings: &mut Vec<Finding>,
) -> CmdlineEdit {
    let mut operations: Vec<Operation> = Vec::new();
    for word in words {
        let Some((name, value)) = word.text.split_once('=') else { continue };
        // cryptdevice=DEVICE:NAME:OPTIONS
        let (spec, rest) = match value.split_once(':') {
            Some((spec, rest)) if name == "cryptdevice" => (spec, format!(":{rest}")),
            _ => (value, String::new()),
        };
        if !ARGUMENTS.contains(&name) || !devices::is_unstable(spec) {
            continue;
        }
        match stable(layout, spec, initramfs) {
            Ok(new) => {
                let operation =
                    Operation::Replace { before: word.text.clone(), after: format!("{name}={new}{rest}") };
                if !operations.contains(&operation) {
                    operations.push(operation);
                }
            }
            Err(reason) => {
                let finding = Finding::warning(
                    "boot-device-unknown",
                    format!("{name}={spec} on a kernel's command line is left as it is: {reason}"),
                )
                .about(source);
                if !findings.contains(&finding) {
                    findings.push(finding);
                }
            }
        }
    }
    CmdlineEdit { operations }
}

fn stable(layout: &Layout, spec: &str, initramfs: Initramfs) -> Result<String, &'static str> {
    let device = devices::resolve(layout, spec).ok_or("it is no device of the guest's disks")?;
    let name = match initramfs {
        Initramfs::Used => devices::stable_name(layout, &device),
        Initramfs::Absent => devices::partuuid_name(layout, &device),
    };
    name.ok_or(match initramfs {
        Initramfs::Used => "it has no UUID, label or partition UUID that no other device has",
        Initramfs::Absent => {
            "the kernel starts without an initramfs, and the partition has no UUID of its own"
        }
    })
}
