//! The files of one mounted root. Every path is resolved by `openat2(2)` with `RESOLVE_IN_ROOT`: links, absolute ones too,
//! lead nowhere but inside. Only regular files and directories are opened.

use crate::budget::{Budget, CAP_NAMES};
use crate::sign;
use guestconv_core::path::GuestPath;
use guestconv_core::tree::{FileKind, GuestTree, ReadError, Stat};
use rustix::fs::{Advice, FileType, Mode, OFlags, RawDir, ResolveFlags, fadvise, fstat, openat2, readlinkat};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::num::NonZeroU64;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;

/// The most names that are listed of one directory by who looks at all files.
const CAP_ALL_NAMES: usize = 1_000_000;
/// How much of a file is read before the kernel may forget it.
const DROPPED_BYTES: u64 = 1 << 20;
/// From which size on it is told that a file is read, in bytes.
const TOLD_BYTES: i64 = 1 << 20;
/// The longest label that is read.
const CAP_LABEL_BYTES: usize = 4096;

/// A mounted root.
#[derive(Debug)]
pub(crate) struct RootTree {
    root: OwnedFd,
    /// `None` for who only does what a plan says.
    budget: Option<Rc<Budget>>,
}

impl RootTree {
    /// Returns the files below a directory of the appliance.
    pub(crate) fn at(directory: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { root: rustix::fs::open(directory, flags, Mode::empty())?, budget: None })
    }

    /// Returns the files, to be looked at within a budget.
    pub(crate) fn within(self, budget: &Rc<Budget>) -> Self {
        Self { budget: Some(Rc::clone(budget)), ..self }
    }

    fn spend(&self, cost: impl Fn(&Budget) -> io::Result<()>) -> io::Result<()> {
        self.budget.as_ref().map_or(Ok(()), |budget| cost(budget))
    }

    /// Returns the files below a directory of this root.
    pub(crate) fn below(&self, path: &GuestPath) -> io::Result<Option<Self>> {
        let budget = self.budget.clone();
        Ok(self.resolved(path, OFlags::PATH | OFlags::DIRECTORY)?.map(|root| Self { root, budget }))
    }

    /// Opens what a path leads to inside the root; `None` if nothing is there.
    pub(crate) fn resolved(&self, path: &GuestPath, flags: OFlags) -> io::Result<Option<OwnedFd>> {
        sign::of_life();
        self.spend(Budget::lookup)?;
        let flags = flags | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        match openat2(&self.root, path.as_str(), flags, Mode::empty(), resolve) {
            Ok(file) => Ok(Some(file)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn kind(&self, path: &GuestPath) -> io::Result<Option<FileKind>> {
        let Some(file) = self.resolved(path, OFlags::PATH)? else { return Ok(None) };
        Ok(Some(kind_of(&fstat(&file)?)))
    }

    /// Opens a regular file; `None` if there is none.
    pub(crate) fn file(&self, path: &GuestPath, access: OFlags) -> io::Result<Option<File>> {
        if self.kind(path)? != Some(FileKind::File) {
            return Ok(None);
        }
        Ok(self.resolved(path, access | OFlags::NONBLOCK)?.map(File::from))
    }

    fn names(&self, path: &GuestPath) -> io::Result<Vec<String>> {
        let Some(directory) = self.resolved(path, OFlags::RDONLY | OFlags::DIRECTORY)? else {
            return Ok(Vec::new());
        };
        let cap = if self.budget.is_some() { CAP_NAMES } else { CAP_ALL_NAMES };
        let mut names: Vec<String> = Vec::new();
        let mut buffer = [MaybeUninit::uninit(); 32 << 10];
        let mut entries = RawDir::new(directory, &mut buffer);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if name != "." && name != ".." {
                names.push(name.to_owned());
            }
            if names.len() > cap {
                return Err(io::Error::other(format!("the directory has more than {cap} names")));
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn link(&self, path: &GuestPath) -> io::Result<Option<String>> {
        let Some(link) = self.resolved(path, OFlags::PATH | OFlags::NOFOLLOW)? else { return Ok(None) };
        // What it says of anything but a link (`readlink(2)`, of descriptors).
        let target = match readlinkat(&link, "", Vec::new()) {
            Err(Errno::NOENT | Errno::INVAL) => return Ok(None),
            target => target?,
        };
        let target = target.into_string().map_err(|_| io::Error::other("the link is not UTF-8"))?;
        Ok(Some(target))
    }

    fn selinux(&self, path: &GuestPath) -> io::Result<Option<String>> {
        let Some(file) = self.resolved(path, OFlags::PATH | OFlags::NOFOLLOW)? else { return Ok(None) };
        let mut buffer = vec![0; CAP_LABEL_BYTES];
        match rustix::fs::getxattr(by_descriptor(&file), "security.selinux", &mut buffer) {
            Ok(length) => {
                buffer.truncate(length);
                let text = String::from_utf8_lossy(&buffer).trim_end_matches('\0').to_owned();
                Ok(Some(text))
            }
            Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Returns the path by which an open file is itself, for calls that take no descriptor of `O_PATH`.
pub(crate) fn by_descriptor(file: &impl AsRawFd) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// Returns the kind of a file.
pub(crate) fn kind_of(stat: &rustix::fs::Stat) -> FileKind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Directory,
        FileType::Symlink => FileKind::Link,
        _ => FileKind::Other,
    }
}

fn unreadable(path: &GuestPath) -> impl Fn(io::Error) -> ReadError + '_ {
    |error| ReadError { path: path.clone(), reason: error.to_string() }
}

/// A file that is read once, from start to end: the kernel need not keep what was read. Pages that come back are used
/// again; fresh ones cost a fault on the host too.
struct Once {
    file: File,
    budget: Option<Rc<Budget>>,
    read_bytes: u64,
    dropped_bytes: u64,
}

impl Read for Once {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        sign::of_life();
        let count = self.file.read(into)?;
        if let Some(budget) = &self.budget {
            budget.stream(u64::try_from(count).unwrap_or(u64::MAX))?;
        }
        self.read_bytes = self.read_bytes.saturating_add(u64::try_from(count).unwrap_or(0));
        let length = NonZeroU64::new(self.read_bytes - self.dropped_bytes);
        if let Some(length) = length.filter(|length| length.get() >= DROPPED_BYTES) {
            // Advice that is not taken costs memory and nothing else.
            let _ = fadvise(&self.file, self.dropped_bytes, Some(length), Advice::DontNeed);
            self.dropped_bytes = self.read_bytes;
        }
        Ok(count)
    }
}

impl GuestTree for RootTree {
    fn stat(&self, path: &GuestPath) -> Result<Option<Stat>, ReadError> {
        let failed = unreadable(path);
        let Some(file) = self.resolved(path, OFlags::PATH).map_err(&failed)? else { return Ok(None) };
        let stat = fstat(&file).map_err(|error| failed(error.into()))?;
        let size_bytes = u64::try_from(stat.st_size).unwrap_or(0);
        Ok(Some(Stat { kind: kind_of(&stat), size_bytes, mode: stat.st_mode & 0o7777 }))
    }

    fn read(&self, path: &GuestPath, cap_bytes: u64) -> Result<Option<Vec<u8>>, ReadError> {
        let failed = unreadable(path);
        let Some(file) = self.file(path, OFlags::RDONLY).map_err(&failed)? else { return Ok(None) };
        let size = fstat(&file).map_err(|error| failed(error.into()))?.st_size;
        let size_bytes = u64::try_from(size).unwrap_or(0);
        let too_large = || failed(io::Error::other(format!("it is larger than {cap_bytes} bytes")));
        if size_bytes > cap_bytes {
            return Err(too_large());
        }
        self.spend(|budget| budget.read(size_bytes)).map_err(&failed)?;
        let mut bytes = Vec::with_capacity(usize::try_from(size_bytes).unwrap_or(0) + 1);
        file.take(cap_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(&failed)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > cap_bytes) {
            return Err(too_large());
        }
        Ok(Some(bytes))
    }

    fn open(&self, path: &GuestPath) -> Result<Option<Box<dyn Read + '_>>, ReadError> {
        let file = self.file(path, OFlags::RDONLY).map_err(unreadable(path))?;
        let size_bytes = file.as_ref().and_then(|file| fstat(file).ok()).map_or(0, |stat| stat.st_size);
        if size_bytes >= TOLD_BYTES {
            sign::looking_at(&format!("reading {path} of the guest"));
        }
        let budget = self.budget.clone();
        let once =
            |file| Box::new(Once { file, budget, read_bytes: 0, dropped_bytes: 0 }) as Box<dyn Read + '_>;
        Ok(file.map(once))
    }

    fn list(&self, dir: &GuestPath) -> Result<Vec<String>, ReadError> {
        self.names(dir).map_err(unreadable(dir))
    }

    fn read_link(&self, path: &GuestPath) -> Result<Option<String>, ReadError> {
        self.link(path).map_err(unreadable(path))
    }

    fn label(&self, path: &GuestPath) -> Result<Option<String>, ReadError> {
        self.selinux(path).map_err(unreadable(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::CAP_LOOKUPS;
    use guestconv_core::path::guest_path;

    #[test]
    fn what_is_looked_at_has_an_end() {
        let dir = std::env::temp_dir().join(format!("guestconv-tree-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("crowd")).unwrap();
        for number in 0..=CAP_NAMES {
            std::fs::write(dir.join(format!("crowd/{number}")), "").unwrap();
        }
        let tree = RootTree::at(&dir).unwrap();
        let crowd = guest_path("/crowd");
        assert_eq!(tree.list(&crowd).unwrap().len(), CAP_NAMES + 1, "without a budget all are listed");
        let budget = Rc::new(Budget::of_a_look());
        let tree = tree.within(&budget);
        let expected = ReadError {
            path: crowd.clone(),
            reason: format!("the directory has more than {CAP_NAMES} names"),
        };
        assert_eq!(tree.list(&crowd), Err(expected));
        for _ in 1..CAP_LOOKUPS {
            budget.lookup().unwrap();
        }
        let error = tree.stat(&crowd).unwrap_err();
        assert_eq!(
            error.reason,
            format!("{CAP_LOOKUPS} files were looked for in this guest already, and more are not")
        );
        std::fs::remove_dir_all(dir).unwrap();
    }
}
