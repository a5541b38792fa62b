//! Commits against a model, whole, interrupted, and killed.

mod laid_out;
mod left;
mod output;
mod undo;

use super::journal::{Journal, Work};
use super::{Commit, Overlays, UndoFile, entry, fold, places, save_originals};
use crate::disks::{DiskSpec, Format};
use crate::error::Result;
use crate::guest::{Guest, Options};
use crate::observe::{Silent, Timings};
use crate::testing;
use crate::{disks, disks::Disk};
use std::fs;
use std::path::Path;

const SIZE_BYTES: usize = 3 << 20;

/// Writes into the overlays what `write_pattern` does to a model.
fn write_overlay(disk: &Disk, overlays: &Overlays, index: usize) {
    let overlay = &overlays.images[index];
    let mut content = vec![0; SIZE_BYTES];
    overlay.read(&mut content, 0).unwrap();
    testing::write_pattern(&mut content);
    // In pieces that fit no cluster, some of them zeroes.
    for (number, piece) in content.chunks(50_000).enumerate() {
        overlay.write(piece, (number * 50_000) as u64).unwrap();
    }
    overlay.write_zeroes(100_000, 300_000).unwrap();
    assert_eq!(disk.base.size(), SIZE_BYTES as u64);
}

fn model() -> Vec<u8> {
    let mut model = testing::noise(SIZE_BYTES);
    testing::write_pattern(&mut model);
    model[100_000..400_000].fill(0);
    model
}

/// Makes the same disk in a format; returns what the guest sees of it, by imago.
fn make(dir: &Path, name: &str, format: Format) -> DiskSpec {
    let mut spec = testing::disk(dir, name, SIZE_BYTES);
    if format == Format::Qcow2 {
        let raw = disks::open(std::slice::from_ref(&spec)).unwrap().remove(0);
        let path = dir.join(format!("{name}.qcow2"));
        // An overlay that holds everything is a qcow2 image of its own.
        let image = disks::overlay::in_file(&raw.base, &path, None).unwrap();
        let content = fs::read(&spec.path).unwrap();
        image.write(&content, 0).unwrap();
        image.flush().unwrap();
        fs::remove_file(&spec.path).unwrap();
        spec = DiskSpec { path, format, allow_backing: true, ..spec };
    }
    spec
}

fn content(spec: &DiskSpec) -> Vec<u8> {
    let disk = disks::open(std::slice::from_ref(spec)).unwrap().remove(0);
    let mut content = vec![0; SIZE_BYTES];
    disk.base.read(&mut content, 0).unwrap();
    content
}

/// Commits what `write_overlay` writes to the disks of these indexes.
fn commit(disks: &mut [Disk], indexes: &[usize], undo: UndoFile) -> Result<()> {
    let overlays = Overlays::new(disks, None)?;
    indexes.iter().for_each(|index| write_overlay(&disks[*index], &overlays, *index));
    let commit = Commit { overlay_dir: None, target: "kvm", undo, observer: &Silent };
    commit.commit(disks, overlays, &mut Timings::default())?;
    disks.iter_mut().try_for_each(Disk::reopen)
}

fn code<T>(result: Result<T>) -> String {
    result.err().map_or("done".to_owned(), |error| error.code().to_owned())
}

#[test]
fn what_was_written_to_the_overlays_is_in_the_disks_and_nothing_else_is() {
    for format in [Format::Raw, Format::Qcow2] {
        let dir = tempfile::tempdir().unwrap();
        let specs =
            [make(dir.path(), "a", format), make(dir.path(), "b", format), make(dir.path(), "c", format)];
        let (before, untouched) = (testing::names(dir.path()), fs::read(&specs[1].path).unwrap());
        let mut disks = disks::open(&specs).unwrap();
        commit(&mut disks, &[0, 2], UndoFile::Leave).unwrap();
        assert!(disks[0].counters.traffic().committed_bytes > 0);
        assert_eq!(disks[1].counters.traffic().committed_bytes, 0);
        drop(disks);
        for (spec, expected) in specs.iter().zip([model(), testing::noise(SIZE_BYTES), model()]) {
            assert!(content(spec) == expected, "{format:?} {}", spec.path.display());
        }
        assert!(fs::read(&specs[1].path).unwrap() == untouched, "a data disk is not opened for writing");
        assert_eq!(testing::names(dir.path()), before, "overlays and journals are gone");
    }
}

#[test]
fn a_second_fold_writes_nothing_but_zeroes() {
    let dir = tempfile::tempdir().unwrap();
    let spec = make(dir.path(), "a", Format::Raw);
    let disks = disks::open(&[spec]).unwrap();
    let overlays = Overlays::new(&disks, None).unwrap();
    assert!(!fold::is_changed(&overlays.images[0]).unwrap());
    write_overlay(&disks[0], &overlays, 0);
    let target = disks[0].open_for_writing().unwrap();
    let first = fold::fold(&overlays.images[0], &target).unwrap();
    let second = fold::fold(&overlays.images[0], &target).unwrap();
    assert!(first > second && second <= 300_000, "{first} {second}");
}

