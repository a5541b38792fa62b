//! Alpine's mkinitfs: `features="…"` in `mkinitfs.conf`; a feature is a list of modules in `/etc/mkinitfs/features.d`.

use super::{Maker, Settings, Tool, WHY, always, with_missing};
use crate::formats::shell_vars;
use crate::linux::kernels::Kernel;
use crate::plan::{Context, Draft};

pub(super) const MAKER: Maker = Maker {
    tool: Tool::Mkinitfs,
    programs: &["/sbin/mkinitfs", "/usr/sbin/mkinitfs"],
    files: &["/etc/mkinitfs/mkinitfs.conf"],
    is_it: always,
    plan,
    calls,
};

fn plan(context: &Context<'_>, settings: &Settings, modules: &[&str], draft: &mut Draft) {
    let mut features: Vec<&str> = modules.iter().map(|module| feature(module)).collect();
    features.dedup();
    let Some(file) = settings.files.first() else { return };
    draft.step(context, "initramfs/mkinitfs", WHY, |step| {
        step.edit(file, |text| shell_vars::edited(text, "features", |list| with_missing(list, &features)));
    });
}

/// Returns the feature that holds a module of disks (features.d of mkinitfs 3).
fn feature(module: &str) -> &'static str {
    match module {
        "nvme" => "nvme",
        "ahci" | "ata_piix" | "ata_generic" => "ata",
        name if name.starts_with("virtio") => "virtio",
        _ => "scsi",
    }
}

fn calls(kernels: &[&Kernel]) -> Vec<Vec<String>> {
    kernels.iter().map(|kernel| vec![kernel.version.clone()]).collect()
}
