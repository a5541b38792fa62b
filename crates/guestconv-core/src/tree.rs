//! How the core sees the files of one root. The agent implements [`GuestTree`] over a mounted root by
//! `openat2(RESOLVE_IN_ROOT)`, tests over memory. Links resolve inside the root; sizes are capped.

use crate::change::FileHash;
use crate::path::GuestPath;
use crate::secret;
use crate::text::TextFile;
use std::io::Read;

/// What `stat(2)` says of a file, as far as conversion needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// What kind of file it is.
    pub kind: FileKind,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Permission bits, the lowest twelve.
    pub mode: u32,
}

/// The kinds of files that conversion tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A device, socket or pipe: never opened.
    Other,
}

/// A file of the guest that is there and could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read {path} of the guest: {reason}")]
pub struct ReadError {
    /// The file.
    pub path: GuestPath,
    /// What the system or the cap said.
    pub reason: String,
}

/// The files of one root, for reading.
///
/// Absence is `None`, never an error; a dangling link is absence. Devices, sockets and pipes are not opened.
pub trait GuestTree {
    /// Returns what the path leads to, links followed inside the root.
    ///
    /// # Errors
    /// [`ReadError`] if it is there and cannot be looked at.
    fn stat(&self, path: &GuestPath) -> Result<Option<Stat>, ReadError>;

    /// Returns the content of a regular file of at most `cap_bytes`; `None` if there is no regular file.
    ///
    /// # Errors
    /// [`ReadError`] if the file is larger or cannot be read.
    fn read(&self, path: &GuestPath, cap_bytes: u64) -> Result<Option<Vec<u8>>, ReadError>;

    /// Returns a reader of a regular file, for files too large to hold; `None` if there is no regular file.
    ///
    /// # Errors
    /// [`ReadError`] if it cannot be opened.
    fn open(&self, path: &GuestPath) -> Result<Option<Box<dyn Read + '_>>, ReadError>;

    /// Returns the names in a directory, sorted, without those that are not UTF-8; empty if there is no directory.
    ///
    /// # Errors
    /// [`ReadError`] if it cannot be read or has more names than who implements it allows.
    fn list(&self, dir: &GuestPath) -> Result<Vec<String>, ReadError>;

    /// Returns what a symbolic link says; `None` if the path itself is no link.
    ///
    /// # Errors
    /// [`ReadError`] if it cannot be read.
    fn read_link(&self, path: &GuestPath) -> Result<Option<String>, ReadError>;

    /// Returns the SELinux label of a file (the link itself for a link), without its NUL; `None` if it has none.
    ///
    /// # Errors
    /// [`ReadError`] if it cannot be read.
    fn label(&self, path: &GuestPath) -> Result<Option<String>, ReadError>;

