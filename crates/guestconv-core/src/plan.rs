//! The plan: every change as data, with its reason. Planning is pure: facts, target and choices in, plan out.

mod assembly;
mod display;
mod document;
mod nic;
mod space;

pub use assembly::{plan, require_system};
pub use nic::require_distinct;

use crate::change::Change;
use crate::description::Choices;
use crate::facts::{Facts, Mount, Root};
use crate::finding::Finding;
use crate::hardware::Hardware;
use crate::knowledge::Target;
use crate::layout::DeviceName;
use crate::path::GuestPath;
use crate::text::TextFile;
use crate::tree::TEXT_CAP_BYTES;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All that a conversion will do, and the hardware that the target must give the guest afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Plan {
    /// Version of this document's shape: [`PLAN_SCHEMA`].
    #[cfg_attr(feature = "schema", schemars(extend("const" = PLAN_SCHEMA)))]
    pub schema: u32,
    /// The target's id.
    pub target: String,
    /// What it was made with beside the target.
    pub wishes: Wishes,
    /// The roots that steps name, with what must be mounted to reach their files.
    pub roots: Vec<PlanRoot>,
    /// What is done, in this order; empty if the guest needs nothing.
    pub steps: Vec<Step>,
    /// What the target must give the guest.
    pub hardware: Hardware,
    /// What a person should know before agreeing.
    pub findings: Vec<Finding>,
}

/// The version of the plan's shape.
pub const PLAN_SCHEMA: u32 = 1;

/// What the caller wanted: with the same, the plan can be made again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Wishes {
    /// A driver for each device that shall have another than the description selects, or its removal.
    pub devices: Choices,
    /// The network cards that the target will give the guest, in the source's order; empty: not known.
    pub nics: Vec<Nic>,
    /// How initramfs images get their drivers.
    pub rebuild: Rebuild,
}

impl Wishes {
    /// Returns what else was said beside the choices.
    pub fn options(&self) -> PlanOptions {
        PlanOptions { nics: self.nics.clone(), rebuild: self.rebuild }
    }
}

/// A root as apply needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PlanRoot {
    /// The root's device, which names the root.
    pub device: DeviceName,
    /// btrfs: the root's subvolume.
    pub subvolume: Option<String>,
    /// What is mounted, `/` first.
    pub mounts: Vec<Mount>,
}

/// Changes that only make sense together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// `PART/WHAT`, stable: `initramfs/append`.
    pub id: String,
    /// Index into [`Plan::roots`].
    pub root: usize,
    /// Why: one sentence without a full stop.
    pub why: String,
    /// The changes, in order.
    pub changes: Vec<Change>,
}

/// What the caller says about the conversion beside the description.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanOptions {
    /// The network cards that the target will give the guest, in the source's order; empty: not known.
    pub nics: Vec<Nic>,
    /// How initramfs images get their drivers.
    pub rebuild: Rebuild,
}

/// A network card that the target will give the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Nic {
    /// The interface that it becomes in the guest; `None`: by order.
    pub name: Option<String>,
    /// Its MAC address, lower case with colons.
    pub mac: String,
}

impl PlanOptions {
    /// Returns the card that each interface gets, in the order of `interfaces`: the one that names it, else the next
    /// that names none. `None`: the caller named no card for it.
    pub fn nics_of(&self, interfaces: &[&str]) -> Vec<Option<&Nic>> {
        let mut unnamed = self.nics.iter().filter(|nic| nic.name.is_none());
        let named = |name: &str| self.nics.iter().find(|nic| nic.name.as_deref() == Some(name));
        interfaces.iter().map(|name| named(name).or_else(|| unnamed.next())).collect()
    }
}

/// How initramfs images get their drivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Rebuild {
    /// A segment is appended; nothing of the guest runs.
    #[default]
    Append,
    /// The guest's own tool runs inside the appliance.
    Guest,
}

/// What a planner sees.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The whole guest.
    pub facts: &'a Facts,
    /// The root that is planned for.
    pub root: &'a Root,
    /// Its index in [`Plan::roots`].
    pub root_index: usize,
    /// Where the guest shall boot.
    pub target: &'a Target,
    /// A driver for each device, or its removal.
    pub choices: &'a Choices,
    /// What else the caller said.
    pub options: &'a PlanOptions,
}

