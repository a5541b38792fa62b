//! What all archives of an image give when they are unpacked one over the other: later names over earlier ones, then
//! links resolved.

use super::scan::End;
use super::{Image, ImageText};
use crate::change::{FileHash, ModuleLoader};
use crate::formats::cpio::{self, Entry, Item, Reader};
use crate::formats::modules;
use crate::path::GuestPath;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;

/// The most bytes of a text that is kept.
const CAP_TEXT_BYTES: usize = 64 << 10;
/// The most bytes of a link's target, as in the kernel (`PATH_MAX`).
const CAP_TARGET_BYTES: usize = 4096;
/// The most names in an image: with all modules it has ten thousand.
const CAP_NAMES: usize = 200_000;
/// The most bytes of all names, targets and texts in an image.
const CAP_NAMES_BYTES: usize = 32 << 20;
/// The most parts of paths that are walked to resolve the links in an image.
const CAP_STEPS: u64 = 4_000_000;

/// What is at a name.
pub(super) enum Name {
    Directory,
    Link(String),
    /// With text and number of links if the text is kept.
    File(Option<(String, u32)>),
    Other,
}

#[derive(Default)]
pub(super) struct Merged {
    names: BTreeMap<String, Name>,
    /// What they take, in bytes; a name that comes again counts again.
    names_bytes: usize,
    steps: Cell<u64>,
    /// Whether what is not among the names loads modules by an index.
    has_index: bool,
}

impl Merged {
    /// Returns what is known of an image that was read before.
    pub(super) fn of(image: &Image) -> Self {
        let dir = image.module_dir.trim_start_matches('/');
        let above =
            parents(dir).filter(|dir| !image.missing_directories.iter().any(|missing| missing == dir));
        let above = above.map(|dir| (dir.to_owned(), Name::Directory));
        let modules = image.modules.iter().map(|module| (format!("{dir}/{module}"), Name::File(None)));
        let texts = image.texts.iter().map(|text| {
            let links = if text.is_hard_linked { 2 } else { 1 };
            (text.path.clone(), Name::File(Some((text.text.clone(), links))))
        });
        Self {
            names: above.chain(modules).chain(texts).collect(),
            names_bytes: 0,
            steps: Cell::new(0),
            has_index: image.loader == ModuleLoader::Index,
        }
    }

    pub(super) fn image(
        &self,
        path: &GuestPath,
        kernel: &str,
        module_dir: &str,
        file: FileHash,
        end: End,
    ) -> Result<Image, String> {
        let below = format!("{module_dir}/");
        let resolved = self.all_resolved();
        let modules: BTreeSet<String> = resolved
            .iter()
            .filter(|(name, kind)| matches!(kind, Name::File(_)) && modules::is_module(name))
            .filter_map(|(name, _)| name.strip_prefix(&below).map(str::to_owned))
            .collect();
        let texts = resolved.iter().filter_map(|(name, kind)| match kind {
            Name::File(Some((text, links))) => {
                Some(ImageText { path: name.clone(), text: text.clone(), is_hard_linked: *links > 1 })
            }
            _ => None,
        });
        let has_index = self.has_index || resolved.iter().any(|(name, _)| loads_by_index(name));
        if self.steps.get() >= CAP_STEPS {
            return Err("its links lead round and round".to_owned());
        }
        Ok(Image {
            path: path.clone(),
            kernel: kernel.to_owned(),
            file,
            missing_directories: self.missing(module_dir),
            texts: texts.collect(),
            modules: modules.into_iter().collect(),
            loader: if has_index { ModuleLoader::Index } else { ModuleLoader::Preload },
            module_dir: format!("/{module_dir}"),
            tail: end.tail,
            is_closed: end.is_closed,
            unpacked_bytes: end.unpacked_bytes,
        })
    }

    /// Reads the archives that follow each other in one stream.
    pub(super) fn read(&mut self, input: &mut dyn BufRead, offset: u64) -> Result<(), String> {
        let mut reader = Reader::new(input, offset);
        loop {
            match reader.next_item().map_err(|error| error.to_string())? {
                Item::End => return Ok(()),
                Item::Trailer => {}
                Item::Entry(entry) => {
                    let name = self.kind(&entry, &mut reader)?;
                    let text_bytes = match &name {
                        Name::Link(text) | Name::File(Some((text, _))) => text.len(),
                        _ => 0,
                    };
                    self.names_bytes += entry.name.len() + text_bytes;
                    self.names.insert(entry.name, name);
                    if self.names.len() > CAP_NAMES || self.names_bytes > CAP_NAMES_BYTES {
                        return Err("it has too many names".to_owned());
                    }
                }
            }
        }
    }

