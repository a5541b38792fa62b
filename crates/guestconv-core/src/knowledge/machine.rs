//! Machines of a target for other architectures than its own: ARM's `virt` has neither BIOS nor VGA.

use super::Target;
use crate::facts::Facts;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What a target gives a guest of another architecture; the fields are those of [`Target`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TargetMachine {
    /// QEMU's machine type: `virt`.
    pub machine: String,
    /// `bios`, `uefi`: what it can start.
    pub firmware: Vec<String>,
    /// Graphics drivers, best first.
    pub graphics: Vec<String>,
    /// Network drivers, best first.
    pub network: Vec<String>,
    /// Disk drivers, best first.
    pub block: Vec<String>,
    /// The controller that `scsi-hd` hangs on.
    pub scsi_controller: String,
    /// Console drivers, in the order in which they are shown.
    pub console: Vec<String>,
    /// The console driver that is selected if the guest can have it.
    pub console_default: String,
}

impl Target {
    /// Returns the architectures that it runs: those of its first machine, then the others'.
    pub fn architectures(&self) -> Vec<&str> {
        self.arch.iter().chain(self.machines.keys()).map(String::as_str).collect()
    }

    /// Returns the target as guests of an architecture see it; itself where it has no machine for that one.
    pub fn for_arch(&self, arch: &str) -> Cow<'_, Self> {
        match self.machines.get(arch) {
            None => Cow::Borrowed(self),
            Some(machine) => Cow::Owned(self.with(arch, machine.clone())),
        }
    }

    /// Returns the target as a guest sees it, which has the architecture of its first system.
    pub fn for_guest(&self, facts: &Facts) -> Cow<'_, Self> {
        facts.roots.first().map_or(Cow::Borrowed(self), |root| self.for_arch(&root.arch))
    }

    /// Returns the target once for each of its machines.
    pub fn by_machine(&self) -> Vec<Cow<'_, Self>> {
        let others = self.machines.iter().map(|(arch, machine)| Cow::Owned(self.with(arch, machine.clone())));
        std::iter::once(Cow::Borrowed(self)).chain(others).collect()
    }

    fn with(&self, arch: &str, machine: TargetMachine) -> Self {
        Self {
            id: self.id.clone(),
            name: self.name.clone(),
            hypervisor: self.hypervisor.clone(),
            machine: machine.machine,
            arch: vec![arch.to_owned()],
            firmware: machine.firmware,
            graphics: machine.graphics,
            network: machine.network,
            block: machine.block,
            scsi_controller: machine.scsi_controller,
            console: machine.console,
            console_default: machine.console_default,
            cautions: self.cautions.clone(),
            machines: [].into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::knowledge::target;

    #[test]
    fn a_guest_of_another_architecture_sees_another_machine() {
        let kvm = target("kvm").unwrap();
        assert_eq!(kvm.architectures(), ["x86_64", "i686", "aarch64"]);
        for (arch, machine, firmware, console) in [
            ("x86_64", "q35", "bios uefi", "isa-serial"),
            ("i686", "q35", "bios uefi", "isa-serial"),
            ("aarch64", "virt", "uefi", "pl011"),
            ("s390x", "q35", "bios uefi", "isa-serial"),
        ] {
            let seen = kvm.for_arch(arch);
            let found = (seen.machine.as_str(), seen.firmware.join(" "), seen.console_default.as_str());
            assert_eq!(found, (machine, firmware.to_owned(), console), "{arch}");
        }
        assert_eq!(kvm.for_arch("aarch64").architectures(), ["aarch64"]);
    }
}
