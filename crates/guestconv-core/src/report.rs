//! What apply did and what verify found.

use crate::change::FileHash;
use crate::description::Choices;
use crate::facts::Facts;
use crate::finding::Finding;
use crate::knowledge::Target;
use crate::path::GuestPath;
use crate::plan::{PlanError, PlanOptions, Step, plan};
use serde::{Deserialize, Serialize};

/// What apply did: every step of the plan, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Outcome {
    /// Version of this document's shape: 1.
    #[cfg_attr(feature = "schema", schemars(extend("const" = 1)))]
    pub schema: u32,
    /// One entry per step of the plan.
    pub steps: Vec<StepOutcome>,
    /// The error that stopped apply; `None` if all was done.
    pub error: Option<Failure>,
}

impl Outcome {
    /// Returns the outcome of steps that were all done.
    pub fn of(steps: Vec<StepOutcome>) -> Self {
        Self { schema: 1, steps, error: None }
    }
}

/// What became of one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StepOutcome {
    /// The step's id.
    pub id: String,
    /// Whether it was done.
    pub status: StepStatus,
    /// Files that were written or made, with what they hold now.
    pub files: Vec<WrittenFile>,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum StepStatus {
    /// All its changes were made.
    Done,
    /// A change failed: see the outcome's error.
    Failed,
    /// An earlier step failed.
    NotRun,
}

/// A file that apply wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WrittenFile {
    /// Where it is in its root.
    pub path: GuestPath,
    /// What it held before the step; `None` if it was a link, or not there.
    pub before: Option<FileHash>,
    /// What it holds now; `None` for a link or a file that was removed.
    pub now: Option<FileHash>,
}

/// Why something inside the appliance failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// Stable, kebab-case.
    pub code: String,
    /// What failed, where in the guest, what to do.
    pub message: String,
}

/// What is still missing after apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Report {
    /// Version of this document's shape: 1.
    #[cfg_attr(feature = "schema", schemars(extend("const" = 1)))]
    pub schema: u32,
    /// The target's id.
    pub target: String,
    /// Steps that a second plan would still make; empty if the guest is converted.
    pub missing: Vec<Step>,
    /// What a person should know.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Returns what a conversion with the same wishes would still do to a guest: verify is planning again.
    ///
    /// # Errors
    /// [`PlanError`] as [`plan`].
    pub fn of(
        facts: &Facts,
        target: &Target,
        choices: &Choices,
        options: &PlanOptions,
    ) -> Result<Self, PlanError> {
        let plan = plan(facts, target, choices, options)?;
        Ok(Self { schema: 1, target: plan.target, missing: plan.steps, findings: plan.findings })
    }

    /// Returns whether nothing is missing.
    pub fn is_converted(&self) -> bool {
        self.missing.is_empty()
    }
}
