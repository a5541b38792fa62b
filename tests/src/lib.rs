//! What the whole-system tests share: copies of real guests, comparisons of disks and files, and boots, one at a time.
//!
//! Guests are found in the directory that `GUESTCONV_GUESTS` names, the appliance by `GUESTCONV_APPLIANCE`, what a user
//! installs by `GUESTCONV_DIST`; `cargo xtask test` makes all and names them. Where one is missing a test skips and says
//! so, unless `GUESTCONV_REQUIRE_GUESTS` is set: then it fails.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "it is a test's: what fails here fails the test"
)]

mod corpus;
mod data;
pub mod faults;
pub mod images;
pub mod json_schema;
mod line;
pub mod programs;
pub mod running;
mod subjects;

pub use corpus::campaign;
pub use data::test_data;
pub use guestconv_core::fixtures::relaxng;
pub use images::{are_identical, copy_sparse};
pub use line::{convert, line};
pub use subjects::{EXAMPLES, EXAMPLES_TARGET, SUBJECTS, Subject};

use guestconv::core::change::Change;
use guestconv::core::hardware::Hardware;
use guestconv::core::path::GuestPath;
use guestconv::core::plan::{Nic, Plan, PlanOptions, PlanRoot};
use guestconv::prove::{
    Accelerator, ExpectedNic, Login, Machine, Proof, ProofDisk, ProofFormat, ProveOptions, prove,
};
use guestconv::{DiskSpec, Format, Guest, Options};
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A copy of a guest that a test may do anything to; it goes with this.
pub struct Copy {
    /// What it is a copy of.
    pub subject: &'static Subject,
    /// The copy of the first disk.
    pub disk: PathBuf,
    /// The first disk as it was built.
    pub original: PathBuf,
    /// The copies of the other disks, each with the disk as it was built.
    pub further: Vec<(PathBuf, PathBuf)>,
    /// The format of the copies, and of the disks as they were built.
    pub format: ProofFormat,
    /// The directory of the copy, with nothing else in it.
    pub directory: TempDir,
    /// Where the disks as they were built are, if they are not the guest's own.
    _originals: Option<TempDir>,
}

/// Returns a copy of the tree that a user installs, so in a place that it was not made for; `None`, with a word on
/// stderr, if there is none, or one of the programs is missing that a test needs, and none is required.
///
/// # Panics
/// If it is missing and required, or cannot be copied.
pub fn installed(programs: &[&str]) -> Option<TempDir> {
    let tree = env::var_os("GUESTCONV_DIST").map(PathBuf::from);
    let is_missing = |program: &&&str| {
        let mut version = Command::new(program);
        version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err()
    };
    let missing = match (&tree, programs.iter().find(is_missing)) {
        (None, _) => Some("GUESTCONV_DIST"),
        (_, program) => program.copied(),
    };
    if let Some(missing) = missing {
        assert!(
            env::var_os("GUESTCONV_REQUIRE_GUESTS").is_none(),
            "{missing} is missing; run: cargo xtask test"
        );
        eprintln!("skipped: {missing} is missing; cargo xtask test makes or installs it");
        return None;
    }
    let copy = tempfile::Builder::new().prefix("guestconv-tree-").tempdir_in("/var/tmp").unwrap();
    let copied = Command::new("cp").arg("-a").arg(tree?.join(".")).arg(copy.path()).status().unwrap();
    assert!(copied.success(), "the tree is copied");
    Some(copy)
}

/// Returns a copy of the guest of that name; `None`, with a word on stderr, if there is none and none is required.
///
/// # Panics
/// If there is none and it is required, or it cannot be copied.
pub fn copy(name: &str) -> Option<Copy> {
    let subject = SUBJECTS.iter().find(|subject| subject.name == name).unwrap();
    let original = original(name)?;
    let directory = tempfile::Builder::new().prefix("guestconv-test-").tempdir_in("/var/tmp").unwrap();
    let disk = directory.path().join("disk.raw");
    copy_sparse(&original, &disk);
    let beside = |name: &String| (directory.path().join(name), original.with_file_name(name));
    let built = (2..).map(|number| beside(&format!("disk-{number}.raw")));
    let further: Vec<_> = built.take_while(|(_, original)| original.is_file()).collect();
    further.iter().for_each(|(disk, original)| copy_sparse(original, disk));
    let format = ProofFormat::Raw;
    Some(Copy { subject, disk, original, further, format, directory, _originals: None })
}

