//! Every disk: a sample of the matrix of file systems, volumes, locks and formats, and all of the mutated images. The whole
//! matrix takes a quarter of an hour and is run by `cargo xtask fs-matrix`.

use guestconv_system_tests::campaign;

/// What the programs of these need is made by packages that `cargo xtask setup` installs.
const PROGRAMS: [&str; 2] = ["linux.uml", "qemu-storage-daemon"];

/// One of each kind, and what real guests have not.
const SAMPLE: [&str; 16] = [
    "ext4-dirty",
    "ext4-damaged",
    "ext4-full",
    "xfs-rhel6",
    "btrfs-raid5",
    "f2fs",
    "nilfs2",
    "reiserfs",
    "table-gpt-4k",
    "lvm-raid6",
    "lvm-cache-pool",
    "lvm-writecache",
    "lvm-snapshot",
    "md-raid5-degraded",
    "lvm-on-luks",
    "vhdx-dynamic",
];

#[test]
fn a_sample_of_the_matrix_is_converted_and_equal_or_refused() {
    campaign(&["fs-matrix"], &SAMPLE, &PROGRAMS);
}

#[test]
fn two_thousand_mutated_images_end_with_a_code_and_are_not_written() {
    campaign(&["mutate"], &[], &PROGRAMS);
}