    /// Returns the path with every link resolved inside the root; `None` if nothing is there.
    ///
    /// # Errors
    /// [`ReadError`] on a loop of links.
    fn canonical(&self, path: &GuestPath) -> Result<Option<GuestPath>, ReadError> {
        let mut todo: Vec<String> = path.as_str().split('/').rev().map(str::to_owned).collect();
        let mut done = GuestPath::root();
        let mut links = 0;
        while let Some(part) = todo.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    done = done.parent();
                    continue;
                }
                _ => {}
            }
            let next = done.join(&part);
            match self.read_link(&next)? {
                None => done = next,
                Some(target) => {
                    links += 1;
                    if links > 40 {
                        return Err(ReadError { path: path.clone(), reason: "too many links".into() });
                    }
                    if target.starts_with('/') {
                        done = GuestPath::root();
                    }
                    todo.extend(target.split('/').rev().map(str::to_owned));
                }
            }
        }
        Ok(self.stat(&done)?.map(|_| done))
    }

    /// Returns whether anything is there, links followed.
    ///
    /// # Errors
    /// [`ReadError`] as [`GuestTree::stat`].
    fn exists(&self, path: &GuestPath) -> Result<bool, ReadError> {
        Ok(self.stat(path)?.is_some())
    }

    /// Returns whether a directory is there, links followed.
    ///
    /// # Errors
    /// [`ReadError`] as [`GuestTree::stat`].
    fn is_dir(&self, path: &GuestPath) -> Result<bool, ReadError> {
        Ok(self.stat(path)?.is_some_and(|stat| stat.kind == FileKind::Directory))
    }

    /// Returns a text file of at most [`TEXT_CAP_BYTES`] as facts carry it, its secrets concealed ([`secret`]); `None` if
    /// there is no such file.
    ///
    /// # Errors
    /// [`ReadError`] if it is too large, unreadable, or not UTF-8 text.
    fn text(&self, path: &GuestPath) -> Result<Option<TextFile>, ReadError> {
        let Some(text) = self.whole_text(path)? else { return Ok(None) };
        let mode = self.stat(path)?.map_or(0o644, |stat| stat.mode);
        Ok(Some(TextFile::new(path.clone(), secret::conceal(&text).text, mode)))
    }

    /// Returns what a text file of at most [`TEXT_CAP_BYTES`] holds, for parsers that keep none of it; `None` if there is
    /// no such file.
    ///
    /// # Errors
    /// [`ReadError`] if it is too large, unreadable, or not UTF-8 text.
    fn whole_text(&self, path: &GuestPath) -> Result<Option<String>, ReadError> {
        let Some(bytes) = self.read(path, TEXT_CAP_BYTES)? else { return Ok(None) };
        let text = String::from_utf8(bytes);
        text.map(Some).map_err(|_| ReadError { path: path.clone(), reason: "it is not UTF-8 text".into() })
    }
}

/// The most that a text file of a guest may hold, in bytes: configuration is smaller, a bomb is larger.
pub const TEXT_CAP_BYTES: u64 = 4 << 20;

/// Returns the first of the paths that is there.
///
/// # Errors
/// [`ReadError`] as [`GuestTree::stat`].
pub fn first_existing(tree: &dyn GuestTree, paths: &[&'static str]) -> Result<Option<GuestPath>, ReadError> {
    for path in paths {
        let path = crate::path::guest_path(path);
        if tree.exists(&path)? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Returns size and SHA-256 of a regular file; `None` if there is none.
///
/// # Errors
/// [`ReadError`] if it cannot be read.
pub fn hash(tree: &dyn GuestTree, path: &GuestPath) -> Result<Option<FileHash>, ReadError> {
    Ok(hashing(tree, path)?.map(|hashing| hashing.finish()))
}

/// Returns the hash of a regular file, to be gone on with; `None` if there is none.
///
/// # Errors
/// [`ReadError`] if it cannot be read.
pub fn hashing(tree: &dyn GuestTree, path: &GuestPath) -> Result<Option<Hashing>, ReadError> {
    let Some(mut reader) = tree.open(path)? else { return Ok(None) };
    let (mut hashing, mut buffer) = (Hashing::default(), vec![0; 64 << 10]);
    loop {
        let failed = |error: std::io::Error| ReadError { path: path.clone(), reason: error.to_string() };
        let count = reader.read(&mut buffer).map_err(failed)?;
        let Some(part) = buffer.get(..count).filter(|part| !part.is_empty()) else {
            return Ok(Some(hashing));
        };
        hashing.update(part);
    }
}

/// A hash in the making.
#[derive(Clone, Debug, Default)]
pub struct Hashing {
    hasher: blake3::Hasher,
    size_bytes: u64,
}

impl Hashing {
    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.size_bytes = self.size_bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    }

    /// Returns how many bytes were added.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Returns size and hash of all that was added.
    pub fn finish(self) -> FileHash {
        FileHash { size_bytes: self.size_bytes, blake3: self.hasher.finalize().to_hex().to_string() }
    }
}

/// Returns bytes as lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}
