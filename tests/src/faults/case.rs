//! A guest in a format that faults are tried on: its disks in a directory of their own, how it is converted, and what it
//! was and becomes.

use super::call::{Data, Operation};
use super::content::{Content, Room};
use super::file::Class;
use super::touched::Touched;
use super::tracee::{self, Act, Run, Start};
use crate::images::copy_sparse;
use crate::{Copy, copy, copy_in_qcow2};
use guestconv::prove::ProofFormat;
use serde::Deserialize;
use std::cell::RefCell;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A guest that faults are tried on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) guest: &'static str,
    pub(super) is_qcow2: bool,
    /// Whether it gets a third disk, with data of its own.
    has_third: bool,
    /// Whether its file system refuses to insert ranges, so that the content is moved.
    pub(super) is_moved: bool,
}

const fn kind(guest: &'static str, is_qcow2: bool) -> Kind {
    Kind { guest, is_qcow2, has_third: false, is_moved: false }
}

/// All guests that faults are tried on.
pub(super) const KINDS: [Kind; 10] = [
    kind("debian-12-dep", false),
    kind("debian-12-dep", true),
    kind("debian-13-efi", true),
    kind("rhel-6.4", false),
    Kind { has_third: true, ..kind("multi-boot-two-disks", false) },
    Kind { has_third: true, ..kind("multi-boot-two-disks", true) },
    kind("ec2-pv", false),
    kind("ec2-pv", true),
    Kind { is_moved: true, ..kind("ec2-pv-xfs", false) },
    kind("ec2-two-disk", true),
];

/// A guest of that kind, ready.
pub(super) struct Case {
    pub(super) kind: Kind,
    pub(super) copy: Copy,
    pub(super) program: PathBuf,
    /// The directory of the disks, as the kernel names it.
    pub(super) directory: PathBuf,
    start: Vec<Content>,
    /// The room that is made on each disk, known once it was converted.
    pub(super) rooms: Vec<Option<Room>>,
    /// What was written to each disk since it was restored.
    touched: RefCell<Vec<Touched>>,
    _third: Option<TempDir>,
}

/// What a conversion was about to fold, set aside before it did.
pub(super) struct Aside {
    files: TempDir,
}

#[derive(Deserialize)]
struct Record {
    disks: Vec<RecordDisk>,
}

#[derive(Deserialize)]
struct RecordDisk {
    path: PathBuf,
    room: Option<Room>,
}

impl Kind {
    pub(super) fn name(&self) -> String {
        let format = if self.is_qcow2 { "qcow2" } else { "raw" };
        let moved = if self.is_moved { ", moved" } else { "" };
        format!("{} {format}{moved}", self.guest)
    }
}

impl Case {
    /// Returns a guest of that kind; `None`, with a word on stderr, if it is not there and none is required.
    pub(super) fn new(kind: Kind, program: &Path) -> Option<Self> {
        let mut copy = if kind.is_qcow2 { copy_in_qcow2(kind.guest)? } else { copy(kind.guest)? };
        let third = kind.has_third.then(|| third(&mut copy));
        let directory = copy.directory.path().canonicalize().unwrap();
        let rooms = copy.disks().iter().map(|_| None).collect();
        let mut case = Self {
            kind,
            touched: RefCell::default(),
            program: program.to_owned(),
            directory,
            start: Vec::new(),
            rooms,
            copy,
            _third: third,
        };
        case.start = case.copy.disks().iter().map(|(_, original)| case.content(original).built()).collect();
        case.touched.replace(case.copy.disks().iter().map(|_| Touched::default()).collect());
        Some(case)
    }

    pub(super) fn content(&self, disk: &Path) -> Content {
        if self.kind.is_qcow2 { Content::qcow2(disk) } else { Content::raw(disk) }
    }

