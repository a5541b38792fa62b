//! Hostile guests, images and documents: a sample of the corpus of `cargo xtask hostile`, each through every command. All of
//! it takes minutes, and is run by `cargo xtask hostile --run`.

#![allow(clippy::unwrap_used, reason = "it is a test: what fails here fails the test")]

use guestconv_system_tests::installed;
use std::path::Path;
use std::process::Command;

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
    let Some(tree) = installed(&["qemu-img", "zstd"]) else { return };
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(checkout)
        .args(["run", "--quiet", "--locked", "--package", "xtask", "--", "hostile", "--run", "--any-time"])
        .arg("--program")
        .arg(tree.path().join("bin/guestconv"))
        .args(SAMPLE)
        .env("GUESTCONV_APPLIANCE", tree.path().join("libexec/guestconv"))
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}
