//! Real files that are not ours to commit: the folder that `GUESTCONV_TEST_DATA` names, if it is set.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns the unpacked content of a file of the test data in a directory of the caller's, as a path; `None` if there is no
/// test data, after saying so.
///
/// # Panics
/// If there is test data without the file, or it cannot be unpacked.
pub fn test_data(name: &str, directory: &Path) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("GUESTCONV_TEST_DATA") else {
        eprintln!("skipped: no test data");
        return None;
    };
    let packed = Path::new(&folder).join(name);
    assert!(packed.is_file(), "the test data has no {name}");
    let by = match packed.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => "gzip",
        Some("xz") => "xz",
        Some("bz2") => "bzip2",
        _ => "cat",
    };
    let mut command = Command::new(by);
    if by != "cat" {
        command.arg("-dc");
    }
    let unpacked = command.arg(&packed).output().unwrap();
    assert!(unpacked.status.success(), "{by} cannot unpack {name}");
    let path = directory.join(name.replace('/', "-"));
    std::fs::write(&path, unpacked.stdout).unwrap();
    Some(path)
}