    /// Returns the arguments of a command of the program.
    fn arguments(&self, command: &str) -> Vec<OsString> {
        let format = if self.kind.is_qcow2 { "qcow2" } else { "raw" };
        let mut arguments: Vec<OsString> =
            ["run", command, "--format", format, "--progress", "none"].map(OsString::from).into();
        if command == "convert" {
            arguments.extend(["--target", self.copy.subject.target].map(OsString::from));
            for nic in self.copy.plan_options().nics {
                arguments
                    .extend(["--nic".into(), format!("{}={}", nic.name.unwrap_or_default(), nic.mac).into()]);
            }
        }
        arguments.extend(self.copy.disks().into_iter().map(|(disk, _)| OsString::from(disk)));
        arguments
    }

    /// Runs a command of the program under the tracer.
    pub(super) fn run(&self, command: &str, data: Data, decide: &mut dyn FnMut(&Operation) -> Act) -> Run {
        let start = Start {
            program: &self.program,
            arguments: &self.arguments(command),
            directory: &self.directory,
            data,
        };
        let mut decide = |operation: &Operation| {
            self.touch(operation, Touched::begins);
            decide(operation)
        };
        tracee::run(&start, &mut decide, &mut |operation| self.touch(operation, Touched::ended))
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// What it says if it does not succeed.
    pub(super) fn succeeds(&self, command: &str) -> Result<(), String> {
        let run = self.run(command, Data::Leave, &mut |_| Act::Go);
        if run.status == Some(0) { Ok(()) } else { Err(format!("{command}: {:?} {}", run.status, run.said)) }
    }

    /// Notes what is done to a disk.
    pub(super) fn touch(&self, operation: &Operation, note: fn(&mut Touched, &Operation)) {
        let disks = self.copy.disks();
        let is_it = |(disk, _): &(PathBuf, PathBuf)| disk.file_name() == operation.path.file_name();
        if let Some(disk) = disks.iter().position(is_it) {
            note(self.touched.borrow_mut().get_mut(disk).unwrap(), operation);
        }
    }

    /// Sets aside what the overlays hold, which are whole now.
    pub(super) fn set_aside(&self) -> Aside {
        let files = temporary();
        for name in self.copy.files() {
            let path = self.directory.join(&name);
            if matches!(Class::of(&path, &self.directory), Some(Class::Overlay | Class::Head)) {
                copy_sparse(&path, &files.path().join(name));
            }
        }
        Aside { files }
    }

    /// Returns what the disks are when those overlays are folded.
    pub(super) fn finished(&self, aside: &Aside) -> Vec<Content> {
        let kept =
            |disk: &Path, end: &str| with_end(&aside.files.path().join(disk.file_name().unwrap()), end);
        let disks = self.start.iter().zip(&self.rooms).zip(self.copy.disks());
        let finished = disks.map(|((start, room), (disk, _))| {
            let content = start.under(&kept(&disk, ".guestconv-overlay"));
            match room {
                Some(room) => content.laid_out(&kept(&disk, ".guestconv-overlay-head"), *room),
                None => content,
            }
        });
        finished.collect()
    }

    /// Reads what room a conversion that is finished has made on each disk.
    pub(super) fn learn_rooms(&mut self) {
        let disks = self.copy.disks();
        for (disk, _) in &disks {
            // A disk that did not change has no record.
            let Ok(text) = fs::read(with_end(disk, ".guestconv-undo.json")) else { continue };
            let record: Record = serde_json::from_slice(&text).unwrap();
            for ((disk, _), room) in disks.iter().zip(&mut self.rooms) {
                let changed =
                    record.disks.iter().find(|changed| changed.path.file_name() == disk.file_name());
                *room = changed.and_then(|changed| changed.room);
            }
        }
    }

    /// Returns how the disks differ from those at the start; `None` if they do not.
    pub(super) fn differs_from_start(&self) -> Option<String> {
        self.differs_from(&self.start)
    }

    pub(super) fn differs_from(&self, expected: &[Content]) -> Option<String> {
        let touched = self.touched.borrow();
        let mut disks = self.copy.disks().into_iter().zip(expected).zip(&*touched);
        disks.find_map(|(((disk, _), expected), touched)| {
            let difference = expected.difference(&self.content(&disk), Some(touched))?;
            Some(format!("{}: {difference}", disk.file_name().unwrap().display()))
        })
    }

    /// Returns how the disks differ from those at the start, all of them read.
    pub(super) fn differs_anywhere(&self) -> Option<String> {
        let mut disks = self.copy.disks().into_iter().zip(&self.start);
        disks.find_map(|((disk, _), start)| start.difference(&self.content(&disk), None))
    }

    /// Returns the classes of the files that are there.
    pub(super) fn classes(&self) -> Vec<Class> {
        let mut classes: Vec<_> = self
            .copy
            .files()
            .iter()
            .map(|name| Class::of(&self.directory.join(name), &self.directory).unwrap())
            .collect();
        classes.sort_unstable();
        classes
    }

    /// Copies all files but the disks.
    pub(super) fn snapshot(&self) -> TempDir {
        let files = temporary();
        for name in self.copy.files() {
            let path = self.directory.join(&name);
            if Class::of(&path, &self.directory) != Some(Class::Disk) {
                copy_sparse(&path, &files.path().join(name));
            }
        }
        files
    }

    /// Puts copies of files beside the disks.
    pub(super) fn place(&self, files: &TempDir) {
        for file in fs::read_dir(files.path()).unwrap() {
            let file = file.unwrap();
            copy_sparse(&file.path(), &self.directory.join(file.file_name()));
        }
    }

    /// Makes the files of the disks what they were built, bit for bit, and removes all others.
    pub(super) fn restore(&self) {
        for name in self.copy.files() {
            let path = self.directory.join(name);
            if Class::of(&path, &self.directory) != Some(Class::Disk) {
                fs::remove_file(path).unwrap();
            }
        }
        for ((disk, original), touched) in self.copy.disks().iter().zip(&mut *self.touched.borrow_mut()) {
            restore(disk, original, &std::mem::take(touched));
        }
    }
}

/// Makes a file what another is, in its place: the record of an undo file knows the inode.
fn restore(disk: &Path, original: &Path, touched: &Touched) {
    let (is, was) = (File::options().write(true).open(disk).unwrap(), File::open(original).unwrap());
    let length = was.metadata().unwrap().len();
    let ranges = touched.ranges();
    if touched.shift > 0 || ranges.first().is_some_and(|(begin, end)| end - begin > length) {
        return copy_sparse(original, disk); // all is elsewhere
    }
    is.set_len(length).unwrap();
    for (begin, end) in ranges {
        let (mut at, end) = (begin, end.min(length));
        while at < end {
            let mut bytes = vec![0; usize::try_from((end - at).min(1 << 20)).unwrap()];
            was.read_exact_at(&mut bytes, at).unwrap();
            is.write_all_at(&bytes, at).unwrap();
            at += u64::try_from(bytes.len()).unwrap();
        }
    }
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(end);
    path.into()
}

fn temporary() -> TempDir {
    tempfile::Builder::new().prefix("guestconv-faults-").tempdir_in("/var/tmp").unwrap()
}

/// Gives a guest a disk with data that no conversion touches.
fn third(copy: &mut Copy) -> TempDir {
    let place = temporary();
    let raw = place.path().join("third.raw");
    let file = File::create(&raw).unwrap();
    file.set_len(32 << 20).unwrap();
    file.write_all_at(&[0xa5; 300_000], 1 << 20).unwrap();
    (&file).flush().unwrap();
    let (original, name) = match copy.format {
        ProofFormat::Raw => (raw, "third.raw"),
        ProofFormat::Qcow2 => {
            let image = place.path().join("third.qcow2");
            crate::images::make_qcow2(&raw, &image);
            (image, "third.qcow2")
        }
    };
    let disk = copy.directory.path().join(name);
    copy_sparse(&original, &disk);
    copy.further.push((disk, original));
    place
}
