//! Parallels: Parallels Tools, which rebuild their modules at every boot when left enabled.

use super::Family;

pub(super) const FAMILY: Family = Family {
    id: "parallels",
    name: "Parallels Tools",
    evidence: &["/usr/bin/prltoolsd", "/usr/lib/parallels-tools/install", "/var/lib/parallels-tools"],
    services: &["prltoolsd", "prltools_updater", "prl-tools-updater", "prl-x11"],
    rules: &[],
    modules: &["prl_tg", "prl_fs", "prl_fs_freeze", "prl_eth", "prl_vid", "prl_notifier"],
    autostart: &["prlcc.desktop"],
    filesystems: &["prl_fs"],
};
