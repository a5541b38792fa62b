//! Undo against the disks as they were: whole, of several disks, killed, and refused.

use super::*;
use crate::commit::journal::JournalDisk;
use crate::commit::record::Record;
use crate::commit::{self, UndoOptions};
use sha2::{Digest, Sha256};
use std::os::unix::fs::FileExt;

/// Undoes with all of these disks.
pub(super) fn undo(specs: &[DiskSpec], force: bool) -> Result<()> {
    let disks = disks::open(specs)?;
    commit::undo(&disks, None, &UndoOptions { force }, &Silent, &mut Timings::default())
}

fn hash(path: &Path) -> Vec<u8> {
    Sha256::digest(fs::read(path).unwrap()).to_vec()
}

/// A disk with a hole, of a size that no cluster divides.
fn sparse(dir: &Path, name: &str) -> DiskSpec {
    let spec = make(dir, name, Format::Raw);
    let file = fs::OpenOptions::new().write(true).open(&spec.path).unwrap();
    file.set_len(1 << 20).unwrap();
    file.set_len(SIZE_BYTES as u64).unwrap();
    spec
}

#[test]
fn an_undo_brings_back_every_bit() {
    for (kind, format) in [("noise", Format::Raw), ("sparse", Format::Raw), ("noise", Format::Qcow2)] {
        let dir = tempfile::tempdir().unwrap();
        let disk = |name| match kind {
            "sparse" => sparse(dir.path(), name),
            _ => make(dir.path(), name, format),
        };
        let specs = [disk("a"), disk("b"), disk("c")];
        let names = testing::names(dir.path());
        let hashes = specs.each_ref().map(|spec| hash(&spec.path));
        let contents = specs.each_ref().map(content);
        let mut disks = disks::open(&specs).unwrap();
        commit(&mut disks, &[0, 2], UndoFile::Keep).unwrap();
        drop(disks);
        let beside = |name: &str, suffix: &str| {
            let disk = names.iter().find(|disk| disk.starts_with(name)).unwrap();
            format!("{disk}.guestconv-undo{suffix}")
        };
        let mut kept = names.clone();
        kept.extend([beside("a", ""), beside("a", ".json"), beside("c", ""), beside("c", ".json")]);
        kept.sort();
        assert_eq!(
            testing::names(dir.path()),
            kept,
            "{kind} {format:?}: the undo files are left, and no more"
        );
        assert!(content(&specs[0]) != contents[0]);
        let undo_bytes = fs::metadata(dir.path().join(beside("a", ""))).unwrap().len();
        assert!(undo_bytes < SIZE_BYTES as u64 * 5 / 4, "{undo_bytes}");

        undo(&specs, false).unwrap();
        assert!(specs.each_ref().map(content) == contents, "{kind} {format:?}");
        if format == Format::Raw {
            assert_eq!(specs.each_ref().map(|spec| hash(&spec.path)), hashes, "{kind}");
        }
        assert_eq!(testing::names(dir.path()), names, "{kind} {format:?}");
        assert_eq!(code(undo(&specs, false)), "undo-missing");
    }
}

#[test]
fn an_undo_file_has_only_originals() {
    let dir = tempfile::tempdir().unwrap();
    let spec = make(dir.path(), "a", Format::Raw);
    let disks = disks::open(&[spec]).unwrap();
    let overlays = Overlays::new(&disks, None).unwrap();
    let overlay = &overlays.images[0];
    let same = fs::read(&disks[0].path).unwrap();
    overlay.write(&same[..1 << 20], 0).unwrap(); // written, and no other than before
    overlay.write(&[9; 512][..], 2 << 20).unwrap();
    let draft = dir.path().join("undo");
    save_originals(&disks[0], overlay, None, &draft).unwrap();
    let undo = disks::overlay::open(None, &draft).unwrap();
    let (mut offset, mut found) = (0, Vec::new());
    while offset < undo.size() {
        let (held, length) = fold::held(&undo, offset).unwrap();
        if held != fold::Held::Nothing {
            found.push((offset, length, held));
        }
        offset += length;
    }
    assert_eq!(found, [(2 << 20, 16 << 10, fold::Held::Data)]);
}

#[test]
fn a_disk_that_was_written_since_is_refused_unless_forced() {
    let dir = tempfile::tempdir().unwrap();
    let specs = [make(dir.path(), "a", Format::Raw), make(dir.path(), "b", Format::Raw)];
    let before = hash(&specs[1].path);
    let mut disks = disks::open(&specs).unwrap();
    commit(&mut disks, &[0, 1], UndoFile::Keep).unwrap();
    drop(disks);
    assert_eq!(code(undo(&specs[..1], false)), "undo-incomplete");
    let converted = hash(&specs[1].path);
    let file = fs::OpenOptions::new().write(true).open(&specs[1].path).unwrap();
    file.write_all_at(&[0; 512], 0).unwrap();
    assert_eq!(code(undo(&specs, false)), "undo-disk-changed");
    assert_ne!(hash(&specs[1].path), converted);
    assert_eq!(testing::names(dir.path()).len(), 6, "nothing was changed");
    // The model changes the first sector, so that nothing of it is left.
    undo(&specs, true).unwrap();
    assert_eq!(hash(&specs[1].path), before);
    file.set_len(1 << 20).unwrap();
}