/// The same, in qcow2 with clusters of 64 KiB, as QEMU makes them.
///
/// # Panics
/// As [`copy`].
pub fn copy_in_qcow2(name: &str) -> Option<Copy> {
    let raw = copy(name)?;
    let originals = tempfile::Builder::new().prefix("guestconv-test-").tempdir_in("/var/tmp").unwrap();
    let converted = raw.disks().into_iter().map(|(disk, _)| {
        let original = originals.path().join(disk.file_name().unwrap()).with_extension("qcow2");
        let copy = disk.with_extension("qcow2");
        images::make_qcow2(&disk, &original);
        copy_sparse(&original, &copy);
        fs::remove_file(disk).unwrap();
        (copy, original)
    });
    let mut disks: Vec<_> = converted.collect();
    let (disk, original) = disks.remove(0);
    let format = ProofFormat::Qcow2;
    Some(Copy { disk, original, further: disks, format, _originals: Some(originals), ..raw })
}

/// Returns the disk of the guest of that name as it was built, to be read only; `None`, with a word on stderr, if there is
/// none and none is required.
///
/// # Panics
/// If there is none and it is required.
pub fn original(name: &str) -> Option<PathBuf> {
    let guests = env::var_os("GUESTCONV_GUESTS").map(PathBuf::from).unwrap_or_default();
    let original = guests.join(name).join("disk.raw");
    let has_appliance = env::var_os("GUESTCONV_APPLIANCE").is_some();
    if !original.is_file() || !has_appliance {
        let missing =
            if has_appliance { original.display().to_string() } else { "GUESTCONV_APPLIANCE".into() };
        // A guest that the house does not build yet is not missing.
        let is_described =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../guests/{name}.toml")).is_file();
        let is_required = env::var_os("GUESTCONV_REQUIRE_GUESTS").is_some() && is_described;
        assert!(!is_required, "{missing} is missing; run: cargo xtask test");
        eprintln!("skipped: {missing} is missing; cargo xtask test makes it");
        return None;
    }
    Some(original)
}

/// Returns a copy of the guest of that name with its disk where the examples want it: `test.img`. `None` as [`copy`].
///
/// # Panics
/// As [`copy`].
pub fn copy_for_examples(name: &str) -> Option<Copy> {
    let mut copy = copy(name)?;
    let disk = copy.directory.path().join("test.img");
    fs::rename(&copy.disk, &disk).unwrap();
    copy.disk = disk;
    Some(copy)
}

impl Copy {
    /// Opens the guest, with what opens its encrypted devices.
    ///
    /// # Panics
    /// If it cannot be opened.
    pub fn open(&self, options: Options) -> Guest {
        let keys = self.subject.key.iter().map(|key| key.parse().unwrap()).collect();
        self.open_with(Options { keys, ..options })
    }

    /// Opens the guest with the keys of the options instead of its own.
    ///
    /// # Panics
    /// If it cannot be opened.
    pub fn open_with(&self, options: Options) -> Guest {
        Guest::open(self.specs(), options).unwrap()
    }

    /// Returns the disks in order, as they are opened.
    pub fn specs(&self) -> Vec<DiskSpec> {
        let format = match self.format {
            ProofFormat::Raw => Format::Raw,
            ProofFormat::Qcow2 => Format::Qcow2,
        };
        self.disks().into_iter().map(|(disk, _)| DiskSpec { format, ..DiskSpec::new(disk) }).collect()
    }

    /// Returns the disks in order, each with the disk as it was built.
    pub fn disks(&self) -> Vec<(PathBuf, PathBuf)> {
        let first = (self.disk.clone(), self.original.clone());
        std::iter::once(first).chain(self.further.iter().cloned()).collect()
    }

    /// Returns the wishes of the conversion: each interface gets a card with a MAC address of ours.
    pub fn plan_options(&self) -> PlanOptions {
        let nic = |(index, (name, _)): (usize, &(&str, Option<&str>))| Nic {
            name: Some((*name).to_owned()),
            mac: format!("52:54:00:ab:cd:{:02x}", index + 1),
        };
        PlanOptions {
            nics: self.subject.nics.iter().enumerate().map(nic).collect(),
            ..PlanOptions::default()
        }
    }

