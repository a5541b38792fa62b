//! Hyper-V: the daemons for key-value pairs, snapshots and file copy. Those that udev starts when their device appears
//! need nothing: the device does not appear elsewhere. Azure's agent belongs to a cloud, not to a hypervisor, and is left alone.

use super::Family;

pub(super) const FAMILY: Family = Family {
    id: "hyperv",
    name: "Hyper-V's daemons",
    evidence: &[
        "/usr/sbin/hv_kvp_daemon",
        "/usr/sbin/hypervkvpd",
        "/usr/sbin/hv_vss_daemon",
        "/usr/sbin/hypervvssd",
    ],
    services: &[
        "hypervkvpd",
        "hypervvssd",
        "hypervfcopyd",
        "hv-kvp-daemon",
        "hv-vss-daemon",
        "hv-fcopy-daemon",
        "hv_kvp_daemon",
        "hv_vss_daemon",
        "hv_fcopy_daemon",
        "hv_fcopy_uio_daemon",
        "hyperv-daemons",
        "hyperv-daemons.hv-kvp-daemon",
        "hyperv-daemons.hv-vss-daemon",
        "hyperv-daemons.hv-fcopy-daemon",
    ],
    rules: &[],
    modules: &[],
    autostart: &[],
    filesystems: &[],
};
