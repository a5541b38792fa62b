//! The guests that the house builds, and what is known of each.

use guestconv::core::hardware::HardwareFirmware;

/// A guest that the house builds, and what must be true of it before and after.
pub struct Subject {
    /// Its name: `debian-12-dep`.
    pub name: &'static str,
    /// What opens its encrypted devices, as `--key` takes it.
    pub key: Option<&'static str>,
    /// The target that it is converted for.
    pub target: &'static str,
    /// What starts it.
    pub firmware: HardwareFirmware,
    /// Its root device once it runs on virtio disks.
    pub root: &'static str,
    /// Its interfaces, and the address of each that has a static one.
    pub nics: &'static [(&'static str, Option<&'static str>)],
    /// The systems beside the first, each with the title or id of the entry of the first's menu that starts it.
    pub others: &'static [(&'static str, Subject)],
}

/// All guests of the line.
pub const SUBJECTS: &[Subject] = &[
    Subject {
        name: "debian-12",
        key: None,
        target: "rhev-3.1",
        firmware: HardwareFirmware::Bios,
        root: "/dev/vda1",
        nics: &[("eth0", None)],
        others: &[],
    },
    Subject {
        name: "debian-12-dep",
        key: None,
        target: "rhev-3.1",
        firmware: HardwareFirmware::Bios,
        root: "/dev/mapper/vg0-root",
        nics: &[("ens192", Some("10.0.2.77"))],
        others: &[],
    },
    Subject {
        name: "debian-12-extlinux",
        key: None,
        target: "rhev-3.1",
        firmware: HardwareFirmware::Bios,
        root: "/dev/vda1",
        nics: &[("ens192", Some("10.0.2.82"))],
        others: &[],
    },
    Subject {
        name: "debian-12-luks",
        key: Some("all:key:guestconv"),
        target: "kvm",
        firmware: HardwareFirmware::Bios,
        root: "/dev/mapper/luks--vg-root",
        nics: &[("ens192", Some("10.0.2.89"))],
        others: &[],
    },
    Subject {
        name: "debian-12-raid",
        key: None,
        target: "kvm",
        firmware: HardwareFirmware::Bios,
        root: "/dev/mapper/vg0-root",
        nics: &[("ens192", Some("10.0.2.90"))],
        others: &[],
    },
    Subject {
        name: "debian-12-arm64",
        key: None,
        target: "kvm",
        firmware: HardwareFirmware::Uefi,
        root: "/dev/vda2",
        nics: &[("ens160", Some("10.0.2.92"))],
        others: &[],
    },
    Subject {
        name: "debian-13-efi",
        key: None,
        target: "kvm",
        firmware: HardwareFirmware::Uefi,
        root: "/dev/vda2",
        nics: &[("ens192", Some("10.0.2.78"))],
        others: &[],
    },
    Subject {
        name: "debian-13-btrfs",
        key: None,
        target: "kvm",
        firmware: HardwareFirmware::Uefi,
        root: "/dev/vda2",
        nics: &[("ens192", Some("10.0.2.81"))],
        others: &[],
    },
    Subject {
        name: "debian-13-btrfs-two",
        key: None,
        target: "kvm",
        firmware: HardwareFirmware::Uefi,
        root: "/dev/vda2",
        nics: &[("ens192", Some("10.0.2.91"))],
        others: &[],
    },
    Subject {
        name: "ec2-hvm",
        key: None,
        target: "kvm",
        firmware: HardwareFirmware::Bios,
        root: "/dev/vda1",
        nics: &[("eth0", Some("10.0.2.86"))],
        others: &[],
    },
    Subject {
        name: "ec2-pv",
        key: None,
        target: "kvm",
        firmware: HardwareFirmware::Bios,
        root: "/dev/vda1",
        nics: &[("eth0", Some("10.0.2.83"))],
        others: &[],
    },
    Subject {
        name: "ec2-pv-xfs",
        key: None,
        target: "kvm",
        firmware: HardwareFirmware::Bios,
        root: "/dev/vda1",
        nics: &[("eth0", Some("10.0.2.84"))],
        others: &[],
    },
    Subject {
        name: "ec2-two-disk",
        key: None,
        target: "kvm",
        firmware: HardwareFirmware::Bios,
        root: "/dev/vda1",
        nics: &[("eth0", Some("10.0.2.85"))],
        others: &[],
    },
    Subject {
        name: "multi-boot",
        key: None,
        target: "kvm",
        firmware: HardwareFirmware::Bios,
        root: "/dev/vda1",
        nics: &[("ens192", Some("10.0.2.79"))],
        others: &[(
            "Debian GNU/Linux 12 (bookworm) (on /dev/sda2)",
            Subject {
                name: "multi-boot-second",
                key: None,
                target: "kvm",
                firmware: HardwareFirmware::Bios,
                root: "/dev/vda2",
                nics: &[("ens192", Some("10.0.2.80"))],
                others: &[],
            },
        )],
    },
    Subject {
        name: "multi-boot-two-disks",
        key: None,
        target: "kvm",
        firmware: HardwareFirmware::Bios,
        root: "/dev/vda1",
        nics: &[("ens192", Some("10.0.2.87"))],
        others: &[(
            "osprober-gnulinux-simple-6c1fa20c-0001-4001-8001-000000000001",
            Subject {
                name: "multi-boot-two-disks-second",
                key: None,
                target: "kvm",
                firmware: HardwareFirmware::Bios,
                root: "/dev/vdb1",
                nics: &[("ens192", Some("10.0.2.88"))],
                others: &[],
            },
        )],
    },
    Subject {
        name: "rhel-6.4",
        key: None,
        target: "rhev-3.1",
        firmware: HardwareFirmware::Bios,
        root: "/dev/mapper/vg_guest-lv_root",
        nics: &[("eth0", Some("10.0.2.82")), ("eth1", Some("10.0.3.82"))],
        others: &[],
    },
];

/// The guests that the examples convert, in C and in Python. They are converted for the examples' target.
pub const EXAMPLES: [&str; 3] = ["debian-12-dep", "rhel-6.4", "ec2-pv"];

/// What the examples convert for.
pub const EXAMPLES_TARGET: &str = "rhev-3.1";