/// Leaves what a process leaves that is killed: the files, not the locks.
fn killed(specs: &[DiskSpec], journals: &[usize], folded: usize) {
    let disks = disks::open(specs).unwrap();
    let mut overlays = Overlays::new(&disks, None).unwrap();
    for (index, disk) in disks.iter().enumerate() {
        write_overlay(disk, &overlays, index);
        overlays.images[index].flush().unwrap();
    }
    let mut entries = Vec::new();
    for (disk, overlay) in disks.iter().zip(&overlays.images) {
        let undo = places::undo(&disk.path, None).unwrap();
        save_originals(disk, overlay, None, &places::draft(&undo)).unwrap();
        let overlay = places::overlay(&disk.path, None).unwrap();
        entries.push(entry(disk, &overlay, Some(undo), None, None).unwrap());
    }
    let journal = Journal::new(disks[0].path.clone(), Work::Conversion { target: "kvm".to_owned() }, entries);
    let aside = tempfile::tempdir().unwrap();
    journal.write().unwrap();
    for (index, disk) in disks.iter().enumerate() {
        if !journals.contains(&index) {
            let name = format!("{}.guestconv-commit", disk.path.file_name().unwrap().to_str().unwrap());
            fs::rename(disk.path.with_file_name(&name), aside.path().join(&name)).unwrap_or_else(|_| {
                fs::remove_file(disk.path.with_file_name(&name)).unwrap();
            });
        }
    }
    for (disk, overlay) in disks.iter().zip(&overlays.images).take(folded) {
        let target = disk.open_for_writing().unwrap();
        fold::fold(overlay, &target).unwrap();
        target.flush().unwrap();
    }
    overlays.has_begun = true; // so that the files stay
}

#[test]
fn an_interrupted_commit_is_finished_or_forgotten_by_the_next_open() {
    for format in [Format::Raw, Format::Qcow2] {
        for (journals, folded, is_done) in [
            (vec![], 0, false),    // killed while applying
            (vec![1], 0, false),   // killed while writing journals: the first disk's is the last
            (vec![0, 1], 0, true), // killed when it had begun
            (vec![0, 1], 1, true), // killed between the disks
            (vec![0, 1], 2, true), // killed before the overlays went
            (vec![0], 2, true),    // killed while the journals went
        ] {
            let dir = tempfile::tempdir().unwrap();
            let specs = [make(dir.path(), "a", format), make(dir.path(), "b", format)];
            let before = testing::names(dir.path());
            killed(&specs, &journals, folded);
            if is_done && journals.len() == 2 {
                let mut one = disks::open(&specs[1..]).unwrap();
                let result = super::recover(&mut one, None, &Silent, &mut Timings::default());
                assert_eq!(code(result), "commit-unfinished", "the other disk is missing");
            }
            let mut disks = disks::open(&specs).unwrap();
            super::recover(&mut disks, None, &Silent, &mut Timings::default()).unwrap();
            drop(disks);
            let expected = if is_done { model() } else { testing::noise(SIZE_BYTES) };
            for spec in &specs {
                assert!(
                    content(spec) == expected,
                    "{format:?} {journals:?} {folded} {}",
                    spec.path.display()
                );
            }
            if is_done {
                undo::undo(&specs, false).unwrap();
                let all_back = specs.iter().all(|spec| content(spec) == testing::noise(SIZE_BYTES));
                assert!(all_back, "{format:?} {journals:?} {folded}: the undo of a commit that was finished");
            }
            assert_eq!(testing::names(dir.path()), before, "{journals:?} {folded}");
        }
    }
}

#[test]
fn a_journal_that_is_not_ours_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let spec = make(dir.path(), "a", Format::Raw);
    let place = dir.path().join("a.img.guestconv-commit");
    let other = Journal::new("/etc/shadow".into(), Work::Undo, Vec::new());
    for text in ["", "nonsense", &serde_json::to_string(&other).unwrap()] {
        fs::write(&place, text).unwrap();
        let mut disks = disks::open(std::slice::from_ref(&spec)).unwrap();
        let result = super::recover(&mut disks, None, &Silent, &mut Timings::default());
        assert_eq!(code(result), "journal-foreign", "{text}");
    }
    fs::remove_file(&place).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &place).unwrap();
    let mut disks = disks::open(&[spec]).unwrap();
    assert_eq!(code(super::recover(&mut disks, None, &Silent, &mut Timings::default())), "journal-foreign");
}

#[test]
fn killed_while_applying_leaves_the_disks_as_they_were() {
    let Some(options) = testing::options() else { return };
    let dir = tempfile::tempdir().unwrap();
    let spec = testing::disk(dir.path(), "stuck", SIZE_BYTES);
    let before = fs::read(&spec.path).unwrap();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "commit::tests::as_the_one_that_is_killed", "--nocapture"])
        .env("GUESTCONV_TEST_APPLIANCE", options.appliance.as_ref().unwrap())
        .env("GUESTCONV_TEST_DISK", &spec.path)
        .spawn()
        .unwrap();
    let overlay = dir.path().join("stuck.img.guestconv-overlay");
    let written = || fs::metadata(&overlay).map_or(0, |there| there.len());
    let begun = std::time::Instant::now();
    while written() < 1 << 20 && begun.elapsed().as_secs() < 30 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(written() >= 1 << 20, "the appliance writes into the overlay");
    assert_eq!(code(Guest::open(vec![spec.clone()], options.clone())), "disk-in-use");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(fs::read(&spec.path).unwrap() == before, "bit for bit");
    drop(Guest::open(vec![spec.clone()], options).unwrap());
    assert_eq!(testing::names(dir.path()), ["stuck.img"]);
    assert!(fs::read(&spec.path).unwrap() == before, "bit for bit");
}

#[test]
fn as_the_one_that_is_killed() {
    let variable = std::env::var_os;
    let (Some(appliance), Some(disk)) =
        (variable("GUESTCONV_TEST_APPLIANCE"), variable("GUESTCONV_TEST_DISK"))
    else {
        return;
    };
    let options = Options { appliance: Some(appliance.into()), ..Options::default() };
    let spec = DiskSpec { name: Some("stuck".into()), format: Format::Raw, ..DiskSpec::new(disk) };
    let mut guest = Guest::open(vec![spec], options).unwrap();
    drop(guest.convert(&testing::some_plan(), &crate::ConvertOptions::default()));
}
