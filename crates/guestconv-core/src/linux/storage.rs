//! What the guest mounts, opens and resumes from: `/etc/fstab`, `/etc/crypttab`, and initramfs-tools' `conf.d/resume`.
//!
//! Names of the source's buses (`/dev/sda1`) become `UUID=`, which holds on every bus. Names of volumes and of content,
//! network mounts and drives that are no disk of the guest are left alone. `resume=` of command lines is the boot
//! loaders' part, what an initramfs carries inside the initramfs'.

mod only_left;

use crate::finding::Finding;
use crate::formats::fstab::Entry;
use crate::formats::{crypttab, fstab};
use crate::layout::{DeviceName, Layout};
use crate::linux::{Probe, devices};
use crate::path::guest_path;
use crate::plan::{Context, Draft};
use crate::text::TextFile;
use crate::tree::ReadError;
use only_left::{is_of_cloud_init, only_left};
use serde::{Deserialize, Serialize};

/// The files that name the guest's disks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "StorageFacts"))]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// `/etc/fstab`; `None` if there is none.
    pub fstab: Option<TextFile>,
    /// `/etc/crypttab`; `None` if there is none.
    pub crypttab: Option<TextFile>,
    /// `/etc/initramfs-tools/conf.d/resume`; `None` if there is none.
    pub resume: Option<TextFile>,
}

/// Reads the files that name the guest's disks.
///
/// # Errors
/// [`ReadError`] if a file that is there cannot be read.
pub fn facts(probe: &Probe<'_>, _findings: &mut Vec<Finding>) -> Result<Facts, ReadError> {
    Ok(Facts {
        fstab: probe.tree.text(&guest_path("/etc/fstab"))?,
        crypttab: probe.tree.text(&guest_path("/etc/crypttab"))?,
        resume: probe.tree.text(&guest_path("/etc/initramfs-tools/conf.d/resume"))?,
    })
}

/// Plans names that hold on every bus.
pub fn plan(context: &Context<'_>, facts: &Facts, draft: &mut Draft) {
    let layout = &context.facts.layout;
    let mut findings = Vec::new();
    let why = "file systems are found by names that hold on every bus, whatever the target calls its disks";
    draft.step(context, "storage/fstab", why, |step| {
        if let Some(file) = &facts.fstab {
            step.edit(file, |text| {
                let entries = fstab::entries(text);
                let left = only_left(layout, &entries);
                fstab::with_specs(text, |entry| mounted(layout, entry, left, file, &mut findings))
            });
        }
    });
    let why = "encrypted volumes are found by names that hold on every bus";
    draft.step(context, "storage/crypttab", why, |step| {
        if let Some(file) = &facts.crypttab {
            step.edit(file, |text| {
                crypttab::with_devices(text, |entry| lasting(layout, &entry.device, file, &mut findings))
            });
        }
    });
    let why = "the next initramfs resumes from the swap space by a name that holds on every bus";
    draft.step(context, "storage/resume", why, |step| {
        if let Some(file) = &facts.resume {
            step.edit(file, |text| resume(layout, text, file, &mut findings));
        }
    });
    findings.into_iter().for_each(|finding| draft.finding(finding));
}

/// Returns the lasting name of what a line of fstab mounts. `left` is a name that can only mean the device that is left.
fn mounted(
    layout: &Layout,
    entry: &Entry,
    left: Option<(&str, &DeviceName)>,
    file: &TextFile,
    findings: &mut Vec<Finding>,
) -> Option<String> {
    if is_of_cloud_init(entry) {
        let text = format!("{} is cloud-init's line for {} and is left alone", entry.spec, entry.file);
        findings.push(Finding::info("cloud-mount-left", text).about(file.path.as_str()));
        return None;
    }
    let Some((_, device)) = left.filter(|(spec, _)| *spec == entry.spec) else {
        return lasting(layout, &entry.spec, file, findings);
    };
    let name = devices::stable_name(layout, device)?;
    let text = format!("{} of {} is taken for {device}: no other is left", entry.spec, entry.file);
    findings.push(Finding::warning("device-only-left", text).about(file.path.as_str()));
    Some(name)
}

/// Returns the lasting name of a device that is named by its bus; `None` if it has one already, or none can be told.
fn lasting(layout: &Layout, spec: &str, file: &TextFile, findings: &mut Vec<Finding>) -> Option<String> {
    if !devices::is_unstable(spec) || is_removable(spec) {
        return None;
    }
    let name = devices::resolve(layout, spec).and_then(|device| devices::stable_name(layout, &device));
    if name.is_none() {
        let text =
            format!("{spec} is no device of the guest's disks, or has no lasting name; it is left alone");
        findings.push(Finding::warning("device-name-unknown", text).about(file.path.as_str()));
    }
    name
}

