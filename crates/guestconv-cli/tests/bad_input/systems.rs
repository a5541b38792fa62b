//! Disks that can be read and hold no system, or not all of one.

use crate::case::{ALL, case, run, said};
use crate::images;
use std::env;
use std::fs;
use tempfile::TempDir;

#[test]
fn disks_without_a_system_are_told() {
    let Some(appliance) = appliance() else { return };
    let directory = TempDir::new().unwrap();
    images::make(directory.path());
    images::make_ext4(directory.path());
    let no_system =
        "no installed system was found on sda: no file system is there; add all disks of the guest";
    for case in [
        case(
            "blank.img",
            3,
            "guest",
            "disks-blank",
            "nothing is on sda: no partition table and no file system; check that it is the right disk",
        ),
        case("noise.img", 3, "guest", "no-system", no_system),
        case(
            "ext4.img",
            3,
            "guest",
            "no-system",
            "no installed system was found on sda: there is ext4 on /dev/sda; add all disks of the guest",
        ),
        case(
            "ext4-cut.img",
            3,
            "guest",
            "no-system",
            "no installed system was found on sda: there is ext4 on /dev/sda; add all disks of the guest, or see to this: \
             /dev/sda: the file system cannot be mounted: Invalid argument (os error 22) (EXT4-fs (vda): bad geometry: block count 8192 exceeds size of device (4096 blocks)); if it is damaged, e2fsck -f may mend it; it is neither looked at nor \
             changed",
        ),
        case("header.img --format raw", 3, "guest", "no-system", no_system),
        case(
            "cut.img",
            7,
            "disk",
            "disk-truncated",
            "/dev/sda1 of the guest ends at byte 3145728, its disk at 2097152: the image is cut off; copy the whole disk",
        ),
    ] {
        case.check(ALL, directory.path(), appliance.as_ref());
    }
    // Whoever only asks what is there gets an answer.
    let look = run(directory.path(), appliance.as_ref(), "inspect blank.img", &["--color", "never"]);
    let expected = "no installed system\n  firmware  none: no boot loader was found\n  disks     sda 1 MiB\n";
    assert_eq!(said(&look), (Some(0), expected.to_owned(), String::new()));
}

/// The MBR of `cut.img` tells where its partitions end; so does the GPT of a real guest.
#[test]
fn a_guest_whose_disk_was_cut_off_is_told() {
    let Some(copy) = guestconv_system_tests::copy("debian-13-efi") else { return };
    let disk = fs::File::options().write(true).open(&copy.disk).unwrap();
    disk.set_len(disk.metadata().unwrap().len() / 2).unwrap();
    for command in ALL {
        let arguments = format!("{command} disk.raw --target kvm --json");
        let appliance = env::var_os("GUESTCONV_APPLIANCE").unwrap();
        let (status, stdout, stderr) =
            said(&run(copy.directory.path(), appliance.as_ref(), &arguments, &["--format", "raw"]));
        let error: serde_json::Value = serde_json::from_str(&stderr).unwrap();
        assert_eq!(
            (status, stdout.as_str(), error["code"].as_str()),
            (Some(7), "", Some("disk-truncated")),
            "{command}: {error}"
        );
    }
    assert_eq!(copy.files(), ["disk.raw"]);
}

/// Returns the appliance's directory; `None`, and says so, if none is named and none is required.
fn appliance() -> Option<std::ffi::OsString> {
    let named = env::var_os("GUESTCONV_APPLIANCE").filter(|value| !value.is_empty());
    if named.is_none() {
        let is_required = env::var_os("GUESTCONV_REQUIRE_GUESTS").is_some();
        assert!(!is_required, "GUESTCONV_APPLIANCE is missing; run: cargo xtask test");
        eprintln!("skipped: GUESTCONV_APPLIANCE is missing; cargo xtask test makes it");
    }
    named
}
