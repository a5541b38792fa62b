//! The EFI system partition: its loaders, and the fallback loader that a machine without boot entries starts.
//!
//! Boot entries live in the firmware's variables and do not travel with the disks. New firmware looks for
//! `\EFI\BOOT\BOOT{ARCH}.EFI` (UEFI 2.10, 3.5.1.1). Where that is missing, the loader of the guest's own vendor
//! directory is copied there: shim with the loader that it starts, GRUB with its configuration, or systemd-boot.
//! Nothing is deleted and no loader is replaced. `fbx64.efi` is not copied: it would write boot entries and reset.

use crate::change::{Change, FileHash};
use crate::facts::{Firmware, Root};
use crate::finding::Finding;
use crate::layout::DeviceName;
use crate::linux::Probe;
use crate::path::GuestPath;
use crate::plan::{Context, Draft, StepDraft};
use crate::tree::{FileKind, ReadError};
use serde::{Deserialize, Serialize};

/// What is known of the EFI system partitions that are mounted in a root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "EspFacts"))]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// One per mounted EFI system partition.
    pub partitions: Vec<Esp>,
}

/// One EFI system partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Esp {
    /// The partition.
    pub device: DeviceName,
    /// Where it is mounted in the root.
    pub mountpoint: GuestPath,
    /// What is in the directories below `EFI` that a fallback loader needs, with names as they are stored.
    pub files: Vec<EspFile>,
}

/// A loader, or the configuration beside one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EspFile {
    /// The directory below `EFI`: `debian`, `BOOT`.
    pub vendor: String,
    /// The name of the file: `shimx64.efi`.
    pub name: String,
    /// Where it is in the root.
    pub path: GuestPath,
    /// Size and hash.
    pub file: FileHash,
}

/// The most loaders that one partition is searched for, and the largest file that is taken for one, in bytes.
const FILES_CAP: usize = 200;
const LOADER_CAP_BYTES: u64 = 64 << 20;

/// Reads the loaders of every EFI system partition that is mounted in the root.
///
/// # Errors
/// [`ReadError`] if a file that is there cannot be read.
pub fn facts(probe: &Probe<'_>, findings: &mut Vec<Finding>) -> Result<Facts, ReadError> {
    let mut facts = Facts::default();
    for mount in probe.mounts {
        if !probe.layout.partition(&mount.device).is_some_and(|(_, partition)| partition.is_esp()) {
            continue;
        }
        let mut esp =
            Esp { device: mount.device.clone(), mountpoint: mount.mountpoint.clone(), files: Vec::new() };
        read_vendors(probe, &mut esp, findings)?;
        facts.partitions.push(esp);
    }
    Ok(facts)
}

fn read_vendors(probe: &Probe<'_>, esp: &mut Esp, findings: &mut Vec<Finding>) -> Result<(), ReadError> {
    let tops = probe.tree.list(&esp.mountpoint)?;
    let Some(top) = tops.iter().find(|name| name.eq_ignore_ascii_case("EFI")) else { return Ok(()) };
    let efi = esp.mountpoint.join(top);
    for vendor in probe.tree.list(&efi)? {
        let dir = efi.join(&vendor);
        for name in probe.tree.list(&dir)? {
            let lower = name.to_ascii_lowercase();
            let path = dir.join(&name);
            let Some(stat) = probe.tree.stat(&path)? else { continue };
            let wanted = lower.ends_with(".efi") || lower == "grub.cfg";
            if !wanted || stat.kind != FileKind::File || stat.size_bytes > LOADER_CAP_BYTES {
                continue;
            }
            if esp.files.len() >= FILES_CAP {
                let text = format!("more than {FILES_CAP} loaders: the rest is not looked at");
                findings.push(Finding::warning("esp-too-many-loaders", text).about(efi.as_str()));
                return Ok(());
            }
            if let Some(file) = crate::tree::hash(probe.tree, &path)? {
                esp.files.push(EspFile { vendor: vendor.clone(), name, path, file });
            }
        }
    }
    Ok(())
}

/// Plans the fallback loader of every EFI system partition that lacks it.
pub fn plan(context: &Context<'_>, facts: &Facts, draft: &mut Draft) {
    let starts_by_uefi = matches!(context.facts.firmware, Firmware::Uefi { .. } | Firmware::Both { .. });
    let target_has_uefi = context.target.firmware.iter().any(|firmware| firmware == "uefi");
    if !starts_by_uefi || !target_has_uefi {
        return;
    }
    let Some(suffix) = arch_suffix(context.root) else { return };
    for esp in &facts.partitions {
        plan_partition(context, esp, suffix, draft);
    }
}

/// Returns the architecture's name in loader file names (UEFI 2.10, table 3.2).
fn arch_suffix(root: &Root) -> Option<&'static str> {
    match root.arch.as_str() {
        "x86_64" => Some("x64"),
        "i686" | "i386" => Some("ia32"),
        "aarch64" => Some("aa64"),
        "riscv64" => Some("riscv64"),
        "loongarch64" => Some("loongarch64"),
        _ => None,
    }
}

