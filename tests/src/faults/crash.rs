//! What a storage may hold after a power cut.

use super::call::{Kind, Operation};
use super::case::Case;
use super::file::Class;
use super::random::Random;
use super::touched::Touched;
use rustix::fs::{FallocateFlags, fallocate};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const SECTOR_BYTES: usize = 512;

/// What is left of what no sync ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Nothing,
    All,
    /// Any of the writes, and names as a journal of the file system keeps them: up to one.
    Some,
    /// Any of the writes and of the names, writes torn.
    Torn,
}

/// The files of a guest when the power goes.
pub(super) struct Crash<'a> {
    files: Vec<Changes<'a>>,
    names: Vec<(Name, IsDurable)>,
    there: BTreeMap<PathBuf, usize>,
}

/// What was done to a file, wherever its name went.
#[derive(Default)]
struct Changes<'a> {
    /// Its name when the run began; `None` if it was made in it.
    began_as: Option<PathBuf>,
    steps: Vec<(&'a Operation, IsDurable)>,
    /// When it was last written, as far as that is durable.
    modified: Option<SystemTime>,
}

type IsDurable = bool;

enum Name {
    Given(PathBuf, usize),
    Moved(PathBuf, PathBuf, usize),
    Taken(PathBuf),
}

impl<'a> Crash<'a> {
    /// Returns what was done to the files of a case, which are there as they were before.
    pub(super) fn after(case: &Case, operations: impl Iterator<Item = &'a Operation>) -> Self {
        let mut crash = Self { files: Vec::new(), names: Vec::new(), there: BTreeMap::new() };
        for name in case.copy.files() {
            let path = case.directory.join(name);
            crash.there.insert(path.clone(), crash.files.len());
            crash.files.push(Changes { began_as: Some(path), ..Changes::default() });
        }
        let mut now = crash.there.clone();
        for operation in operations {
            crash.add(operation, &mut now);
        }
        crash
    }

    fn add(&mut self, operation: &'a Operation, now: &mut BTreeMap<PathBuf, usize>) {
        let path = &operation.path;
        match operation.kind {
            Kind::Create if !now.contains_key(path) => {
                now.insert(path.clone(), self.files.len());
                self.names.push((Name::Given(path.clone(), self.files.len()), false));
                self.files.push(Changes::default());
            }
            Kind::Rename => {
                let to = operation.to.clone().unwrap();
                let file = now.remove(path).unwrap();
                now.insert(to.clone(), file);
                self.names.push((Name::Moved(path.clone(), to, file), false));
            }
            Kind::Unlink => {
                now.remove(path);
                self.names.push((Name::Taken(path.clone()), false));
            }
            Kind::Sync if operation.class == Class::Directory => {
                self.names.iter_mut().for_each(|(_, is_durable)| *is_durable = true);
            }
            Kind::Create | Kind::Read | Kind::Drop => {}
            kind => {
                // What has no name any more is lost in any case.
                let Some(file) = now.get(path).and_then(|file| self.files.get_mut(*file)) else { return };
                match kind {
                    Kind::Sync => {
                        file.steps.iter_mut().for_each(|(_, is_durable)| *is_durable = true);
                        file.modified = operation.modified;
                    }
                    _ => file.steps.push((operation, false)),
                }
            }
        }
    }

    /// Makes the files what a storage may hold; returns in a word what that is.
    pub(super) fn happen(self, case: &Case, random: &mut Random) -> &'static str {
        let left = random.one_of(&[Left::Nothing, Left::All, Left::Some, Left::Some, Left::Torn, Left::Torn]);
        let mut names = self.there.clone();
        let up_to = random.below(self.names.len() + 1);
        for (number, (name, is_durable)) in self.names.iter().enumerate() {
            let is_kept = *is_durable
                || match left {
                    Left::Nothing => false,
                    Left::All => true,
                    Left::Some => number < up_to,
                    Left::Torn => random.below(2) == 0,
                };
            if is_kept {
                name.apply(&mut names);
            }
        }
        let before = case.snapshot();
        for path in self.there.keys().filter(|path| Class::of(path, &case.directory) != Some(Class::Disk)) {
            fs::remove_file(path).unwrap();
        }
        for (path, number) in names {
            let changes = self.files.get(number).unwrap();
            let is_disk = Class::of(&path, &case.directory) == Some(Class::Disk);
            if let Some(began_as) = changes.began_as.as_ref().filter(|_| !is_disk) {
                fs::copy(before.path().join(began_as.file_name().unwrap()), &path).unwrap();
            }
            changes.write(case, &path, left, random);
        }
        match left {
            Left::Nothing => "nothing more",
            Left::All => "all",
            Left::Some => "some",
            Left::Torn => "torn",
        }
    }
}

impl Name {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Given(path, file) => {
                names.insert(path.clone(), *file);
            }
            Self::Moved(from, to, file) => {
                if names.get(from) == Some(file) {
                    names.remove(from);
                }
                names.insert(to.clone(), *file);
            }
            Self::Taken(path) => {
                names.remove(path);
            }
        }
    }
}

impl Changes<'_> {
    fn write(&self, case: &Case, path: &Path, left: Left, random: &mut Random) {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path).unwrap();
        self.write_steps(case, &file, left, random);
        if let Some(modified) = self.modified.filter(|_| self.steps.iter().all(|(_, is_durable)| *is_durable))
        {
            file.set_modified(modified).unwrap();
        }
    }

    fn write_steps(&self, case: &Case, file: &File, left: Left, random: &mut Random) {
        for (step, is_durable) in &self.steps {
            case.touch(step, Touched::begins);
            let is_whole = *is_durable
                || match left {
                    Left::Nothing => false,
                    Left::All => true,
                    Left::Some | Left::Torn => random.below(2) == 0,
                };
            if is_whole {
                apply(file, step);
                case.touch(step, Touched::ended);
            } else if left == Left::Torn && step.kind == Kind::Write {
                for (index, sector) in sectors(step).into_iter().enumerate() {
                    let at = step.at + u64::try_from(index * SECTOR_BYTES).unwrap();
                    if random.below(2) == 0 {
                        file.write_all_at(sector, at).unwrap();
                    }
                }
            } else if step.kind != Kind::Write {
                return; // a file's size and map change in order
            }
        }
    }
}

/// Returns what a write wrote, sector by sector: writes are whole sectors but in small documents, which begin at 0.
fn sectors(step: &Operation) -> Vec<&[u8]> {
    step.written().chunks(SECTOR_BYTES).collect()
}

fn apply(file: &File, step: &Operation) {
    match step.kind {
        Kind::Write => file.write_all_at(step.written(), step.at).unwrap(),
        Kind::Truncate => file.set_len(step.at).unwrap(),
        Kind::Allocate => {
            let flags = FallocateFlags::from_bits_retain(step.flags.try_into().unwrap());
            fallocate(file, flags, step.at, step.length).unwrap();
        }
        kind => panic!("{kind} is no change that can be made again"),
    }
}
