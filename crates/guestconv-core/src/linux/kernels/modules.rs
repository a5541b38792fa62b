//! What one kernel has of the modules that drive devices of ours: `modules.builtin`, `modules.dep`, `modules.softdep`.

use super::{Driver, ModuleFile};
use crate::formats::modules::{self, Dependency, module_name};
use crate::knowledge::{self, DeviceModel};
use crate::linux::Probe;
use crate::path::GuestPath;
use crate::tree::{ReadError, hash};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The most bytes of an index: Ubuntu's `modules.dep` has 0.8 MB.
const CAP_INDEX_BYTES: u64 = 8 << 20;
/// The most modules that are loaded for one: drivers of disks need a dozen. One that needs more counts as absent.
const CAP_LOADED: usize = 256;
/// How often a `modules.dep` is read for what is needed by what was found, before all of it is put in order. It names all
/// that a module needs, so that only soft dependencies take a second time.
const CAP_PASSES: usize = 6;
/// The largest file that is taken for a module, in bytes; a module with a larger one counts as absent.
const CAP_MODULE_BYTES: u64 = 64 << 20;

/// What one kernel has.
pub(super) struct Found {
    pub(super) drivers: BTreeMap<String, Driver>,
    pub(super) files: BTreeMap<String, ModuleFile>,
}

/// Returns what the kernel of a module directory has.
pub(super) fn of(probe: &Probe<'_>, dir: &GuestPath) -> Result<Found, ReadError> {
    let text = |name: &str| -> Result<String, ReadError> {
        let bytes = probe.tree.read(&dir.join(name), CAP_INDEX_BYTES)?.unwrap_or_default();
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    };
    let (dep, builtin, soft) = (text("modules.dep")?, text("modules.builtin")?, text("modules.softdep")?);
    let names = |device: &'static DeviceModel| -> Vec<&'static String> {
        device.modules.iter().chain(device.machine_modules.values().flatten()).collect()
    };
    let soft = modules::soft_dependencies(&soft);
    let wanted = knowledge::devices().iter().flat_map(names).cloned().collect();
    let index =
        Index { dependencies: dependencies(&dep, &soft, wanted), builtin: modules::builtin(&builtin), soft };
    let (mut drivers, mut files) = (BTreeMap::new(), BTreeMap::new());
    for device in knowledge::devices() {
        for name in names(device) {
            let driver = index.driver(name);
            let of_disks = matches!(device.class.as_str(), "block" | "controller");
            if let (Driver::Module { load }, true) = (&driver, of_disks) {
                for module in load {
                    if let Some(dependency) = index.dependencies.get(module.as_str()) {
                        let path = relative(dependency.path).to_owned();
                        files.entry(module.clone()).or_insert(ModuleFile { path, file: None });
                    }
                }
            }
            drivers.insert(name.clone(), driver);
        }
    }
    Ok(Found { drivers, files })
}

/// Returns what `modules.dep` says of these modules, and of what they need, one after the other.
fn dependencies<'a>(
    text: &'a str,
    soft: &BTreeMap<String, modules::SoftDependency>,
    names: BTreeSet<String>,
) -> BTreeMap<Cow<'a, str>, Dependency<'a>> {
    let mut found = BTreeMap::new();
    let mut asked = BTreeSet::new();
    let mut wanted = names;
    for _ in 0..CAP_PASSES {
        let more = modules::dependencies_of(text, |name| wanted.contains(name));
        let of_soft = |name: &str| {
            soft.get(name)
                .into_iter()
                .flat_map(|soft| soft.before.iter().chain(&soft.after))
                .map(String::as_str)
        };
        let needed = more.iter().flat_map(|(name, one)| one.needs().chain(of_soft(name)));
        let next: BTreeSet<String> = needed.map(|path| module_name(path).into_owned()).collect();
        asked.append(&mut wanted);
        found.extend(more);
        wanted = next.difference(&asked).cloned().collect();
        if wanted.is_empty() {
            return found;
        }
    }
    modules::dependencies(text)
}

/// What is still to do with a module.
enum Todo<'a> {
    /// To look at what it needs.
    Open(Cow<'a, str>),
    /// What it needs is there.
    Loaded(String),
}

struct Index<'a> {
    dependencies: BTreeMap<Cow<'a, str>, Dependency<'a>>,
    builtin: BTreeSet<Cow<'a, str>>,
    soft: BTreeMap<String, modules::SoftDependency>,
}

impl Index<'_> {
    fn driver(&self, name: &str) -> Driver {
        if self.builtin.contains(name) {
            return Driver::Builtin;
        }
        if !self.dependencies.contains_key(name) {
            return Driver::Absent;
        }
        self.load(name).map_or(Driver::Absent, |load| Driver::Module { load })
    }

    /// Returns a module after what it needs; soft dependencies that are no module here (aliases, built-in) are left out.
    /// `None` if they are too many. The guest says how deep it goes, so what is still to do is kept on the heap.
    fn load(&self, name: &str) -> Option<Vec<String>> {
        let (mut load, mut open) = (Vec::new(), BTreeSet::new());
        let mut todo = vec![Todo::Open(Cow::Borrowed(name))];
        while let Some(next) = todo.pop() {
            let name = match next {
                Todo::Loaded(name) => {
                    load.push(name);
                    continue;
                }
                Todo::Open(name) => name.into_owned(),
            };
            let Some(dependency) = self.dependencies.get(name.as_str()) else { continue };
            if !open.insert(name.clone()) {
                continue;
            }
            if open.len() > CAP_LOADED {
                return None;
            }
            let soft = self.soft.get(&name);
            let names = |list: &'_ Vec<String>| -> Vec<Todo<'_>> {
                list.iter().map(|name| Todo::Open(module_name(name).into_owned().into())).collect()
            };
            // What is done first lies on top.
            let after = soft.map(|soft| names(&soft.after)).unwrap_or_default();
            todo.extend(after.into_iter().rev());
            todo.push(Todo::Loaded(name.clone()));
            let needs: Vec<&str> = dependency.needs().take(CAP_LOADED + 1).collect();
            if needs.len() > CAP_LOADED {
                return None;
            }
            todo.extend(needs.into_iter().map(|need| Todo::Open(module_name(need))));
            let before = soft.map(|soft| names(&soft.before)).unwrap_or_default();
            todo.extend(before.into_iter().rev());
        }
        Some(load)
    }
}

/// Reads the files in a module directory but those of the modules that are `present`; forgets what cannot be one.
pub(super) fn read(
    probe: &Probe<'_>,
    dir: &GuestPath,
    files: &mut BTreeMap<String, ModuleFile>,
    present: &BTreeSet<Cow<'_, str>>,
) -> Result<(), ReadError> {
    for (module, mut known) in std::mem::take(files) {
        if !present.contains(module.as_str()) {
            let path = dir.join(&known.path);
            let stat = probe.tree.stat(&path)?.filter(|stat| stat.size_bytes <= CAP_MODULE_BYTES);
            known.file = stat.map(|_| hash(probe.tree, &path)).transpose()?.flatten();
            if known.file.is_none() {
                continue;
            }
        }
        files.insert(module, known);
    }
    Ok(())
}

/// Returns the path relative to the module directory: old depmods wrote `/lib/modules/VERSION/kernel/…`.
fn relative(path: &str) -> &str {
    match path.strip_prefix("/lib/modules/") {
        Some(rest) => rest.split_once('/').map_or(rest, |(_, path)| path),
        None => path,
    }
}
