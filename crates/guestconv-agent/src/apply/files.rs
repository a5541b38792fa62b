//! Changes to files and links of a mounted root. Every path is resolved inside the root, and what is there is compared
//! with what the change expects before anything is written.

use crate::start::failure;
use crate::tree::{RootTree, by_descriptor};
use guestconv_core::change::{Before, FileHash};
use guestconv_core::linux::selinux::Labeler;
use guestconv_core::path::GuestPath;
use guestconv_core::report::Failure;
use guestconv_core::secret::{self, Concealed};
use guestconv_core::tree::{FileKind, GuestTree, ReadError, hash};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Attributes that a copy of a file takes along.
const COPIED_ATTRIBUTES: [&str; 2] = ["security.selinux", "system.posix_acl_access"];

/// The files of a root that is mounted for writing.
pub(super) struct Files {
    tree: RootTree,
    place: PathBuf,
    labeler: Option<Labeler>,
}

impl Files {
    /// Returns the files of the root that is mounted at `place`.
    pub(super) fn of(place: PathBuf) -> io::Result<Self> {
        let tree = RootTree::at(&place)?;
        let labeler = Labeler::of(&tree).map_err(io::Error::other)?;
        Ok(Self { tree, place, labeler })
    }

    /// Returns where the root is mounted.
    pub(super) fn place(&self) -> &Path {
        &self.place
    }

    /// Returns the files for reading.
    pub(super) fn tree(&self) -> &RootTree {
        &self.tree
    }

    /// Returns what a file holds; `None` for a link or if there is no file.
    pub(super) fn hash(&self, path: &GuestPath) -> Result<Option<FileHash>, Failure> {
        if self.tree.read_link(path).map_err(unreadable)?.is_some() {
            return Ok(None);
        }
        hash(&self.tree, path).map_err(unreadable)
    }

    /// Gives a text file its new content.
    pub(super) fn write(
        &self,
        path: &GuestPath,
        before: Option<&str>,
        after: &str,
        mode: Option<u32>,
    ) -> Result<(), Failure> {
        let revealed = |there: &Concealed| {
            there.reveal(after).map_err(|error| {
                failure(
                    "request-failed",
                    format!("{path} of the guest cannot be written as planned: {error}"),
                )
            })
        };
        let Some(before) = before else {
            self.absent(path)?;
            let after = revealed(&secret::conceal(""))?;
            let mut file = self.made(path, mode.unwrap_or(0o644))?;
            return file.write_all(after.as_bytes()).map_err(|error| unwritten(path, &error));
        };
        let there = self.tree.whole_text(path).map_err(unreadable)?.map(|text| secret::conceal(&text));
        let there = there.filter(|there| there.text == before);
        let there = there
            .ok_or_else(|| changed(path, "it does not hold the text that it had when it was looked at"))?;
        let after = revealed(&there)?;
        let failed = |error: io::Error| unwritten(path, &error);
        let file = self.tree.file(path, OFlags::WRONLY).map_err(failed)?;
        let mut file = file.ok_or_else(|| changed(path, "it is gone"))?;
        file.write_all(after.as_bytes()).map_err(failed)?;
        file.set_len(u64::try_from(after.len()).unwrap_or(u64::MAX)).map_err(failed)?;
        if let Some(mode) = mode {
            file.set_permissions(Permissions::from_mode(mode)).map_err(failed)?;
        }
        file.sync_all().map_err(failed)
    }

    /// Removes a file or a link.
    pub(super) fn remove(&self, path: &GuestPath, before: &Before) -> Result<(), Failure> {
        self.expect(path, before)?;
        let removed = rustix::fs::unlinkat(self.directory(path)?, path.file_name(), AtFlags::empty());
        removed.map_err(|error| unwritten(path, &error.into()))
    }

