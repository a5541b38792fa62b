//! Files that are no disk, or none that can be read.

use crate::case::{ALL, case};
use crate::images;
use std::path::Path;
use tempfile::TempDir;

#[test]
fn a_wrong_disk_is_told_without_an_appliance() {
    let directory = TempDir::new().unwrap();
    images::make(directory.path());
    for case in [
        case("absent.img", 7, "disk", "disk-not-found", "there is no disk absent.img; check its path")
            .because("No such file or directory (os error 2)"),
        case(
            "directory",
            7,
            "disk",
            "disk-is-directory",
            "directory is a directory; give the image of a disk",
        ),
        case(
            "/dev/null",
            7,
            "disk",
            "disk-not-a-disk",
            "/dev/null is neither a file nor a block device; give the image of a disk, or a block device",
        ),
        case(
            "empty.img",
            7,
            "disk",
            "disk-empty",
            "empty.img is empty and holds no disk; check that it was copied to its end",
        ),
        case(
            "tiny.img",
            7,
            "disk",
            "disk-empty",
            "tiny.img is smaller than a sector and holds no disk; check that it was copied to its end",
        ),
        case(
            "blank.img --format qcow2",
            7,
            "disk",
            "disk-format-mismatch",
            "blank.img is no qcow2 image, as was said; it looks like raw: say the format that it has",
        ),
        case(
            "vmdk.img",
            7,
            "disk",
            "vmdk-without-descriptor",
            "vmdk.img is one extent of a VMDK and not the disk; give the file that describes the disk, which names its \
             extents",
        ),
        case(
            "vmdk.img --format qcow2",
            7,
            "disk",
            "disk-format-mismatch",
            "vmdk.img is no qcow2 image, as was said; it looks like vmdk: say the format that it has",
        ),
        case(
            "backing.qcow2",
            7,
            "disk",
            "backing-file-not-allowed",
            "backing.qcow2 has the backing file \"/etc/passwd\"; allow backing files if you trust the image",
        ),
        case(
            "backing.qcow2 --format qcow2",
            7,
            "disk",
            "backing-file-not-allowed",
            "backing.qcow2 has the backing file \"/etc/passwd\"; allow backing files if you trust the image",
        ),
        case(
            "header.img",
            7,
            "disk",
            "backing-file-not-allowed",
            "header.img has the backing file \"/etc/passwd\"; allow backing files if you trust the image",
        ),
        case(
            "orphan.qcow2 --allow-backing",
            7,
            "disk",
            "backing-file-not-opened",
            "cannot open what orphan.qcow2 is based on: Backing file \"absent.img\": No such file or directory (os error 2); put its backing file where the image says",
        ),
        case(
            "data-file.qcow2",
            7,
            "disk",
            "data-file-not-allowed",
            "data-file.qcow2 keeps its data in another file; allow backing files if you trust the image",
        ),
        case(
            "encrypted.qcow2",
            7,
            "disk",
            "qcow2-encrypted",
            "encrypted.qcow2 is an encrypted qcow2 image, and its key is asked for by nobody here; decrypt it with \
             qemu-img first",
        ),
        case(
            "cut.qcow2",
            7,
            "disk",
            "disk-truncated",
            "cut.qcow2 is cut off: it has a cluster at byte 196608 and ends at 196608; copy the whole image, or check \
             it with qemu-img",
        ),
        case(
            "feature.qcow2",
            7,
            "disk",
            "qcow2-feature-unsupported",
            "feature.qcow2 uses a qcow2 feature that cannot be read yet: Unrecognized incompatible feature(s) 60; convert it with qemu-img first",
        ),
        case(
            "damaged.qcow2",
            7,
            "disk",
            "qcow2-damaged",
            "damaged.qcow2 is a damaged qcow2 image: qcow2 v4294967295 is not supported; check it with qemu-img",
        ),
        case(
            "blank.img ./directory/../blank.img",
            2,
            "invalid-argument",
            "disk-twice",
            "./directory/../blank.img is given twice; give each disk of the guest once",
        ),
    ] {
        case.check(ALL, directory.path(), Path::new("no-appliance"));
    }
}
