//! What is done to boot loaders: devices on command lines get names that hold on every bus, in menus and in what later
//! menus are made from. Other parts change command lines through [`edit_cmdlines`], so that every place is found once.

use super::edits::{self, Decide, NoRoom};
use super::names::{self, Initramfs};
use super::{Config, Facts, Loader, LoaderKind, Role, device_map, grub_legacy};
use crate::finding::Finding;
use crate::formats::cmdline::{self, CmdlineEdit, Word};
use crate::formats::shell_vars;
use crate::linux::devices;
use crate::plan::{Context, Draft, StepDraft};

/// Plans stable names for the devices that boot loaders name.
pub fn plan(context: &Context<'_>, facts: &Facts, draft: &mut Draft) {
    let usual = usual(context, facts);
    let mut findings = Vec::new();
    for loader in &facts.loaders {
        let id = format!("{}/devices", loader.kind.name());
        let why = "the kernel finds its devices by names that hold on every bus, whatever the target calls its disks";
        draft.step(context, &id, why, |step| {
            for config in &loader.configs {
                let source = config.file.path.as_str();
                let mut found = Vec::new();
                let mut decide = |words: &[Word], initramfs: Initramfs| {
                    names::edit(&context.facts.layout, words, initramfs, source, &mut found)
                };
                edit_file(context, step, loader, config, usual, &mut decide, &mut findings);
                findings.append(&mut found);
            }
        });
    }
    findings.into_iter().for_each(|finding| draft.finding(finding));
    for loader in facts.loaders.iter().filter(|loader| loader.kind == LoaderKind::GrubLegacy) {
        grub_legacy::plan_partitions(context, loader, draft);
    }
}

/// Changes the command lines of the guest's kernels wherever this root's boot loaders keep them: entries, and what later
/// entries are made from. `edit` decides from the arguments of one line. Entries of systems that are not in the guest's
/// facts are left alone.
pub fn edit_cmdlines(
    context: &Context<'_>,
    facts: &Facts,
    draft: &mut Draft,
    id: &str,
    why: &str,
    edit: &dyn Fn(&[Word]) -> CmdlineEdit,
) {
    let usual = usual(context, facts);
    let mut findings = Vec::new();
    draft.step(context, id, why, |step| {
        for loader in &facts.loaders {
            for config in &loader.configs {
                let mut decide = |words: &[Word], _: Initramfs| {
                    if is_of_guest(context, words) { edit(words) } else { CmdlineEdit::default() }
                };
                step.edit(&config.file, |text| {
                    commands(loader, config, text, usual, &mut decide, &mut findings)
                });
            }
        }
    });
    findings.into_iter().for_each(|finding| draft.finding(finding));
}

/// A template gets what the root's entries have: `UUID=` needs an initramfs.
fn usual(context: &Context<'_>, facts: &Facts) -> Initramfs {
    let mut own = facts.entries.iter().filter(|entry| {
        let root = entry.root.as_ref();
        !entry.recovery && root.is_none_or(|root| *root == context.root.device)
    });
    let (any, none_used) = (own.clone().next().is_some(), own.all(|entry| entry.initrds.is_empty()));
    if any && none_used { Initramfs::Absent } else { Initramfs::Used }
}

/// Returns whether a command line starts one of the guest's roots, as far as it says.
fn is_of_guest(context: &Context<'_>, words: &[Word]) -> bool {
    let device = cmdline::value(words, "root").and_then(|spec| devices::resolve(&context.facts.layout, spec));
    device.is_none_or(|device| context.facts.roots.iter().any(|root| root.device == device))
}

fn edit_file(
    context: &Context<'_>,
    step: &mut StepDraft<'_>,
    loader: &Loader,
    config: &Config,
    usual: Initramfs,
    decide: &mut Decide<'_>,
    findings: &mut Vec<Finding>,
) {
    step.edit(&config.file, |text| match config.role {
        Role::DeviceMap => device_map::edited(context, text),
        Role::Defaults => {
            let text = commands(loader, config, text, usual, decide, findings);
            match names_by_bus(&text) && usual == Initramfs::Used {
                true => shell_vars::with_value(&text, "GRUB_DISABLE_LINUX_UUID", "false"),
                false => text,
            }
        }
        _ => commands(loader, config, text, usual, decide, findings),
    });
}

/// Returns whether grub-mkconfig is told to write the kernel's own name of the root device, neither UUID nor PARTUUID.
fn names_by_bus(defaults: &str) -> bool {
    let is = |name: &str, value: &str| shell_vars::value(defaults, name).as_deref() == Some(value);
    is("GRUB_DISABLE_LINUX_UUID", "true") && !is("GRUB_DISABLE_LINUX_PARTUUID", "false")
}

fn commands(
    loader: &Loader,
    config: &Config,
    text: &str,
    usual: Initramfs,
    decide: &mut Decide<'_>,
    findings: &mut Vec<Finding>,
) -> String {
    match edits::edited(loader.kind, config, text, usual, decide) {
        Ok(text) => text,
        Err(NoRoom) => {
            let reason = "the command line in GRUB's environment block is left as it is: what it must become does not fit \
                          into the block; shorten kernelopts in the guest";
            findings.push(Finding::error("grubenv-full", reason).about(config.file.path.as_str()));
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grub_names_the_root_by_its_bus_only_where_both_lasting_names_are_off() {
        for (text, expected) in [
            ("", false),
            ("GRUB_DISABLE_LINUX_UUID=false\n", false),
            ("GRUB_DISABLE_LINUX_UUID=true\n", true),
            ("GRUB_DISABLE_LINUX_UUID=\"true\"\nGRUB_DISABLE_LINUX_PARTUUID=true\n", true),
            ("GRUB_DISABLE_LINUX_UUID=true\nGRUB_DISABLE_LINUX_PARTUUID=false\n", false),
        ] {
            assert_eq!(names_by_bus(text), expected, "{text:?}");
        }
    }
}