    fn kind(&self, entry: &Entry, reader: &mut Reader<'_>) -> Result<Name, String> {
        let text = |reader: &mut Reader<'_>, cap_bytes: usize| {
            let data = reader.data(cap_bytes).map_err(|error| error.to_string())?;
            Ok::<String, String>(String::from_utf8_lossy(&data).into_owned())
        };
        Ok(match entry.mode & cpio::TYPE_MASK {
            cpio::DIRECTORY => Name::Directory,
            cpio::LINK => Name::Link(text(reader, CAP_TARGET_BYTES)?),
            cpio::FILE if names_devices(&entry.name) => {
                Name::File(Some((text(reader, CAP_TEXT_BYTES)?, entry.links)))
            }
            cpio::FILE => Name::File(None),
            _ => Name::Other,
        })
    }

    /// Returns a name with the links of its parents resolved.
    fn resolved(&self, name: &str) -> String {
        let (mut done, mut links) = (String::new(), 0);
        let mut todo: Vec<String> = name.rsplit('/').map(str::to_owned).collect();
        while let Some(part) = todo.pop() {
            self.steps.set(self.steps.get() + 1);
            if self.steps.get() >= CAP_STEPS {
                break;
            }
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    done.truncate(done.rfind('/').unwrap_or(0));
                    continue;
                }
                _ => {}
            }
            let next = if done.is_empty() { part } else { format!("{done}/{part}") };
            match self.names.get(&next) {
                Some(Name::Link(target)) if !todo.is_empty() && links < 40 => {
                    links += 1;
                    if target.starts_with('/') {
                        done.clear();
                    }
                    todo.extend(target.rsplit('/').map(str::to_owned));
                }
                _ => done = next,
            }
        }
        done
    }

    /// Returns every name with the links of its parents resolved. Neighbours mostly share their parent.
    fn all_resolved(&self) -> Vec<(String, &Name)> {
        let (mut parent, mut resolved_parent) = ("", String::new());
        let resolve = |(name, kind)| {
            let name: &String = name;
            let (dir, file) = name.rsplit_once('/').unwrap_or(("", name));
            if dir != parent {
                let inside = self.resolved(&format!("{dir}/x"));
                (parent, resolved_parent) = (dir, inside.trim_end_matches('x').to_owned());
            }
            (format!("{resolved_parent}{file}"), kind)
        };
        self.names.iter().map(resolve).collect()
    }

    /// Returns whether nothing was read.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns where the modules of a kernel are or go.
    pub(super) fn module_dir(&self, kernel: &str) -> String {
        let part = format!("/modules/{kernel}/");
        let found = self.names.keys().find_map(|name| {
            let at = name.find(&part)?;
            name.get(..at + part.len())
        });
        match found {
            Some(dir) => self.resolved(&format!("{dir}x")).trim_end_matches("/x").to_owned(),
            None => self.resolved(&format!("lib/modules/{kernel}")),
        }
    }

    fn missing(&self, dir: &str) -> Vec<String> {
        parents(dir).filter(|dir| !self.names.contains_key(*dir)).map(str::to_owned).collect()
    }
}

/// Returns a directory and those above it, the uppermost first.
fn parents(dir: &str) -> impl Iterator<Item = &str> {
    let ends = dir.match_indices('/').map(|(at, _)| at).chain([dir.len()]);
    ends.filter_map(|end| dir.get(..end))
}

/// Returns whether a file says devices by name: what initramfs-tools and dracut found on the source.
fn names_devices(name: &str) -> bool {
    name == "conf/conf.d/resume" || (name.starts_with("etc/cmdline.d/") && name.ends_with(".conf"))
}

/// Returns whether a program of that name loads modules by the index: udev, Alpine's nlplug-findfs. Others know what they
/// load by name.
fn loads_by_index(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    matches!(file, "systemd-udevd" | "udevd" | "udevadm" | "nlplug-findfs")
}
