//! The record of a conversion: who converted what into what, by hashes, so that it can be kept and signed.

use crate::change::FileHash;
use crate::layout::DeviceName;
use crate::path::GuestPath;
use crate::plan::Plan;
use crate::report::Outcome;
use serde::{Deserialize, Serialize};

/// What a conversion did, for the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Record {
    /// Version of this document's shape: 1.
    #[cfg_attr(feature = "schema", schemars(extend("const" = 1)))]
    pub schema: u32,
    /// The version of guestconv.
    pub guestconv: String,
    /// The version of library and appliance, with the hash of the sources of both.
    pub protocol: String,
    /// When the conversion had ended, in seconds since 1970.
    pub ended_unix_seconds: u64,
    /// The target's id.
    pub target: String,
    /// SHA-256 of the plan, as `plan --json` writes it.
    pub plan_sha256: String,
    /// The ids of the steps that were done, in order; empty if nothing was to do.
    pub steps: Vec<String>,
    /// The disks, in the guest's order.
    pub disks: Vec<RecordDisk>,
    /// Every file that was changed, made or removed, in the order in which it was first touched.
    pub files: Vec<RecordFile>,
}

/// A disk before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RecordDisk {
    /// Its short name in the documents.
    pub name: String,
    /// What it was.
    pub before: RecordImage,
    /// What it is; of a conversion into a new image, that image.
    pub after: RecordImage,
}

/// An image at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RecordImage {
    /// Where it is on the host; what is not UTF-8 in its name is replaced.
    pub path: String,
    /// Its format.
    pub format: String,
    /// Its size in bytes, as the guest sees it.
    pub size_bytes: u64,
    /// SHA-256 of its content, as the guest sees it; `None`: the caller did not ask for it.
    pub sha256: Option<String>,
}

/// A file before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RecordFile {
    /// The root that it is in.
    pub root: DeviceName,
    /// Where it is in its root.
    pub path: GuestPath,
    /// What it held; `None`: it was a link, or not there.
    pub before: Option<FileHash>,
    /// What it holds; `None`: it is a link, or gone.
    pub after: Option<FileHash>,
}

impl Record {
    /// Returns the record of a plan that was carried out.
    pub fn of(plan: &Plan, outcome: &Outcome, disks: Vec<RecordDisk>, ended_unix_seconds: u64) -> Self {
        Self {
            schema: 1,
            guestconv: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: crate::protocol::VERSION.to_owned(),
            ended_unix_seconds,
            target: plan.target.clone(),
            plan_sha256: plan.sha256(),
            steps: outcome.steps.iter().map(|step| step.id.clone()).collect(),
            disks,
            files: files(plan, outcome),
        }
    }
}

/// A file that several steps touched is what the first found and the last left.
fn files(plan: &Plan, outcome: &Outcome) -> Vec<RecordFile> {
    let mut files: Vec<RecordFile> = Vec::new();
    for (step, done) in plan.steps.iter().zip(&outcome.steps) {
        let Some(root) = plan.roots.get(step.root) else { continue };
        for file in &done.files {
            match files.iter_mut().find(|known| known.root == root.device && known.path == file.path) {
                Some(known) => known.after = file.now.clone(),
                None => files.push(RecordFile {
                    root: root.device.clone(),
                    path: file.path.clone(),
                    before: file.before.clone(),
                    after: file.now.clone(),
                }),
            }
        }
    }
    files
}
