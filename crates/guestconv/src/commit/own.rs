//! Small documents of ours beside a disk that name other files: journals and records. They are written whole or not at
//! all, and read only if they are this user's: anybody who may write that directory could name any file in them.

use super::places;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind as IoKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// They name a few dozen paths, or hold the first table of a map; what is larger is none of ours.
const CAP_BYTES: u64 = 16 << 20;

/// Returns the document in the file `place`; `None` if there is no such file.
///
/// # Errors
/// Why it is not ours, to be said after the file's name.
pub(super) fn read<T: DeserializeOwned>(place: &Path) -> Result<Option<T>, io::Error> {
    let not_ours = |why: &str| io::Error::new(IoKind::InvalidData, why.to_owned());
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(place);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == IoKind::NotFound => return Ok(None),
        Err(error) => return Err(not_ours(&format!("cannot be opened ({error})"))),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(not_ours("is not a file of this user"));
    }
    let mut text = Vec::new();
    file.take(CAP_BYTES).read_to_end(&mut text)?;
    let document = serde_json::from_slice(&text);
    document.map(Some).map_err(|error| not_ours(&format!("is not what its name says ({error})")))
}

/// Writes a document so that it is there whole or not at all, also after a power cut.
pub(super) fn write(place: &Path, document: &impl Serialize) -> io::Result<()> {
    let draft = places::draft(place);
    let written = write_draft(&draft, document).and_then(|()| fs::rename(&draft, place));
    if written.is_err() {
        drop(fs::remove_file(&draft)); // what cannot be removed is removed by the next open
    }
    written?;
    sync_directory(place)
}

fn write_draft(draft: &Path, document: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_vec_pretty(document)?;
    drop(fs::remove_file(draft));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(&text)?;
    file.sync_all()
}

/// Makes the names in the directory of `path` durable.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != IoKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
