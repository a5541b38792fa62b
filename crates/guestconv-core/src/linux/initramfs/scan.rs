//! Reads an image as the kernel unpacks it: all archives, in order, later names over earlier ones, then links resolved.

use super::stream::Hashed;
use super::{Image, ImageText};
use crate::change::ModuleLoader;
use crate::formats::compressed::{Compression, Decoder, Unpacked, recognised};
use crate::formats::cpio::{self, Entry, Item, Reader};
use crate::formats::lz4_legacy::{self, Tail};
use crate::formats::modules;
use crate::path::GuestPath;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, Read};

/// The most that an image unpacks to, in bytes.
const CAP_UNPACKED_BYTES: u64 = 2 << 30;
/// The most bytes of a link's target or a text that is kept.
const CAP_TEXT_BYTES: usize = 64 << 10;
/// The most names in an image.
const CAP_NAMES: usize = 200_000;
/// How many bytes tell what a segment is.
const MAGIC_BYTES: usize = 6;

/// Reads an image that belongs to the kernel of that version.
pub(super) fn scan(path: &GuestPath, kernel: &str, image: &mut dyn Read) -> Result<Image, String> {
    let mut merged = Merged::default();
    let mut image = Hashed::new(image);
    let tail = segments(&mut image, &mut merged)?;
    let file = image.finish().map_err(text)?;
    let module_dir = merged.module_dir(kernel);
    let below = format!("{module_dir}/");
    let resolved = merged.all_resolved();
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
    Ok(Image {
        path: path.clone(),
        kernel: kernel.to_owned(),
        file,
        missing_directories: merged.missing(&module_dir),
        texts: texts.collect(),
        modules: modules.into_iter().collect(),
        loader: loader(&resolved),
        module_dir: format!("/{module_dir}"),
        tail,
    })
}

/// Reads every segment; returns the compression of the last.
fn segments(image: &mut Hashed<'_>, merged: &mut Merged) -> Result<Compression, String> {
    let mut tail = Compression::None;
    let mut buffers = lz4_legacy::Buffers::default();
    let mut buffer = vec![0; 128 << 10];
    loop {
        let first = after_nul(image).map_err(text)?;
        if first.is_empty() {
            return Ok(tail);
        }
        let Some(compression) = recognised(first) else {
            // The kernel stops here too, and keeps what it has.
            return if merged.names.is_empty() { Err("it is no archive".to_owned()) } else { Ok(tail) };
        };
        let start = image.offset();
        if compression == Compression::None {
            merged.read(image, start)?;
        } else {
            let decoder = Decoder::new(compression, image, &mut buffers).map_err(text)?;
            let mut decoder = decoder.ok_or("it is compressed by lzo, which is not read")?;
            let mut unpacked = Unpacked::new(&mut decoder, &mut buffer, CAP_UNPACKED_BYTES);
            merged.read(&mut unpacked, 0)?;
            drain(&mut unpacked).map_err(text)?;
            if let Decoder::Lz4(lz4) = &decoder
                && lz4.tail().is_some_and(|(tail, _)| tail != Tail::End)
            {
                return Err("there is something behind its lz4 stream".to_owned());
            }
        }
        if image.offset() == start {
            return Err("it does not end".to_owned());
        }
        tail = compression;
    }
}

/// Skips NUL bytes and returns what follows, enough to recognise it.
fn after_nul<'a>(image: &'a mut Hashed<'_>) -> std::io::Result<&'a [u8]> {
    loop {
        let ready = image.fill_buf()?;
        let count = ready.iter().take_while(|byte| **byte == 0).count();
        if count == 0 {
            return image.peek(MAGIC_BYTES);
        }
        image.consume(count);
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

fn drain(input: &mut dyn BufRead) -> std::io::Result<()> {
    loop {
        let count = input.fill_buf()?.len();
        if count == 0 {
            return Ok(());
        }
        input.consume(count);
    }
}

/// What is at a name.
enum Name {
    Directory,
    Link(String),
    /// With text and number of links if the text is kept.
    File(Option<(String, u32)>),
    Other,
}

#[derive(Default)]
struct Merged {
    names: BTreeMap<String, Name>,
}

impl Merged {
    /// Reads the archives that follow each other in one stream.
    fn read(&mut self, input: &mut dyn BufRead, offset: u64) -> Result<(), String> {
        let mut reader = Reader::new(input, offset);
        loop {
            match reader.next_item().map_err(text)? {
                Item::End => return Ok(()),
                Item::Trailer => {}
                Item::Entry(entry) => {
                    let name = self.kind(&entry, &mut reader)?;
                    self.names.insert(entry.name, name);
                    if self.names.len() > CAP_NAMES {
                        return Err("it has too many names".to_owned());
                    }
                }
            }
        }
    }

    fn kind(&self, entry: &Entry, reader: &mut Reader<'_>) -> Result<Name, String> {
        let text = |reader: &mut Reader<'_>| {
            let data = reader.data(CAP_TEXT_BYTES).map_err(text)?;
            Ok::<String, String>(String::from_utf8_lossy(&data).into_owned())
        };
        Ok(match entry.mode & cpio::TYPE_MASK {
            cpio::DIRECTORY => Name::Directory,
            cpio::LINK => Name::Link(text(reader)?),
            cpio::FILE if names_devices(&entry.name) => Name::File(Some((text(reader)?, entry.links))),
            cpio::FILE => Name::File(None),
            _ => Name::Other,
        })
    }

    /// Returns a name with the links of its parents resolved.
    fn resolved(&self, name: &str) -> String {
        let (mut done, mut links) = (String::new(), 0);
        let mut todo: Vec<String> = name.rsplit('/').map(str::to_owned).collect();
        while let Some(part) = todo.pop() {
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

    /// Returns where the modules of a kernel are or go.
    fn module_dir(&self, kernel: &str) -> String {
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
        let ends = dir.match_indices('/').map(|(at, _)| at).chain([dir.len()]);
        let above = ends.filter_map(|end| dir.get(..end));
        above.filter(|dir| !self.names.contains_key(*dir)).map(str::to_owned).collect()
    }
}

/// Returns whether a file says devices by name: what initramfs-tools and dracut found on the source.
fn names_devices(name: &str) -> bool {
    name == "conf/conf.d/resume" || (name.starts_with("etc/cmdline.d/") && name.ends_with(".conf"))
}

/// udev loads modules by the index; so does Alpine's nlplug-findfs. Others know what they load by name.
fn loader(names: &[(String, &Name)]) -> ModuleLoader {
    let is_udev = |name: &str| {
        let file = name.rsplit('/').next().unwrap_or(name);
        matches!(file, "systemd-udevd" | "udevd" | "udevadm" | "nlplug-findfs")
    };
    if names.iter().any(|(name, _)| is_udev(name)) { ModuleLoader::Index } else { ModuleLoader::Preload }
}
