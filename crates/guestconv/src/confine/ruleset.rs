//! What a process may open, by Landlock: one directory, and what it executes.

use super::Rights;
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, Scope,
};
use std::error::Error;
use std::os::fd::OwnedFd;

/// Returns the rules; `None` if the host's kernel has no Landlock. What an old one lacks is left out.
pub(super) fn new(rights: &Rights<'_>) -> Result<Option<OwnedFd>, Box<dyn Error + Send + Sync>> {
    let abi = ABI::V6;
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?;
    let executable = PathFd::new(rights.executable)?;
    let directory = PathFd::new(rights.directory)?;
    ruleset = ruleset
        .add_rule(PathBeneath::new(executable, AccessFs::Execute | AccessFs::ReadFile))?
        .add_rule(PathBeneath::new(directory, AccessFs::from_all(abi) & !AccessFs::Execute))?;
    for path in rights.readable.iter().filter(|path| path.exists()) {
        // A disk may be a device, whose size is asked for.
        let access = match path.is_dir() {
            true => AccessFs::from_read(abi),
            false => AccessFs::Execute | AccessFs::ReadFile | AccessFs::IoctlDev,
        };
        ruleset = ruleset.add_rule(PathBeneath::new(PathFd::new(path)?, access))?;
    }
    for path in rights.devices.iter().filter(|path| path.exists()) {
        let access = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
        ruleset = ruleset.add_rule(PathBeneath::new(PathFd::new(path)?, access))?;
    }
    Ok(ruleset.into())
}
