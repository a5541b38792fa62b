//! VMware: open-vm-tools, and VMware's own tools from a tarball or from its operating system specific packages.
//!
//! open-vm-tools starts itself on VMware only (`ConditionVirtualization=vmware`), VMware's own do not ask. The
//! uninstaller of the tarball is never run: it rebuilds every initramfs for the machine that it runs on.

use super::Family;

pub(super) const FAMILY: Family = Family {
    id: "vmware",
    name: "VMware's tools",
    evidence: &[
        "/usr/bin/vmtoolsd",
        "/usr/sbin/vmtoolsd",
        "/etc/vmware-tools/locations",
        "/usr/bin/vmware-uninstall-tools.pl",
        "/usr/sbin/vmware-guestd",
    ],
    services: &[
        "open-vm-tools",
        "open-vm-tools-desktop",
        "vmtoolsd",
        "vgauth",
        "vgauthd",
        "run-vmblock\\x2dfuse.mount",
        "vmware-vmblock-fuse",
        "vmblock-fuse",
        "vmblockmounter",
        "vmtools",
        "vmware-tools",
        "vmware-tools-services",
        "vmware-tools-thinprint",
        "vmware-tools-vgauth",
        "vmware-caf",
        "vmware-caf-management-agent",
        "vmware-guestd",
    ],
    rules: &[],
    modules: &["vmhgfs", "vmblock", "vmmemctl", "vmsync", "vmxnet", "vmdesched"],
    autostart: &["vmware-user.desktop", "vmware-user-suid-wrapper.desktop"],
    filesystems: &["vmhgfs", "fuse.vmhgfs-fuse", "vmhgfs-fuse"],
};
