//! Xen, XenServer and XCP-ng: the guest agents, and the file system of `/proc/xen`. What a host of Xen runs
//! (`xencommons`, `xendomains`) is not ours. Consoles of Xen are the console's part, its disks and cards their own parts'.

use super::Family;

pub(super) const FAMILY: Family = Family {
    id: "xen",
    name: "Xen's guest utilities",
    evidence: &[
        "/usr/sbin/xe-daemon",
        "/usr/sbin/xe-linux-distribution",
        "/usr/sbin/xen-guest-agent",
        "/usr/bin/xen-guest-agent",
    ],
    services: &[
        "xe-linux-distribution",
        "xe-daemon",
        "xe-guest-utilities",
        "xenserver-pv-tools",
        "xen-guest-agent",
    ],
    rules: &[],
    modules: &["xenfs"],
    autostart: &[],
    filesystems: &["xenfs"],
};
