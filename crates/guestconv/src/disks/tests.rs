//! What a disk is when its image is gone, or has a name that is no text.

use super::*;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

fn opened(path: &Path) -> Disk {
    fs::write(path, [0; 512]).unwrap();
    let spec = DiskSpec { format: Format::Raw, ..DiskSpec::new(path) };
    open(&[spec]).unwrap().remove(0)
}

#[test]
fn a_disk_that_cannot_be_opened_again_was_changed_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("disk.img");
    let mut disk = opened(&path);
    disk.reopen().unwrap();
    fs::remove_file(&path).unwrap();
    let error = disk.reopen().unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Commit, "disk-reopen-failed"));
}

#[test]
fn a_disk_that_no_document_can_name_is_not_committed_to() {
    let directory = tempfile::tempdir().unwrap();
    for (name, expected) in [(&b"disk.img"[..], None), (b"disk\xff.img", Some("path-not-utf-8"))] {
        let disk = opened(&directory.path().join(OsStr::from_bytes(name)));
        let code = disk.require_named().err().map(|error| error.code().to_owned());
        assert_eq!(code.as_deref(), expected, "{name:?}");
    }
}