    /// Returns whether the disks are still what was built, bit for bit.
    pub fn is_pristine(&self) -> bool {
        are_pristine(&self.disks())
    }

    /// Asserts that an image in qcow2 is sound, and that the guest sees what was built.
    ///
    /// # Panics
    /// If it is not, or differs.
    pub fn assert_as_built(&self, when: &str) {
        for (disk, original) in self.disks() {
            let is_same = match self.format {
                ProofFormat::Raw => are_identical(&disk, &original),
                ProofFormat::Qcow2 => images::are_same_qcow2(&disk, &original),
            };
            assert!(is_same, "{} {when}: {} is not as it was", self.subject.name, disk.display());
        }
    }

    /// Asserts that images in qcow2 are sound: nothing is missing, counted wrongly or lost.
    ///
    /// # Panics
    /// If one is not.
    pub fn assert_sound(&self) {
        if self.format == ProofFormat::Qcow2 {
            self.disks().iter().for_each(|(disk, _)| images::assert_sound_qcow2(disk));
        }
    }

    /// Returns what is in the directory of the copy.
    ///
    /// # Panics
    /// If it cannot be read.
    pub fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Boots the copy on a plan's hardware, logs in, and returns the proof.
    ///
    /// # Panics
    /// If it cannot be booted.
    pub fn boot(&self, hardware: &Hardware) -> Proof {
        self.boot_of(self.subject, hardware)
    }

    /// The same, when it is this system that starts.
    ///
    /// # Panics
    /// If it cannot be booted.
    pub fn boot_of(&self, system: &Subject, hardware: &Hardware) -> Proof {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let expected = system.nics.iter().map(|(name, static_address)| ExpectedNic {
            id: (*name).to_owned(),
            addresses: static_address.iter().map(|text| address(text)).collect(),
        });
        let options = ProveOptions {
            login: Some(Login { user: "root".into(), password: "guestconv".into() }),
            expected: expected.collect(),
            evidence: Some(env::temp_dir().join("guestconv-boots").join(system.name)),
            // A KVM that runs the probe's tiny guest may still stand still with a whole one, where it is nested.
            accelerator: Accelerator::Tcg,
            // A host with neighbours may take three minutes for what it else does in one.
            time_limit: Duration::from_secs(600),
            ..ProveOptions::default()
        };
        let disk = |(path, _): (PathBuf, PathBuf)| ProofDisk { path, format: self.format };
        let disks: Vec<_> = self.disks().into_iter().map(disk).collect();
        let proof = prove(&disks, &Machine::of(hardware), &options).unwrap();
        if proof.attempts > 1 {
            eprintln!("{}: the emulator failed, so it was booted again", system.name);
        }
        proof
    }

    /// Sets what GRUB starts next, once: an entry's title or id. `start_bytes` is where on the first disk the file system
    /// with GRUB's environment block begins, ext4.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn start_next(&self, entry: &str, start_bytes: u64) {
        let mut block = format!("# GRUB Environment Block\nnext_entry={entry}\n");
        block.extend(std::iter::repeat_n('#', 1024 - block.len()));
        let file = self.directory.path().join("grubenv");
        fs::write(&file, block).unwrap();
        let disk = format!("{}?offset={start_bytes}", self.disk.display());
        for request in
            ["rm /boot/grub/grubenv".to_owned(), format!("write {} /boot/grub/grubenv", file.display())]
        {
            let mut debugfs = Command::new("debugfs");
            let output = debugfs.args(["-w", "-R", &request, &disk]).output().unwrap();
            assert!(output.status.success(), "{request}: {}", String::from_utf8_lossy(&output.stderr));
        }
        fs::remove_file(file).unwrap();
    }
}

/// Asserts that a guest came up with its root device and its interfaces as they were.
///
/// # Panics
/// If it did not.
pub fn assert_as_before(subject: &Subject, root: &str, proof: &Proof) {
    assert!(proof.passed, "{}: {:?}\n{}", subject.name, proof.reasons, proof.serial_tail.join("\n"));
    let names: Vec<_> = proof.nics.iter().map(|nic| nic.name.as_deref().unwrap_or("")).collect();
    let states: Vec<_> = proof.nics.iter().map(|nic| nic.state.as_str()).collect();
    let expected: Vec<_> = subject.nics.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        (proof.root_device.as_deref(), names, states),
        (Some(root), expected.clone(), vec!["up"; expected.len()]),
        "{}: {proof:?}",
        subject.name
    );
}