    /// Makes a symbolic link, in place of what `before` says.
    pub(super) fn link(&self, path: &GuestPath, before: Option<&Before>, to: &str) -> Result<(), Failure> {
        match before {
            Some(before) => self.remove(path, before)?,
            None => self.absent(path)?,
        }
        self.directories(&path.parent())?;
        let made = rustix::fs::symlinkat(to, self.directory(path)?, path.file_name());
        made.map_err(|error| unwritten(path, &error.into()))?;
        self.labelled(path, FileKind::Link)
    }

    /// Copies a file to a name where nothing is, with its mode and owner.
    pub(super) fn copy(&self, from: &GuestPath, source: &FileHash, to: &GuestPath) -> Result<(), Failure> {
        if hash(&self.tree, from).map_err(unreadable)?.as_ref() != Some(source) {
            return Err(changed(from, "it is not the file that it was when it was looked at"));
        }
        self.absent(to)?;
        let failed = |error: io::Error| unwritten(to, &error);
        let original = self.tree.file(from, OFlags::RDONLY).map_err(failed)?;
        let mut original = original.ok_or_else(|| changed(from, "it is gone"))?;
        let metadata = original.metadata().map_err(failed)?;
        let mut copy = self.made(to, metadata.permissions().mode() & 0o7777)?;
        io::copy(&mut original, &mut copy).map_err(failed)?;
        for name in COPIED_ATTRIBUTES {
            let mut value = vec![0; 4096];
            if let Ok(length) = rustix::fs::fgetxattr(&original, name, &mut value) {
                let value = value.get(..length).unwrap_or_default();
                // A file system without attributes (an ESP) keeps none.
                match rustix::fs::fsetxattr(&copy, name, value, rustix::fs::XattrFlags::empty()) {
                    Err(Errno::OPNOTSUPP) | Ok(()) => {}
                    Err(error) => return Err(failed(error.into())),
                }
            }
        }
        copy.sync_all().map_err(failed)
    }

    /// Fails unless what is there is as expected; a link itself, not where it leads.
    fn expect(&self, path: &GuestPath, before: &Before) -> Result<(), Failure> {
        let link = self.tree.read_link(path).map_err(unreadable)?;
        let (is_as_expected, what) = match (before, link) {
            (Before::Link(expected), link) => {
                (link.as_ref() == Some(expected), "it is not the link that it was when it was looked at")
            }
            (_, Some(_)) => (false, "it is a link, and was none when it was looked at"),
            (Before::Text(expected), None) => {
                let there = self.tree.text(path).map_err(unreadable)?;
                (
                    there.is_some_and(|there| there.text == *expected),
                    "its text differs from when it was looked at",
                )
            }
            (Before::File(expected), None) => {
                let there = hash(&self.tree, path).map_err(unreadable)?;
                (there.as_ref() == Some(expected), "it differs from when it was looked at")
            }
        };
        if is_as_expected { Ok(()) } else { Err(changed(path, what)) }
    }

    /// Fails if anything is there, a dangling link too.
    fn absent(&self, path: &GuestPath) -> Result<(), Failure> {
        let there = self.tree.resolved(path, OFlags::PATH | OFlags::NOFOLLOW);
        match there.map_err(|error| unwritten(path, &error))? {
            None => Ok(()),
            Some(_) => Err(changed(path, "something is there that was not when it was looked at")),
        }
    }

    /// Makes a file where nothing is, with missing directories; it belongs to root and has its label.
    fn made(&self, path: &GuestPath, mode: u32) -> Result<File, Failure> {
        let failed = |error: Errno| unwritten(path, &error.into());
        self.directories(&path.parent())?;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made =
            rustix::fs::openat(self.directory(path)?, path.file_name(), flags, Mode::from_raw_mode(mode));
        let file = File::from(made.map_err(failed)?);
        self.labelled(path, FileKind::File)?;
        Ok(file)
    }

