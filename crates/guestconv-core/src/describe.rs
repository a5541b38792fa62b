//! Describing: facts and a target in, a description with the drivers on offer out. Pure.

use crate::description::{Boot, Description};
use crate::facts::Facts;
use crate::knowledge::Target;
use crate::plan::Nic;

/// Returns the description of a guest for a target. `nics` are the network cards that the target will give, if known.
pub fn describe(facts: &Facts, target: &Target, _nics: &[Nic]) -> Description {
    Description {
        target: target.id.clone(),
        systems: Vec::new(),
        boot: Boot { firmware: String::new(), loaders: Vec::new() },
        devices: Vec::new(),
        findings: facts.findings.clone(),
    }
}
