//! What the core writes for GRUB, given to GRUB's own checker: the core's tests start no program.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "it is a test: what fails here fails the test"
)]

use guestconv_core::facts::{FACTS_SCHEMA, Facts, Firmware, Mount};
use guestconv_core::fixtures;
use guestconv_core::lay_out;
use guestconv_core::layout::{DeviceName, Disk, Filesystem, Layout};
use guestconv_core::linux;
use guestconv_core::linux::bootloader::{Config, Loader, LoaderKind, Role};
use guestconv_core::path::GuestPath;
use guestconv_core::text::TextFile;
use std::io::Write;
use std::process::{Command, Stdio};

/// Returns the configuration for a guest with such a menu in an ext4 on its whole disk.
fn config(kind: LoaderKind, menu: &str) -> String {
    let sda = DeviceName("/dev/sda".into());
    let file = TextFile { path: GuestPath::new(menu).unwrap(), text: String::new(), mode: 0o644 };
    let configs = vec![Config { role: Role::Menu, file }];
    let mut linux = linux::Facts::default();
    linux.bootloader.loaders = vec![Loader { kind, disk: Some("sda".into()), configs }];
    let filesystem = Filesystem {
        uuid: Some("6f2f3f4f-0001-4001-8001-ec2000000001".into()),
        ..Filesystem::new(sda.clone(), "ext4")
    };
    let layout = Layout {
        disks: vec![Disk::blank("sda", 1 << 30)],
        filesystems: vec![filesystem],
        ..Layout::default()
    };
    let top = Mount { mountpoint: GuestPath::root(), device: sda.clone(), subvolume: None };
    let mut root = fixtures::root(sda, linux);
    root.mounts = vec![top];
    let facts = serde_json::json!({
        "schema": FACTS_SCHEMA,
        "layout": layout,
        "firmware": Firmware::None,
        "roots": [root],
        "findings": [],
    });
    let facts: Facts = serde_json::from_value(facts).unwrap();
    lay_out::needed(&facts).unwrap().unwrap().grub.config
}

#[test]
fn grubs_own_checker_takes_the_configuration() {
    for (kind, menu) in [
        (LoaderKind::Grub2, "/boot/grub2/grub.cfg"),
        (LoaderKind::GrubLegacy, "/boot/grub/menu.lst"),
        (LoaderKind::Extlinux, "/extlinux.conf"),
    ] {
        let config = config(kind, menu);
        let checker = Command::new("grub-script-check").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let Ok(mut checker) = checker else {
            eprintln!("skipped: no grub-script-check");
            return;
        };
        checker.stdin.take().unwrap().write_all(config.as_bytes()).unwrap();
        let output = checker.wait_with_output().unwrap();
        assert!(output.status.success(), "{config}{}", String::from_utf8_lossy(&output.stderr));
    }
}