#[test]
fn a_disk_that_became_smaller_is_refused_even_if_forced() {
    let dir = tempfile::tempdir().unwrap();
    let spec = make(dir.path(), "a", Format::Raw);
    let mut disks = disks::open(std::slice::from_ref(&spec)).unwrap();
    commit(&mut disks, &[0], UndoFile::Keep).unwrap();
    drop(disks);
    fs::OpenOptions::new().write(true).open(&spec.path).unwrap().set_len(1 << 20).unwrap();
    assert_eq!(code(undo(&[spec], true)), "undo-disk-changed");
}

#[test]
fn an_undo_file_that_is_not_whole_or_not_ours_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let spec = make(dir.path(), "a", Format::Raw);
    let specs = std::slice::from_ref(&spec);
    let mut disks = disks::open(specs).unwrap();
    commit(&mut disks, &[0], UndoFile::Keep).unwrap();
    assert_eq!(code(commit::require_no_undo(&disks, None)), "undo-exists");
    let undo_file = dir.path().join("a.img.guestconv-undo");
    let record = dir.path().join("a.img.guestconv-undo.json");
    let (whole, text) = (fs::read(&undo_file).unwrap(), fs::read_to_string(&record).unwrap());
    let moved = text.replace("a.img\"", "b.img\"");
    for (undo_bytes, record_text) in [
        (None, Some(text.as_str())),
        (Some(whole.as_slice()), None),
        (Some(&b"nonsense"[..]), Some(&text)),
        (Some(&whole), Some("nonsense")),
        (Some(&whole), Some(&moved)),
    ] {
        fs::remove_file(&undo_file).ok();
        fs::remove_file(&record).ok();
        undo_bytes.into_iter().for_each(|bytes| fs::write(&undo_file, bytes).unwrap());
        record_text.into_iter().for_each(|text| fs::write(&record, text).unwrap());
        assert_eq!(code(undo(specs, true)), "undo-damaged", "{record_text:?}");
        assert_eq!(code(commit::require_no_undo(&disks, None)), "undo-exists", "{record_text:?}");
    }
    commit::discard_undo(&disks, None).unwrap();
    assert_eq!(testing::names(dir.path()), ["a.img"]);
    assert_eq!(code(commit::discard_undo(&disks, None)), "undo-missing");
    assert_eq!(code(commit::require_no_undo(&disks, None)), "done");
}

#[test]
fn a_killed_undo_is_finished_by_the_next_open_or_had_not_begun() {
    for format in [Format::Raw, Format::Qcow2] {
        for (has_begun, folded, removed) in
            [(false, 0, 0), (true, 0, 0), (true, 1, 0), (true, 2, 0), (true, 2, 1)]
        {
            let case = format!("{format:?} {has_begun} {folded} {removed}");
            let dir = tempfile::tempdir().unwrap();
            let specs = [make(dir.path(), "a", format), make(dir.path(), "b", format)];
            let names = testing::names(dir.path());
            let mut disks = disks::open(&specs).unwrap();
            commit(&mut disks, &[0, 1], UndoFile::Keep).unwrap();
            let record = Record::of(&disks[0], None).unwrap().unwrap();
            let entries: Vec<JournalDisk> = disks
                .iter()
                .zip(&record.disks)
                .map(|(disk, own)| entry(disk, &own.undo, None, None, None).unwrap())
                .collect();
            let journal = Journal::new(disks[0].path.clone(), Work::Undo, entries);
            journal.write().unwrap();
            if !has_begun {
                fs::remove_file(&journal.disks[0].journal).unwrap();
            }
            for (disk, own) in disks.iter().zip(&record.disks).take(folded) {
                let (undo, target) =
                    (disks::overlay::open(None, &own.undo).unwrap(), disk.open_for_writing().unwrap());
                fold::fold(&undo, &target).unwrap();
                target.flush().unwrap();
            }
            for own in record.disks.iter().take(removed) {
                fs::remove_file(places::record(&own.undo)).unwrap();
                fs::remove_file(&own.undo).unwrap();
            }
            drop(disks);

            let mut disks = disks::open(&specs).unwrap();
            let recovery = commit::recover(&mut disks, None, &Silent, &mut Timings::default()).unwrap();
            drop(disks);
            assert_eq!(recovery.finished, has_begun.then_some(commit::Finished::Undo), "{case}");
            if !has_begun {
                undo(&specs, false).unwrap();
            }
            for spec in &specs {
                assert!(content(spec) == testing::noise(SIZE_BYTES), "{case}");
            }
            assert_eq!(testing::names(dir.path()), names, "{case}");
        }
    }
}
