//! What C cannot cause: a panic.

use super::{Handle, LastError};
use guestconv::{DiskSpec, Result};
use std::fs;
use std::sync::PoisonError;

/// Returns code and message of the handle's last error.
fn last_error(handle: &Handle) -> Option<(String, String)> {
    let error = handle.error.lock().unwrap_or_else(PoisonError::into_inner);
    let text = |error: &LastError| {
        (error.code.to_str().unwrap().to_owned(), error.message.to_str().unwrap().to_owned())
    };
    error.as_ref().map(text)
}

fn code_of(handle: &Handle) -> Option<String> {
    last_error(handle).map(|(code, _)| code)
}

#[test]
fn a_panic_is_an_error_and_the_guest_is_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let disk = directory.path().join("disk");
    fs::write(&disk, vec![0; 1 << 20]).unwrap();
    let handle = Handle::new();
    handle.call(|session| session.add_drive(DiskSpec::new(&disk))).unwrap();
    assert_eq!(handle.call(|session| session.undo_files()).as_deref(), Some("[]"), "it is opened");
    assert_eq!(handle.call(|session| session.add_drive(DiskSpec::new(&disk))), None);
    assert_eq!(code_of(&handle).as_deref(), Some("guest-opened"));

    let panics = |_: &mut _| -> Result<()> { panic!("it {}", "happened") };
    let line = line!() - 1;
    assert_eq!(handle.call(panics), None);
    let message = format!(
        "a fault of guestconv: it happened ({}:{line}); report it. The disks are as they were, or the next call on them \
         finishes a commit that has begun",
        file!()
    );
    assert_eq!(last_error(&handle), Some(("library-panicked".to_owned(), message)));

    assert_eq!(handle.call(|session| session.add_drive(DiskSpec::new(&disk))), Some(()), "it was given up");
    assert_eq!(last_error(&handle), None);
    assert_eq!(handle.call(|session| session.undo_files()), None);
    assert_eq!(code_of(&handle).as_deref(), Some("disk-twice"), "it is opened anew");
}