/// Drives whose media come and go are no disks of the guest.
fn is_removable(spec: &str) -> bool {
    let name = spec.trim_start_matches("/dev/");
    ["sr", "fd", "cdrom", "scd"].iter().any(|start| {
        name.strip_prefix(start).is_some_and(|rest| rest.chars().all(|letter| letter.is_ascii_digit()))
    })
}

fn resume(layout: &Layout, text: &str, file: &TextFile, findings: &mut Vec<Finding>) -> String {
    text.split_inclusive('\n')
        .map(|line| {
            let value = line.trim_end().strip_prefix("RESUME=").map(|value| value.trim_matches(['"', '\'']));
            let new = value.and_then(|value| Some((value, lasting(layout, value, file, findings)?)));
            new.map_or_else(|| line.to_owned(), |(value, new)| line.replace(value, &new))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{Disk, Filesystem, Partition, PartitionTable, TableKind};

    fn layout() -> Layout {
        let partition = |number: u32| Partition {
            device: DeviceName(format!("/dev/sda{number}")),
            number,
            start_bytes: u64::from(number) << 20,
            size_bytes: 1 << 20,
            type_id: "83".to_owned(),
            partuuid: None,
            label: None,
            bootable: false,
        };
        let filesystem = |number: u32, kind: &str| Filesystem {
            uuid: Some(format!("uuid-{number}")),
            ..Filesystem::new(DeviceName(format!("/dev/sda{number}")), kind)
        };
        let table = PartitionTable {
            kind: TableKind::Mbr,
            id: "6c1fa201".to_owned(),
            partitions: vec![partition(1), partition(2)],
        };
        Layout {
            disks: vec![Disk { table: Some(table), ..Disk::blank("sda", 1 << 30) }],
            filesystems: vec![filesystem(1, "ext4"), filesystem(2, "swap")],
            ..Layout::default()
        }
    }

    #[test]
    fn names_of_buses_become_uuids_and_others_stay() {
        let file = TextFile::new(guest_path("/etc/fstab"), "", 0o644);
        for (before, after, unknown) in [
            ("/dev/sda1 / ext4 defaults 0 1\n", "UUID=uuid-1 / ext4 defaults 0 1\n", None),
            ("/dev/xvda2\tnone swap sw 0 0 # swap\n", "UUID=uuid-2\tnone swap sw 0 0 # swap\n", None),
            ("UUID=uuid-1 / ext4\n", "UUID=uuid-1 / ext4\n", None),
            (
                "/dev/sr0 /media/cdrom0 udf,iso9660 user,noauto 0 0\n",
                "/dev/sr0 /media/cdrom0 udf,iso9660 user,noauto 0 0\n",
                None,
            ),
            (
                "server:/home /home nfs\n/dev/mapper/vg-x /x xfs\n",
                "server:/home /home nfs\n/dev/mapper/vg-x /x xfs\n",
                None,
            ),
            ("/dev/sdb1 /data ext4\n", "/dev/sdb1 /data ext4\n", Some("/dev/sdb1")),
        ] {
            let mut findings = Vec::new();
            let result =
                fstab::with_specs(before, |entry| lasting(&layout(), &entry.spec, &file, &mut findings));
            assert_eq!(result, after, "{before:?}");
            let expected = unknown.map(|spec| {
                let text = format!(
                    "{spec} is no device of the guest's disks, or has no lasting name; it is left alone"
                );
                Finding::warning("device-name-unknown", text).about("/etc/fstab")
            });
            assert_eq!(findings, expected.into_iter().collect::<Vec<_>>(), "{before:?}");
        }
        let mut findings = Vec::new();
        for (before, after) in [
            ("RESUME=/dev/sda2\n", "RESUME=UUID=uuid-2\n"),
            ("RESUME=\"/dev/sda2\"", "RESUME=\"UUID=uuid-2\""),
            ("RESUME=none\n", "RESUME=none\n"),
            ("RESUME=UUID=uuid-2\n", "RESUME=UUID=uuid-2\n"),
        ] {
            assert_eq!(resume(&layout(), before, &file, &mut findings), after, "{before:?}");
        }
        assert_eq!(findings, []);
    }
}
