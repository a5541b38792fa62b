//! cloud-init: where it looks for its data. EC2's images say `datasource_list: [ Ec2, None ]`, and a list with one place is
//! taken without looking: elsewhere cloud-init would wait for EC2's server, find nothing, take the guest for a new instance,
//! and give it new SSH host keys and a network by DHCP.
//!
//! On disk: `/etc/cloud/cloud.cfg`, and `/etc/cloud/cloud.cfg.d/*.cfg` in the order of their names, the last one counts
//! (cloud-init's documentation, "Base configuration"). Where the only place is EC2's, a file of ours names those that other
//! clouds have. `ds-identify` then looks at the machine, and where it has none of them, cloud-init stays off.

use crate::finding::Finding;
use crate::linux::Probe;
use crate::path::guest_path;
use crate::plan::{Context, Draft};
use crate::text::TextFile;
use crate::tree::ReadError;
use serde::{Deserialize, Serialize};

/// What cloud-init is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "CloudInitFacts"))]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The places that it looks at; empty: not said, or no cloud-init.
    pub datasources: Vec<String>,
    /// Whether it has `ds-identify`, which looks at the machine before anything is waited for.
    pub identifies: bool,
    /// The file that we write, if it is there.
    pub own: Option<TextFile>,
}

/// Comes last in the order of names.
const OWN: &str = "/etc/cloud/cloud.cfg.d/zz_guestconv.cfg";
/// Where the program is that looks at the machine.
const IDENTIFY: [&str; 2] = ["/usr/lib/cloud-init/ds-identify", "/usr/libexec/cloud-init/ds-identify"];

/// Reads what cloud-init is told.
///
/// # Errors
/// [`ReadError`] if a file that is there cannot be read.
pub fn facts(probe: &Probe<'_>, findings: &mut Vec<Finding>) -> Result<Facts, ReadError> {
    let folder = guest_path("/etc/cloud/cloud.cfg.d");
    let mut names = probe.tree.list(&folder)?;
    names.retain(|name| name.ends_with(".cfg"));
    names.sort_unstable();
    let mut facts = Facts { own: probe.tree.text(&guest_path(OWN))?, ..Facts::default() };
    let paths = names.iter().map(|name| folder.join(name));
    for path in std::iter::once(guest_path("/etc/cloud/cloud.cfg")).chain(paths) {
        match probe.tree.text(&path) {
            Ok(file) => {
                facts.datasources = file.and_then(|file| datasources(&file.text)).unwrap_or(facts.datasources)
            }
            Err(error) => {
                let text = format!("cloud-init's settings cannot be read: {}", error.reason);
                findings.push(Finding::warning("cloud-init-unreadable", text).about(path.as_str()));
            }
        }
    }
    for path in IDENTIFY {
        facts.identifies |= probe.tree.exists(&guest_path(path))?;
    }
    Ok(facts)
}

/// Plans that cloud-init does not take the guest for a new instance of EC2.
pub fn plan(context: &Context<'_>, facts: &Facts, draft: &mut Draft) {
    let mut places = facts.datasources.iter().filter(|name| *name != "None");
    let is_ec2_only = places.next().is_some_and(|name| name == "Ec2") && places.next().is_none();
    if !is_ec2_only || context.target.hypervisor == "ec2" {
        return;
    }
    // OpenStack's place is a server, too: who does not look at the machine first would wait for it.
    let list =
        if facts.identifies { "NoCloud, ConfigDrive, OpenStack, None" } else { "NoCloud, ConfigDrive, None" };
    let text = format!(
        "# guestconv: this guest has left EC2. cloud-init looks for what other clouds give it; where there is nothing, the\n\
         # guest stays what it is.\n\
         datasource_list: [ {list} ]\n\
         ssh_deletekeys: false\n"
    );
    let why = "cloud-init would look for EC2's server alone, not find it, and take the guest for a new instance: new SSH host \
               keys, and a network by DHCP";
    draft.step(context, "cloud-init/datasource", why, |step| {
        step.write(&guest_path(OWN), facts.own.as_ref(), &text, 0o644);
    });
}

