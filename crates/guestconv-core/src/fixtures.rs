//! Guests in memory, for tests: [`MemTree`] is a [`GuestTree`] over a map of files. [`relaxng`] judges descriptions,
//! [`rhel64`] is the seed's guest.

pub mod relaxng;
pub mod rhel64;

use crate::path::GuestPath;
use crate::tree::{FileKind, GuestTree, ReadError, Stat};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

/// One entry of a [`MemTree`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A regular file.
    File(Vec<u8>),
    /// A symbolic link.
    Link(String),
    /// A directory that would not exist by its files alone.
    Directory,
}

/// A root in memory. Directories exist by the files below them. Links are followed inside the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemTree {
    entries: BTreeMap<GuestPath, Entry>,
}

impl MemTree {
    /// Returns a tree of text files.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            tree.insert(path, Entry::File(text.as_bytes().to_vec()));
        }
        tree
    }

    /// Adds or replaces an entry.
    ///
    /// # Panics
    /// If the path is not absolute.
    pub fn insert(&mut self, path: &str, entry: Entry) {
        self.entries.insert(GuestPath::new(path).expect("an absolute path"), entry);
    }

    /// Removes an entry.
    ///
    /// # Panics
    /// If the path is not absolute.
    pub fn remove(&mut self, path: &str) {
        self.entries.remove(&GuestPath::new(path).expect("an absolute path"));
    }

    /// Returns every entry by path.
    pub fn entries(&self) -> &BTreeMap<GuestPath, Entry> {
        &self.entries
    }

    fn kind(&self, path: &GuestPath) -> Option<FileKind> {
        match self.entries.get(path) {
            Some(Entry::File(_)) => Some(FileKind::File),
            Some(Entry::Link(_)) => Some(FileKind::Link),
            Some(Entry::Directory) => Some(FileKind::Directory),
            None => self.entries.keys().any(|name| name.is_below(path)).then_some(FileKind::Directory),
        }
    }

    fn resolved(&self, path: &GuestPath) -> Result<Option<GuestPath>, ReadError> {
        let mut todo: Vec<String> = path.as_str().split('/').rev().map(str::to_owned).collect();
        let (mut done, mut links) = (GuestPath::root(), 0);
        while let Some(part) = todo.pop() {
            if part == ".." {
                done = done.parent();
                continue;
            }
            let next = done.join(&part);
            match self.entries.get(&next) {
                Some(Entry::Link(target)) => {
                    links += 1;
                    if links > 40 {
                        return Err(ReadError { path: path.clone(), reason: "too many links".into() });
                    }
                    if target.starts_with('/') {
                        done = GuestPath::root();
                    }
                    todo.extend(target.split('/').rev().map(str::to_owned));
                }
                _ => done = next,
            }
        }
        Ok(self.kind(&done).map(|_| done))
    }
}

impl GuestTree for MemTree {
    fn stat(&self, path: &GuestPath) -> Result<Option<Stat>, ReadError> {
        let Some(path) = self.resolved(path)? else { return Ok(None) };
        let size_bytes = match self.entries.get(&path) {
            Some(Entry::File(bytes)) => bytes.len() as u64,
            _ => 0,
        };
        Ok(self.kind(&path).map(|kind| Stat { kind, size_bytes, mode: 0o644 }))
    }

    fn read(&self, path: &GuestPath, cap_bytes: u64) -> Result<Option<Vec<u8>>, ReadError> {
        let Some(path) = self.resolved(path)? else { return Ok(None) };
        match self.entries.get(&path) {
            Some(Entry::File(bytes)) if bytes.len() as u64 > cap_bytes => {
                Err(ReadError { path, reason: format!("it is larger than {cap_bytes} bytes") })
            }
            Some(Entry::File(bytes)) => Ok(Some(bytes.clone())),
            _ => Ok(None),
        }
    }

    fn open(&self, path: &GuestPath) -> Result<Option<Box<dyn Read + '_>>, ReadError> {
        let Some(path) = self.resolved(path)? else { return Ok(None) };
        match self.entries.get(&path) {
            Some(Entry::File(bytes)) => Ok(Some(Box::new(bytes.as_slice()))),
            _ => Ok(None),
        }
    }

    fn list(&self, dir: &GuestPath) -> Result<Vec<String>, ReadError> {
        let Some(dir) = self.resolved(dir)? else { return Ok(Vec::new()) };
        let names: BTreeSet<String> = self
            .entries
            .keys()
            .filter(|name| **name != dir && name.is_below(&dir))
            .filter_map(|name| {
                let rest = name.as_str().strip_prefix(dir.as_str())?.trim_start_matches('/');
                rest.split('/').next().map(str::to_owned)
            })
            .collect();
        Ok(names.into_iter().collect())
    }

    fn read_link(&self, path: &GuestPath) -> Result<Option<String>, ReadError> {
        let parent = match self.resolved(&path.parent())? {
            Some(parent) => parent,
            None => return Ok(None),
        };
        match self.entries.get(&parent.join(path.file_name())) {
            Some(Entry::Link(target)) => Ok(Some(target.clone())),
            _ => Ok(None),
        }
    }

    fn label(&self, _path: &GuestPath) -> Result<Option<String>, ReadError> {
        Ok(None)
    }
}

/// Returns a root of Debian on a device, for tests of one part.
pub fn root(device: crate::layout::DeviceName, linux: crate::linux::Facts) -> crate::facts::Root {
    crate::facts::Root {
        device,
        subvolume: None,
        hostname: None,
        distribution: "debian".into(),
        major: Some(12),
        minor: None,
        product: "Debian GNU/Linux 12 (bookworm)".into(),
        arch: "x86_64".into(),
        osinfo: None,
        mounts: Vec::new(),
        system: crate::facts::System::Linux(Box::new(linux)),
    }
}
