//! VirtualBox: the Guest Additions from Oracle's installer and from the distributions.
//!
//! Oracle's `vboxguest` refuses to load without its device, and a module that refuses fails `systemd-modules-load`.

use super::Family;

pub(super) const FAMILY: Family = Family {
    id: "virtualbox",
    name: "VirtualBox's Guest Additions",
    evidence: &["/var/lib/VBoxGuestAdditions/config", "/usr/sbin/VBoxService", "/usr/bin/VBoxService"],
    services: &[
        "vboxadd",
        "vboxadd-service",
        "vboxadd-timesync",
        "vboxadd-x11",
        "vboxservice",
        "vboxclient",
        "vboxdrmclient",
        "vboxdrmclient.path",
        "virtualbox-guest-utils",
        "virtualbox-guest-additions",
        "virtualbox-ose-guest-utils",
    ],
    rules: &[],
    modules: &["vboxguest", "vboxsf", "vboxvideo", "vboxadd", "vboxvfs"],
    autostart: &["vboxclient.desktop", "virtualbox-guest-x11.desktop"],
    filesystems: &["vboxsf"],
};