/// A plan in the making. It knows what earlier steps wrote, so two steps may edit the same file in turn.
#[derive(Debug, Default)]
pub struct Draft {
    steps: Vec<Step>,
    findings: Vec<Finding>,
    texts: BTreeMap<(usize, GuestPath), String>,
    /// A file that a step would have made larger than a second look reads.
    too_large: Option<GuestPath>,
}

/// A step in the making.
#[derive(Debug)]
pub struct StepDraft<'a> {
    draft: &'a mut Draft,
    root: usize,
    changes: Vec<Change>,
}

impl Draft {
    /// Adds the step that `fill` makes; a step without changes is left out.
    pub fn step(
        &mut self,
        context: &Context<'_>,
        id: &str,
        why: &str,
        fill: impl FnOnce(&mut StepDraft<'_>),
    ) {
        let mut step = StepDraft { draft: self, root: context.root_index, changes: Vec::new() };
        fill(&mut step);
        let changes = step.changes;
        if !changes.is_empty() {
            let step = Step { id: id.to_owned(), root: context.root_index, why: why.to_owned(), changes };
            self.steps.push(step);
        }
    }

    /// Adds a finding, once.
    pub fn finding(&mut self, finding: Finding) {
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Returns what `file` will hold after the steps so far.
    pub fn text<'a>(&'a self, context: &Context<'_>, file: &'a TextFile) -> &'a str {
        self.texts.get(&(context.root_index, file.path.clone())).map_or(&file.text, String::as_str)
    }

    /// Returns the steps and findings.
    ///
    /// # Errors
    /// `text-too-large`: the guest could not be looked at again.
    pub fn finish(self) -> Result<(Vec<Step>, Vec<Finding>), PlanError> {
        match self.too_large {
            None => Ok((self.steps, self.findings)),
            Some(path) => {
                let message = format!(
                    "{path} of the guest would become larger than {TEXT_CAP_BYTES} bytes; shorten it in the guest"
                );
                Err(PlanError::new("text-too-large", message))
            }
        }
    }
}

impl StepDraft<'_> {
    /// Changes the text of a file by `edit`, which sees what earlier steps left; nothing is added if nothing differs.
    pub fn edit(&mut self, file: &TextFile, edit: impl FnOnce(&str) -> String) {
        if self.draft.too_large.is_some() {
            return;
        }
        let key = (self.root, file.path.clone());
        let before = self.draft.texts.get(&key).unwrap_or(&file.text).clone();
        let after = edit(&before);
        if u64::try_from(after.len()).unwrap_or(u64::MAX) > TEXT_CAP_BYTES {
            self.draft.too_large = Some(file.path.clone());
        } else if after != before {
            self.draft.texts.insert(key, after.clone());
            self.changes.push(Change::Write {
                path: file.path.clone(),
                before: Some(before),
                after,
                mode: None,
            });
        }
    }

    /// Gives `path` the content `text`; `existing` is the file that is there. Nothing is added if it holds that already.
    pub fn write(&mut self, path: &GuestPath, existing: Option<&TextFile>, text: &str, mode: u32) {
        match existing {
            Some(file) => self.edit(file, |_| text.to_owned()),
            None => {
                self.draft.texts.insert((self.root, path.clone()), text.to_owned());
                let (path, after) = (path.clone(), text.to_owned());
                self.changes.push(Change::Write { path, before: None, after, mode: Some(mode) });
            }
        }
    }

    /// Returns whether an earlier change gave `path` a text.
    pub fn has_written(&self, path: &GuestPath) -> bool {
        self.draft.texts.contains_key(&(self.root, path.clone()))
    }

    /// Adds a change that is no edit of a text file.
    pub fn push(&mut self, change: Change) {
        self.changes.push(change);
    }
}

/// Why there is no plan: the guest cannot boot on the target whatever is done. Nothing has been written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct PlanError {
    /// Stable, kebab-case.
    pub code: String,
    /// What is missing, where in the guest, what to do.
    pub message: String,
}

impl PlanError {
    /// Returns an error of that code.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }
}