/// Returns what `datasource_list` says in a file; `None` if it does not. It is YAML: `[ Ec2, None ]`, or a line for each.
fn datasources(text: &str) -> Option<Vec<String>> {
    let plain = |name: &str| name.trim().trim_matches(['"', '\'']).to_owned();
    let mut lines = text.lines().map(|line| line.split(" #").next().unwrap_or(line).trim_end());
    let value = lines.find_map(|line| line.strip_prefix("datasource_list:"))?.trim();
    if let Some(inline) = value.strip_prefix('[') {
        // A list may go on in the next lines.
        let rest: String = std::iter::once(inline).chain(lines).collect::<Vec<_>>().join(" ");
        let list = rest.split(']').next().unwrap_or_default();
        return Some(list.split(',').map(plain).filter(|name| !name.is_empty()).collect());
    }
    let item = |line: &str| line.trim_start().strip_prefix("- ").map(plain);
    let is_blank = |line: &&str| line.trim().is_empty() || line.trim_start().starts_with('#');
    Some(lines.filter(|line| !is_blank(line)).map_while(item).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Change;
    use crate::description::Choices;
    use crate::fixtures::{self, MemTree};
    use crate::layout::{DeviceName, Layout};
    use crate::plan::PlanOptions;

    #[test]
    fn the_list_is_read_in_the_forms_that_images_have() {
        for (text, expected) in [
            ("datasource_list: [ Ec2, None ]\n", Some(vec!["Ec2", "None"])),
            ("a: b\ndatasource_list: ['Ec2', \"None\"] # set by dpkg\n", Some(vec!["Ec2", "None"])),
            ("datasource_list: [ NoCloud,\n  Ec2 ]\nx: [ None ]\n", Some(vec!["NoCloud", "Ec2"])),
            (
                "datasource_list:\n  - Ec2\n\n  # no other\n  - None\nusers:\n  - default\n",
                Some(vec!["Ec2", "None"]),
            ),
            ("datasource_list: [ ]\n", Some(vec![])),
            ("# datasource_list: [ Ec2 ]\ndatasource:\n  Ec2:\n    strict_id: false\n", None),
        ] {
            let expected = expected.map(|names| names.into_iter().map(str::to_owned).collect());
            assert_eq!(datasources(text), expected, "{text:?}");
        }
    }

    /// Returns the files that are written for a target, with their new content.
    fn planned(facts: &Facts) -> Vec<(String, String)> {
        let linux = crate::linux::Facts { cloud_init: facts.clone(), ..Default::default() };
        let root = fixtures::root(DeviceName("/dev/sda1".into()), linux);
        let all = crate::inspect::facts(Layout::default(), vec![root.clone()], Vec::new());
        let (choices, options) = (Choices::default(), PlanOptions::default());
        let target = crate::knowledge::target("kvm").unwrap();
        let context =
            Context { facts: &all, root: &root, root_index: 0, target, choices: &choices, options: &options };
        let mut draft = Draft::default();
        plan(&context, facts, &mut draft);
        let changes = draft.finish().unwrap().0.into_iter().flat_map(|step| step.changes);
        let written = changes.map(|change| match change {
            Change::Write { path, after, .. } => (path.as_str().to_owned(), after),
            change => panic!("not of cloud-init: {change:?}"),
        });
        written.collect()
    }

    #[test]
    fn a_guest_that_knows_only_ec2_is_told_of_other_places_once() {
        let dpkg = ("/etc/cloud/cloud.cfg.d/90_dpkg.cfg", "datasource_list: [ Ec2, None ]\n");
        let identify = (IDENTIFY[0], "");
        let own = |list: &str| {
            format!(
                "# guestconv: this guest has left EC2. cloud-init looks for what other clouds give it; where there is \
                 nothing, the\n# guest stays what it is.\ndatasource_list: [ {list} ]\nssh_deletekeys: false\n"
            )
        };
        let (old, new) = (own("NoCloud, ConfigDrive, None"), own("NoCloud, ConfigDrive, OpenStack, None"));
        let several = ("/etc/cloud/cloud.cfg.d/91_more.cfg", "datasource_list: [ Ec2, GCE, None ]\n");
        for (files, expected) in [
            (vec![dpkg], Some(&old)),
            (vec![dpkg, identify], Some(&new)),
            (vec![dpkg, identify, (OWN, &new)], None),
            (vec![dpkg, several], None),
            (vec![], None),
        ] {
            let tree = MemTree::of(&files);
            let probe = Probe { tree: &tree, layout: &Layout::default(), mounts: &[], known: Some(&[]) };
            let facts = facts(&probe, &mut Vec::new()).unwrap();
            let written = planned(&facts);
            let expected = expected.map(|text| (OWN.to_owned(), text.clone()));
            assert_eq!(written, expected.into_iter().collect::<Vec<_>>(), "{files:?}");
        }
    }
}
