//! The segment that is appended to an image: modules, an index that names them and those that were there, settings.
//!
//! The rules are the kernel's (`init/initramfs.c`) and libkmod's: an archive that is not compressed starts at a multiple of
//! four bytes; an lz4 stream swallows what follows, so a segment behind one is packed as more chunks of it; directories
//! are named only where there are none; libkmod reads only the `.bin` index.

use crate::change::{InitramfsAppend, ModuleLoader};
use crate::formats::compressed::Compression;
use crate::formats::cpio::{TooLargeForCpio, Writer};
use crate::formats::lz4_legacy;
use crate::formats::module_index::Index;
use crate::formats::modules::{self, Dependency, module_name};
use crate::path::GuestPath;
use crate::report::Failure;
use crate::tree::ReadError;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Returns the bytes to append to an image; `read` yields a file of the root.
///
/// # Errors
/// `guest-changed` if a module is not what the plan says; `guest-unreadable` if it cannot be read; `initramfs-loader` if
/// nothing in the image would load the modules.
pub fn build(
    append: &InitramfsAppend,
    read: &mut dyn FnMut(&GuestPath) -> Result<Vec<u8>, ReadError>,
) -> Result<Vec<u8>, Failure> {
    if append.loader == ModuleLoader::Preload && !append.modules.is_empty() {
        let message = format!("nothing in {} of the guest loads modules by an index", append.path);
        return Err(failure("initramfs-loader", message));
    }
    let mut archive = Writer::new();
    for dir in &append.directories {
        archive.directory(dir, 0o755).map_err(too_large)?;
    }
    let mut made: Vec<String> = append.directories.clone();
    let present = append.present.iter().map(|present| format!("{}/{present}", append.module_dir));
    let present: Vec<String> = present.collect();
    for module in &append.modules {
        let data = read(&module.from).map_err(|error| failure("guest-unreadable", error.to_string()))?;
        let is_same = u64::try_from(data.len()) == Ok(module.file.size_bytes)
            && blake3::hash(&data).to_hex().as_str() == module.file.blake3;
        if !is_same {
            let message =
                format!("{} of the guest is not what the plan was made with; plan again", module.from);
            return Err(failure("guest-changed", message));
        }
        let path = format!("{}/{}", append.module_dir, module.to);
        parents(&mut archive, &path, append, &present, &mut made)?;
        archive.file(&path, 0o644, &data).map_err(too_large)?;
    }
    if !append.modules.is_empty() {
        index(append, read, &mut archive)?;
    }
    for text in &append.files {
        if text.unlink_first {
            archive.link(&text.path, "unlinked").map_err(too_large)?;
        }
        archive.file(&text.path, 0o644, text.text.as_bytes()).map_err(too_large)?;
    }
    let bytes = archive.finish();
    if append.tail == Compression::Lz4 {
        return Ok(lz4_legacy::chunks(&bytes));
    }
    let alignment = append.before.size_bytes.next_multiple_of(4) - append.before.size_bytes;
    let mut segment: Vec<u8> = (0..alignment).map(|_| 0).collect();
    segment.extend(bytes);
    Ok(segment)
}

/// Adds the directories between the module directory and a module that no present module is below.
fn parents(
    archive: &mut Writer,
    path: &str,
    append: &InitramfsAppend,
    present: &[String],
    made: &mut Vec<String>,
) -> Result<(), Failure> {
    for (end, _) in path.match_indices('/') {
        let Some(dir) = path.get(..end).filter(|dir| dir.len() > append.module_dir.len()) else { continue };
        let below = format!("{dir}/");
        if made.iter().any(|made| made == dir) || present.iter().any(|path| path.starts_with(&below)) {
            continue;
        }
        archive.directory(dir, 0o755).map_err(too_large)?;
        made.push(dir.to_owned());
    }
    Ok(())
}

/// Adds the index of all modules, those that were there and those that are added.
fn index(
    append: &InitramfsAppend,
    read: &mut dyn FnMut(&GuestPath) -> Result<Vec<u8>, ReadError>,
    archive: &mut Writer,
) -> Result<(), Failure> {
    let Some(root) = module_root(append) else {
        return Err(failure("plan-damaged", "a module of the plan has two different paths"));
    };
    let mut text = |name: &str| {
        let bytes = read(&root.join(name)).map_err(|error| failure("guest-unreadable", error.to_string()))?;
        Ok::<String, Failure>(String::from_utf8_lossy(&bytes).into_owned())
    };
    let dependencies = text("modules.dep")?;
    let known = modules::dependencies(&dependencies);
    let added = append.modules.iter().map(|module| module.to.as_str());
    let paths: BTreeMap<Cow<'_, str>, &str> = append
        .present
        .iter()
        .map(String::as_str)
        .chain(added)
        .map(|path| (module_name(path), path))
        .collect();
    let mut dep = String::new();
    let mut dep_index = Index::new();
    for (name, path) in &paths {
        let dependency = known.get(&**name);
        let needs = dependency.into_iter().flat_map(Dependency::needs);
        let needs = needs.filter_map(|need| paths.get(&*module_name(need)));
        let line = needs.fold(format!("{path}:"), |line, need| line + " " + need);
        dep_index.insert(name, priority(&known, name), &line);
        // Writing to a String cannot fail.
        let _written = writeln!(dep, "{line}");
    }
    let aliases = text("modules.alias")?;
    let mut alias = String::new();
    let mut alias_index = Index::new();
    for (pattern, name) in
        modules::aliases(&aliases).filter(|(_, name)| paths.contains_key(&*module_name(name)))
    {
        alias_index.insert(&modules::normalised_alias(pattern), priority(&known, &module_name(name)), name);
        let _written = writeln!(alias, "alias {pattern} {name}");
    }
    let soft: String = text("modules.softdep")?
        .lines()
        .filter(|line| {
            line.split_whitespace().nth(1).is_some_and(|name| paths.contains_key(&*module_name(name)))
        })
        .fold(String::new(), |soft, line| soft + line + "\n");
    for (name, data) in [
        ("modules.dep", dep.as_bytes()),
        ("modules.dep.bin", &dep_index.to_bytes()),
        ("modules.alias", alias.as_bytes()),
        ("modules.alias.bin", &alias_index.to_bytes()),
        ("modules.softdep", soft.as_bytes()),
    ] {
        archive.file(&format!("{}/{name}", append.module_dir), 0o644, data).map_err(too_large)?;
    }
    Ok(())
}

/// Returns the directory of the root that the modules come from.
fn module_root(append: &InitramfsAppend) -> Option<GuestPath> {
    let first = append.modules.first()?;
    let root = first.from.as_str().strip_suffix(first.to.as_str())?;
    GuestPath::new(root.trim_end_matches('/')).ok()
}

fn priority(known: &BTreeMap<Cow<'_, str>, Dependency<'_>>, name: &str) -> u32 {
    known.get(name).map_or(0, |dependency| dependency.position)
}

fn failure(code: &str, message: impl Into<String>) -> Failure {
    Failure { code: code.to_owned(), message: message.into() }
}

fn too_large(error: TooLargeForCpio) -> Failure {
    failure("initramfs-segment", error.to_string())
}
