//! QEMU and KVM: the guest agent. It is not installed from outside: a finding says that it is missing where the target
//! would talk to it. On other targets it waits for a device that does not come, and stays as it is.

use super::{Facts, Family};
use crate::finding::Finding;
use crate::plan::{Context, Draft};

pub(super) const FAMILY: Family = Family {
    id: "kvm",
    name: "QEMU's guest agent",
    evidence: &["/usr/sbin/qemu-ga", "/usr/bin/qemu-ga", "/usr/libexec/qemu-ga"],
    services: &[],
    rules: &[],
    modules: &[],
    autostart: &[],
    filesystems: &[],
};

/// Tells that the agent is missing where the target's manager would use it.
pub(super) fn plan(context: &Context<'_>, facts: &Facts, draft: &mut Draft) {
    let is_there = facts.families.iter().any(|found| found.family == FAMILY.id);
    if context.target.hypervisor == FAMILY.id && !is_there {
        let text = "QEMU's guest agent is not installed: the target cannot ask the guest for its addresses or a quiet \
                    snapshot; install qemu-guest-agent in the guest";
        draft.finding(Finding::info("guest-agent-missing", text).about(context.root.device.0.as_str()));
    }
}
