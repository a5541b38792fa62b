//! udev rules of tools: where they are, and how they are not read. A rule in `/etc` is commented out line by line; one of the
//! vendor's is masked by a link to `/dev/null` of the same name there (udev(7)).

use crate::change::Change;
use crate::path::{GuestPath, guest_path};
use crate::plan::StepDraft;
use crate::text::TextFile;
use crate::tree::{GuestTree, ReadError};
use serde::{Deserialize, Serialize};

/// A file of udev rules that is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Rules {
    /// In `/etc`.
    Own(TextFile),
    /// In the vendor's directory; the path is where it can be masked, and nothing is there.
    Vendor(GuestPath),
}

const ETC: &str = "/etc/udev/rules.d";
const VENDOR: [&str; 2] = ["/usr/lib/udev/rules.d", "/lib/udev/rules.d"];

/// Returns the rules of that name, if any are read.
pub(super) fn found(tree: &dyn GuestTree, name: &str) -> Result<Option<Rules>, ReadError> {
    let own = guest_path(ETC).join(name);
    if let Some(file) = tree.text(&own)? {
        return Ok((commented_out(&file.text) != file.text).then_some(Rules::Own(file)));
    }
    if tree.read_link(&own)?.is_some() {
        return Ok(None);
    }
    for dir in VENDOR {
        if tree.exists(&guest_path(dir).join(name))? {
            return Ok(Some(Rules::Vendor(own)));
        }
    }
    Ok(None)
}

/// Adds what keeps udev from reading them.
pub(super) fn disable(step: &mut StepDraft<'_>, rules: &Rules) {
    match rules {
        Rules::Own(file) => step.edit(file, commented_out),
        Rules::Vendor(path) => {
            step.push(Change::Link { path: path.clone(), before: None, to: "/dev/null".to_owned() });
        }
    }
}

fn commented_out(text: &str) -> String {
    let is_rule = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    text.split_inclusive('\n')
        .map(|line| if is_rule(line) { format!("# {line}") } else { line.to_owned() })
        .collect()
}