    /// Makes the directories that are missing on the way to `directory`, that one included.
    fn directories(&self, directory: &GuestPath) -> Result<(), Failure> {
        if self.tree.is_dir(directory).map_err(unreadable)? || *directory == GuestPath::root() {
            return Ok(());
        }
        self.directories(&directory.parent())?;
        let parent = self.directory(directory)?;
        rustix::fs::mkdirat(parent, directory.file_name(), Mode::from_raw_mode(0o755))
            .map_err(|error| unwritten(directory, &error.into()))?;
        self.labelled(directory, FileKind::Directory)
    }

    /// Gives a new file the label that the guest's own policy says.
    fn labelled(&self, path: &GuestPath, kind: FileKind) -> Result<(), Failure> {
        let Some(labeler) = &self.labeler else { return Ok(()) };
        let label = labeler.label(path, kind).map_err(|error| unwritten(path, &io::Error::other(error)))?;
        let Some(label) = label else { return Ok(()) };
        let failed = |error: io::Error| unwritten(path, &error);
        let file = self.tree.resolved(path, OFlags::PATH | OFlags::NOFOLLOW).map_err(failed)?;
        let file = file.ok_or_else(|| changed(path, "it is gone"))?;
        let value = [label.as_bytes(), &[0]].concat();
        let flags = rustix::fs::XattrFlags::empty();
        match rustix::fs::setxattr(by_descriptor(&file), "security.selinux", &value, flags) {
            // A file system without attributes (an ESP) is labelled as a whole when it is mounted.
            Ok(()) | Err(Errno::OPNOTSUPP) => Ok(()),
            Err(error) => Err(failed(error.into())),
        }
    }

    /// Opens the directory that holds a path.
    fn directory(&self, path: &GuestPath) -> Result<OwnedFd, Failure> {
        let directory = self.tree.resolved(&path.parent(), OFlags::PATH | OFlags::DIRECTORY);
        let directory = directory.map_err(|error| unwritten(path, &error))?;
        directory.ok_or_else(|| changed(&path.parent(), "the directory is gone"))
    }

    /// Appends to a file in its place. It is checked first that there is room.
    pub(super) fn extend(&self, path: &GuestPath, bytes: &[u8]) -> Result<(), Failure> {
        let failed = |error: io::Error| unwritten(path, &error);
        let file = self.tree.file(path, OFlags::WRONLY | OFlags::APPEND).map_err(failed)?;
        let mut file = file.ok_or_else(|| changed(path, "it is gone"))?;
        room(path, file.as_fd(), bytes.len())?;
        file.write_all(bytes).map_err(failed)?;
        file.sync_all().map_err(failed)
    }
}

fn room(path: &GuestPath, file: impl AsFd, needed: usize) -> Result<(), Failure> {
    let space = rustix::fs::fstatvfs(file).map_err(|error| unwritten(path, &error.into()))?;
    let free_bytes = space.f_bavail.saturating_mul(space.f_frsize);
    let needed_bytes = u64::try_from(needed).unwrap_or(u64::MAX);
    if free_bytes < needed_bytes {
        let message = format!(
            "{path} of the guest needs {needed_bytes} bytes more, and its file system has {free_bytes} free; \
             remove an old kernel in the guest"
        );
        return Err(failure("no-space", message));
    }
    Ok(())
}

/// Returns the failure of a file that is not as it was.
pub(super) fn changed(path: &GuestPath, what: &str) -> Failure {
    failure("guest-changed", format!("{path} of the guest: {what}; inspect and plan again"))
}

/// Returns the failure of a file that cannot be read.
pub(super) fn unreadable(error: ReadError) -> Failure {
    failure("guest-unreadable", error.to_string())
}

fn unwritten(path: &GuestPath, error: &io::Error) -> Failure {
    let (code, advice) = match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOSPC | Errno::DQUOT) => ("no-space", "; make room in the guest"),
        Some(Errno::PERM) => ("guest-not-writable", "; is it immutable (chattr +i)?"),
        _ => ("guest-not-writable", ""),
    };
    failure(code, format!("cannot write {path} of the guest: {error}{advice}"))
}
