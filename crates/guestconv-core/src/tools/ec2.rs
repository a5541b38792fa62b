//! EC2: what instances have of Amazon's own. Agents that talk to its services, and `ec2-net-utils`, whose udev rule asks
//! EC2's metadata server for the settings of each card that appears: elsewhere it waits for an answer and gets none.
//! Services by their names in the packages of Amazon Linux, Debian and Ubuntu (where the agent is a snap, too). cloud-init is
//! a part of its own.

use super::Family;

pub(super) const FAMILY: Family = Family {
    id: "ec2",
    name: "Amazon's tools for EC2",
    evidence: &[
        "/usr/bin/amazon-ssm-agent",
        "/snap/bin/amazon-ssm-agent",
        "/etc/sysconfig/network-scripts/ec2net.hotplug",
        "/opt/aws/bin/eic_run_authorized_keys",
        "/usr/share/ec2-instance-connect/eic_run_authorized_keys",
        "/usr/bin/hibinit-agent",
    ],
    services: &[
        "amazon-ssm-agent",
        "snap.amazon-ssm-agent.amazon-ssm-agent",
        "elastic-network-interfaces",
        "ec2-ifscan",
        "ec2-ifup@eth0",
        "hibinit-agent",
        "ec2-instance-connect",
        "ec2-instance-connect-harvest-hostkeys",
        "update-motd-ec2",
    ],
    rules: &["53-ec2-network-interfaces.rules"],
    modules: &[],
    autostart: &[],
    filesystems: &[],
};
