//! What a hypervisor leaves behind in a guest: its tools, and who starts them.
//!
//! Tools of another hypervisor than the target's are disabled by what an administrator would do: the links that start
//! their services go (`systemctl disable`, `update-rc.d disable`), or the unit is masked where the vendor starts it.
//! Files of packages stay as they are, and no uninstaller of the guest is run: VMware's rebuilds every initramfs.
//! Each family of tools has a file of its own beside this, which says how to see it and what it starts.

mod autostart;
mod ec2;
mod hyperv;
mod mounts;
mod parallels;
mod qemu;
mod rules;
mod services;
mod virtualbox;
mod vmware;
mod xen;

pub use rules::Rules;
pub use services::Start;

use crate::finding::Finding;
use crate::linux::Probe;
use crate::path::GuestPath;
use crate::plan::{Context, Draft};
use crate::text::TextFile;
use crate::tree::ReadError;
use serde::{Deserialize, Serialize};

/// What is known of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ToolsFacts"))]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The families of tools that are there.
    pub families: Vec<Found>,
    /// Files that start programs or load modules of these families, with everything else that they hold.
    pub files: Vec<TextFile>,
}

/// A family of tools that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// Its id, which is the hypervisor that it belongs to: `vmware`.
    pub family: String,
    /// Files of the guest that show it.
    pub evidence: Vec<GuestPath>,
    /// What starts its services.
    pub starts: Vec<Start>,
    /// Its udev rules, as far as they start programs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rules>,
}

/// A family of tools: how to see it, and what it starts.
struct Family {
    /// The hypervisor that it belongs to, as `hypervisor` of a target says it.
    id: &'static str,
    /// Name for people.
    name: &'static str,
    /// Files that only it has.
    evidence: &'static [&'static str],
    /// Its services without suffix, mounts with theirs, by their systemd, SysV and upstart names.
    services: &'static [&'static str],
    /// Names of its files of udev rules that start programs.
    rules: &'static [&'static str],
    /// Modules that only it brings, which load nowhere else.
    modules: &'static [&'static str],
    /// Names of programs that sessions start by `/etc/xdg/autostart`.
    autostart: &'static [&'static str],
    /// Types of file systems that only its hypervisor serves.
    filesystems: &'static [&'static str],
}

const FAMILIES: [&Family; 7] = [
    &vmware::FAMILY,
    &virtualbox::FAMILY,
    &hyperv::FAMILY,
    &xen::FAMILY,
    &parallels::FAMILY,
    &ec2::FAMILY,
    &qemu::FAMILY,
];

/// Reads which tools are there and what starts them.
///
/// # Errors
/// [`ReadError`] if a file that is there cannot be read.
pub fn facts(probe: &Probe<'_>, _findings: &mut Vec<Finding>) -> Result<Facts, ReadError> {
    let all = services::starts(probe.tree)?;
    let mut facts = Facts::default();
    for family in FAMILIES {
        let mut evidence = Vec::new();
        for path in family.evidence {
            let path = crate::path::guest_path(path);
            if probe.tree.exists(&path)? {
                evidence.push(path);
            }
        }
        let starts: Vec<Start> =
            all.iter().filter(|start| family.services.contains(&start.service())).cloned().collect();
        let mut rules = Vec::new();
        for name in family.rules {
            rules.extend(rules::found(probe.tree, name)?);
        }
        if !evidence.is_empty() || !starts.is_empty() || !rules.is_empty() {
            facts.families.push(Found { family: family.id.to_owned(), evidence, starts, rules });
        }
    }
    facts.files = autostart::files(probe.tree)?;
    facts.files.extend(mounts::file(probe.tree)?);
    Ok(facts)
}

/// Plans that tools which do not belong to the target's hypervisor are started no more.
pub fn plan(context: &Context<'_>, facts: &Facts, draft: &mut Draft) {
    for family in FAMILIES.iter().filter(|family| family.id != context.target.hypervisor) {
        let why = format!("{} would not find their hypervisor on {}", family.name, context.target.name);
        let found = facts.families.iter().find(|found| found.family == family.id);
        draft.step(context, &format!("tools/{}", family.id), &why, |step| {
            for start in found.iter().flat_map(|found| &found.starts) {
                services::disable(step, start);
            }
            for rules in found.iter().flat_map(|found| &found.rules) {
                rules::disable(step, rules);
            }
            for file in &facts.files {
                step.edit(file, |text| without_family(file, text, family));
            }
        });
        if found.is_some_and(|found| !found.evidence.is_empty()) && family.id != qemu::FAMILY.id {
            let text = format!(
                "{} stay installed and are not started; remove them in the guest when they are not needed",
                family.name
            );
            draft.finding(Finding::info("guest-tools-left", text).about(context.root.device.0.as_str()));
        }
    }
    qemu::plan(context, facts, draft);
}

/// Returns the text of a file of sessions, modules or mounts without what belongs to a family.
fn without_family(file: &TextFile, text: &str, family: &Family) -> String {
    if file.path.as_str() == mounts::FSTAB {
        mounts::not_at_boot(text, family.filesystems)
    } else if file.path.file_name().ends_with(".desktop") {
        autostart::without_program(file.path.file_name(), text, family.autostart)
    } else {
        autostart::without_modules(text, family.modules)
    }
}

#[cfg(test)]
mod tests;