/// Returns the paths of each root whose lines differ between two manifests.
pub fn differing(before: &[String], after: &[String]) -> BTreeSet<(String, String)> {
    let by_path = |lines: &[String]| -> BTreeMap<(String, String), String> {
        lines.iter().filter_map(|line| parsed(line)).collect()
    };
    let (before, after) = (by_path(before), by_path(after));
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).cloned().collect();
    keys.into_iter().filter(|key| before.get(key) != after.get(key)).collect()
}

/// Returns the device, the path and the rest of a manifest's line: `DEVICE PATH KIND MODE OWNER …`. Paths may hold blanks.
fn parsed(line: &str) -> Option<((String, String), String)> {
    let (device, rest) = line.split_once(' ')?;
    let is_mode = |word: &str| word.len() == 4 && word.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    let mut at = 0;
    for word in rest.split(' ') {
        if at > 0 && is_mode(word) {
            let (path, kind) = rest.get(..at - 1)?.rsplit_once(' ')?;
            let what = format!("{kind} {}", rest.get(at..)?);
            return Some(((device.to_owned(), path.to_owned()), what));
        }
        at += word.len() + 1;
    }
    None
}

/// Returns the paths that a plan names, by device and place on it, with the directories above them, which it may make.
///
/// # Panics
/// If the plan names a root that it does not have, or runs a command.
pub fn planned(plan: &Plan) -> BTreeSet<(String, String)> {
    let mut paths = BTreeSet::new();
    for step in &plan.steps {
        let root = plan.roots.get(step.root).unwrap();
        for change in &step.changes {
            assert!(
                !matches!(change, Change::Run { .. }),
                "a conversion does not do this by itself: {change:?}"
            );
            if let Change::LayOut(lay_out) = change {
                let esp = lay_out.table.partitions.iter().find(|partition| partition.number == 15).unwrap();
                let made = ["/", "/EFI", "/EFI/BOOT", "/EFI/BOOT/BOOTX64.EFI"];
                paths.extend(made.map(|path| (esp.device.to_string(), path.to_owned())));
                continue;
            }
            let mut path = change.path().unwrap().clone();
            while path.as_str() != "/" && paths.insert(place(root, &path)) {
                path = path.parent();
            }
        }
    }
    paths
}

/// Returns the device that holds a path of a root, and the path on it, subvolume first.
fn place(root: &PlanRoot, path: &GuestPath) -> (String, String) {
    let holds = root.mounts.iter().filter(|mount| path.is_below(&mount.mountpoint));
    let mount = holds.max_by_key(|mount| mount.mountpoint.as_str().len()).unwrap();
    let inside = path.as_str().strip_prefix(mount.mountpoint.as_str().trim_end_matches('/')).unwrap();
    let subvolume = mount.subvolume.as_ref().map(|name| format!("/{name}")).unwrap_or_default();
    (mount.device.to_string(), format!("{subvolume}{inside}"))
}

/// Returns whether disks are what was built, bit for bit.
pub fn are_pristine(disks: &[(PathBuf, PathBuf)]) -> bool {
    disks.iter().all(|(disk, original)| are_identical(disk, original))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_compared_by_root_and_path() {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let before = lines(&[
            "/dev/sda1 / directory 0755 0 0",
            "/dev/sda1 /a b file 0644 0 0 1 aa",
            "/dev/sda1 /gone file 0644 0 0 1 aa",
            "/dev/sda2 /a b file 0644 0 0 1 aa",
        ]);
        let after = lines(&[
            "/dev/sda1 / directory 0755 0 0",
            "/dev/sda1 /a b file 0644 0 0 1 bb",
            "/dev/sda1 /new file 0644 0 0 1 aa",
            "/dev/sda2 /a b file 0644 0 0 1 aa",
        ]);
        let expected = ["/a b", "/gone", "/new"].map(|path| ("/dev/sda1".to_owned(), path.to_owned()));
        assert_eq!(differing(&before, &after), BTreeSet::from(expected));
    }
}