fn plan_partition(context: &Context<'_>, esp: &Esp, suffix: &str, draft: &mut Draft) {
    let fallback = format!("boot{suffix}.efi");
    if esp.find("boot", &fallback).is_some() {
        return;
    }
    let Some(first) = esp.first_loader(&context.root.distribution, suffix) else {
        let text = format!(
            "no loader for {suffix} was found: a machine without boot entries cannot start this disk"
        );
        draft.finding(Finding::error("esp-no-loader", text).about(esp.device.to_string()));
        return;
    };
    let why = format!(
        "boot entries do not travel with the disk, so new firmware needs a fallback loader: {} is copied",
        first.path
    );
    draft.step(context, "esp/fallback", &why, |step| {
        let beside = [format!("grub{suffix}.efi"), format!("mm{suffix}.efi"), "grub.cfg".to_owned()];
        esp.copy(step, first, &fallback.to_ascii_uppercase());
        for name in &beside {
            let source = esp.find(&first.vendor, name).filter(|file| file.path != first.path);
            let source = source.filter(|_| esp.find("boot", name).is_none());
            if let Some(source) = source {
                esp.copy(step, source, &source.name);
            }
        }
    });
}

impl Esp {
    fn find(&self, vendor: &str, name: &str) -> Option<&EspFile> {
        let same = |file: &&EspFile| {
            file.vendor.eq_ignore_ascii_case(vendor) && file.name.eq_ignore_ascii_case(name)
        };
        self.files.iter().find(same)
    }

    /// Returns what the firmware should start: shim before GRUB before systemd-boot, in the directory of the
    /// distribution if it has one, else in the first.
    fn first_loader(&self, distribution: &str, suffix: &str) -> Option<&EspFile> {
        let names = [format!("shim{suffix}.efi"), "shim.efi".to_owned(), format!("grub{suffix}.efi")];
        let more =
            ["grub.efi".to_owned(), format!("systemd-boot{suffix}.efi"), format!("refind_{suffix}.efi")];
        let names: Vec<String> = names.into_iter().chain(more).collect();
        let rank = |file: &EspFile| names.iter().position(|name| file.name.eq_ignore_ascii_case(name));
        let foreign = |file: &EspFile| !names_distribution(&file.vendor, distribution);
        self.files
            .iter()
            .filter(|file| !file.vendor.eq_ignore_ascii_case("boot"))
            .filter_map(|file| Some(((foreign(file), rank(file)?), file)))
            .min_by(|left, right| left.0.cmp(&right.0))
            .map(|(_, file)| file)
    }

    /// Returns where a file of that name goes: into the directory that is there in whatever case, else `EFI/BOOT`.
    fn destination(&self, source: &EspFile, name: &str) -> GuestPath {
        let there = self.files.iter().find(|file| file.vendor.eq_ignore_ascii_case("boot"));
        let new = || source.path.parent().parent().join("BOOT");
        there.map_or_else(new, |file| file.path.parent()).join(name)
    }

    fn copy(&self, step: &mut StepDraft<'_>, source: &EspFile, name: &str) {
        let to = self.destination(source, name);
        step.push(Change::Copy { from: source.path.clone(), source: source.file.clone(), to });
    }
}

/// Returns whether a vendor directory is this distribution's: by its name, or Red Hat's own exception.
fn names_distribution(vendor: &str, distribution: &str) -> bool {
    vendor.eq_ignore_ascii_case(distribution)
        || (distribution == "rhel" && vendor.eq_ignore_ascii_case("redhat"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::guest_path;

    fn esp(files: &[(&str, &str)]) -> Esp {
        let file = FileHash { size_bytes: 1, blake3: String::new() };
        let files = files.iter().map(|(vendor, name)| EspFile {
            vendor: (*vendor).to_owned(),
            name: (*name).to_owned(),
            path: guest_path("/boot/efi/EFI").join(vendor).join(name),
            file: file.clone(),
        });
        let (device, mountpoint) = (DeviceName("/dev/sda1".into()), guest_path("/boot/efi"));
        Esp { device, mountpoint, files: files.collect() }
    }

    #[test]
    fn the_vendors_first_loader_is_chosen() {
        for (files, distribution, path) in [
            (
                &[("debian", "grubx64.efi"), ("debian", "shimx64.efi")][..],
                "debian",
                Some("debian/shimx64.efi"),
            ),
            (&[("debian", "grubx64.efi"), ("debian", "fbx64.efi")], "debian", Some("debian/grubx64.efi")),
            (
                &[("systemd", "systemd-bootx64.efi"), ("Linux", "x.efi")],
                "debian",
                Some("systemd/systemd-bootx64.efi"),
            ),
            (&[("centos", "shimx64.efi"), ("redhat", "grubx64.efi")], "rhel", Some("redhat/grubx64.efi")),
            (&[("BOOT", "grubx64.efi")], "debian", None),
            (&[("debian", "grubaa64.efi")], "debian", None),
        ] {
            let esp = esp(files);
            let found = esp.first_loader(distribution, "x64").map(|file| file.path.as_str().to_owned());
            assert_eq!(found, path.map(|path| format!("/boot/efi/EFI/{path}")), "{files:?}");
        }
    }

    #[test]
    fn the_copy_goes_where_the_directory_is() {
        for (files, to) in [
            (&[("debian", "grubx64.efi")][..], "/boot/efi/EFI/BOOT/BOOTX64.EFI"),
            (&[("debian", "grubx64.efi"), ("Boot", "grub.cfg")], "/boot/efi/EFI/Boot/BOOTX64.EFI"),
        ] {
            let esp = esp(files);
            let source = esp.find("debian", "GRUBX64.EFI").unwrap();
            assert_eq!(esp.destination(source, "BOOTX64.EFI").as_str(), to);
        }
    }
}
