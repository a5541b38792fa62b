//! Hostile guests, images and documents: a sample of the corpus of `cargo xtask hostile`, each through every command. All of
//! it takes minutes, and is run by `cargo xtask hostile --run`.

use guestconv_system_tests::campaign;

/// One or two of each kind.
const SAMPLE: [&str; 14] = [
    "links-parent-out",
    "links-initramfs-host",
    "nodes-settings",
    "bombs-fstab-sparse",
    "bombs-initramfs-zstd",
    "cycles-soft-dependencies",
    "cycles-extended-partitions",
    "duplicates-uuids",
    "volumes-lvm-numbers",
    "images-backing-itself",
    "images-raw-as-qcow2",
    "names-terminal-files",
    "documents-entities",
    "filesystems-ext4-groups",
];

#[test]
fn a_sample_of_the_corpus_breaks_nothing() {
    campaign(&["hostile", "--run", "--any-time"], &SAMPLE, &["qemu-img", "zstd"]);
}
