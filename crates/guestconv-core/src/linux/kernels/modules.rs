//! What one kernel has of the modules that drive devices of ours: `modules.builtin`, `modules.dep`, `modules.softdep`.

use super::{Driver, ModuleFile};
use crate::formats::modules::{self, Dependency};
use crate::knowledge;
use crate::linux::Probe;
use crate::path::GuestPath;
use crate::tree::{ReadError, hash};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The most bytes of an index: Debian's `modules.alias` has 1.3 MB.
const CAP_INDEX_BYTES: u64 = 32 << 20;

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
    let index = Index {
        dependencies: modules::dependencies(&dep),
        builtin: modules::builtin(&builtin),
        soft: modules::soft_dependencies(&soft),
    };
    let (mut drivers, mut files) = (BTreeMap::new(), BTreeMap::new());
    for device in knowledge::devices() {
        let names = device.modules.iter().chain(device.machine_modules.values().flatten());
        for name in names {
            let driver = index.driver(name);
            let of_disks = matches!(device.class.as_str(), "block" | "controller");
            if let (Driver::Module { load }, true) = (&driver, of_disks) {
                for module in load.iter().filter(|module| index.dependencies.contains_key(module.as_str())) {
                    if !files.contains_key(module) {
                        files.extend(index.file(probe, dir, module)?.map(|file| (module.clone(), file)));
                    }
                }
            }
            drivers.insert(name.clone(), driver);
        }
    }
    Ok(Found { drivers, files })
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
        let (mut load, mut open) = (Vec::new(), BTreeSet::new());
        self.add(name, &mut load, &mut open);
        Driver::Module { load }
    }

    /// Adds a module after what it needs; soft dependencies that are no module here (aliases, built-in) are left out.
    fn add(&self, name: &str, load: &mut Vec<String>, open: &mut BTreeSet<String>) {
        let Some(dependency) = self.dependencies.get(name) else { return };
        if !open.insert(name.to_owned()) {
            return;
        }
        let soft = self.soft.get(name);
        for before in soft.into_iter().flat_map(|soft| &soft.before) {
            self.add(&modules::module_name(before), load, open);
        }
        for need in dependency.needs().rev() {
            self.add(&modules::module_name(need), load, open);
        }
        load.push(name.to_owned());
        for after in soft.into_iter().flat_map(|soft| &soft.after) {
            self.add(&modules::module_name(after), load, open);
        }
    }

    fn file(
        &self,
        probe: &Probe<'_>,
        dir: &GuestPath,
        module: &str,
    ) -> Result<Option<ModuleFile>, ReadError> {
        let Some(dependency) = self.dependencies.get(module) else { return Ok(None) };
        let path = relative(dependency.path);
        let file = hash(probe.tree, &dir.join(path))?;
        Ok(file.map(|file| ModuleFile { path: path.to_owned(), file }))
    }
}

/// Returns the path relative to the module directory: old depmods wrote `/lib/modules/VERSION/kernel/…`.
fn relative(path: &str) -> &str {
    match path.strip_prefix("/lib/modules/") {
        Some(rest) => rest.split_once('/').map_or(rest, |(_, path)| path),
        None => path,
    }
}
