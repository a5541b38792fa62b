//! The commit of a disk that is laid out: room, content, head and tail; interrupted; and all of it undone.

use super::*;
use crate::commit::room::Room;
use crate::commit::{self, Head, laid_out::LaidOut};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

const MIB: u64 = 1 << 20;
const HEAD: &[u8] = b"this is the head";
const TAIL: &[u8] = b"this is the tail";

/// A disk, and what it is to be.
pub(super) struct Case {
    pub(super) dir: TempDir,
    spec: DiskSpec,
    room: Room,
    pub(super) before: Vec<u8>,
    pub(super) after: Vec<u8>,
}

impl Case {
    pub(super) fn new(place: &str, format: Format, head_bytes: u64) -> Self {
        let dir = TempDir::new_in(place).unwrap();
        let mut spec = make(dir.path(), "a", Format::Raw);
        let before = testing::noise(SIZE_BYTES);
        if format == Format::Qcow2 {
            let path = dir.path().join("a.qcow2");
            let convert = ["convert", "-f", "raw", "-O", "qcow2", "-o", "cluster_size=4k"];
            let status = Command::new("qemu-img").args(convert).args([&spec.path, &path]).status();
            assert!(status.unwrap().success());
            fs::remove_file(&spec.path).unwrap();
            spec = DiskSpec { path, format, ..spec };
        }
        let size_bytes = SIZE_BYTES as u64;
        let room = Room {
            head_bytes,
            content_bytes: size_bytes,
            old_size_bytes: size_bytes,
            new_size_bytes: head_bytes + size_bytes + MIB,
        };
        let mut after = vec![0; room.new_size_bytes as usize];
        after[head_bytes as usize..][..SIZE_BYTES].copy_from_slice(&model());
        after[4096..][..HEAD.len()].copy_from_slice(HEAD);
        let at = after.len() - 4096;
        after[at..][..TAIL.len()].copy_from_slice(TAIL);
        Self { dir, spec, room, before, after }
    }

    pub(super) fn disks(&self) -> Vec<Disk> {
        disks::open(std::slice::from_ref(&self.spec)).unwrap()
    }

    /// Overlays with what a conversion writes into them, and with a head.
    pub(super) fn overlays(&self, disks: &[Disk]) -> Overlays {
        let mut overlays = Overlays::new(disks, None).unwrap();
        write_overlay(&disks[0], &overlays, 0);
        let path = places::head(&overlays.paths[0]);
        let file = File::create_new(&path).unwrap();
        file.set_len(self.room.head_bytes + MIB).unwrap();
        file.write_all_at(HEAD, 4096).unwrap();
        file.write_all_at(TAIL, self.room.head_bytes + MIB - 4096).unwrap();
        overlays.heads[0] = Some(Head::open(path, self.room).unwrap());
        overlays
    }

    pub(super) fn content(&self) -> Vec<u8> {
        let disk = self.disks().remove(0);
        let mut content = vec![0; disk.base.size() as usize];
        disk.base.read(&mut content, 0).unwrap();
        content
    }

    fn undo_and_check(&self, case: &str) {
        assert!(self.content() == self.after, "{case}");
        undo::undo(std::slice::from_ref(&self.spec), false).unwrap();
        assert!(self.content() == self.before, "{case}: undone");
        let only = self.spec.path.file_name().unwrap().to_str().unwrap();
        assert_eq!(testing::names(self.dir.path()), [only], "{case}");
    }
}

/// The ways: a range inserted (on ext4 and XFS), content moved, a map shifted.
fn cases() -> [(&'static str, Format, u64); 3] {
    [("/tmp", Format::Raw, MIB), ("/dev/shm", Format::Raw, MIB), ("/tmp", Format::Qcow2, 4 * MIB)]
}

#[test]
fn a_laid_out_disk_is_committed_and_undone() {
    for (place, format, head_bytes) in cases() {
        let case = Case::new(place, format, head_bytes);
        let disks = case.disks();
        let overlays = case.overlays(&disks);
        let commit = Commit { overlay_dir: None, target: "kvm", undo: UndoFile::Keep, observer: &Silent };
        commit.commit(&disks, overlays, &mut Timings::default()).unwrap();
        drop(disks);
        case.undo_and_check(&format!("{place} {format:?}"));
    }
}

/// How far an interrupted commit, or an interrupted undo, came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Killed {
    BeforeItBegan,
    WhenItHadBegun,
    WithRoom,
    Folded,
    WithoutOverlay,
}

const ALL: [Killed; 5] =
    [Killed::BeforeItBegan, Killed::WhenItHadBegun, Killed::WithRoom, Killed::Folded, Killed::WithoutOverlay];

fn recover(case: &Case) {
    let mut disks = case.disks();
    commit::recover(&mut disks, None, &Silent, &mut Timings::default()).unwrap();
}

#[test]
fn a_killed_commit_of_a_laid_out_disk_is_finished() {
    for (place, format, head_bytes) in cases() {
        for killed in ALL {
            let case = Case::new(place, format, head_bytes);
            let disks = case.disks();
            let mut overlays = case.overlays(&disks);
            let (overlay, laid_out) =
                (&overlays.images[0], overlays.heads[0].as_ref().unwrap().laid_out.clone());
            overlay.flush().unwrap();
            let undo = places::undo(&disks[0].path, None).unwrap();
            save_originals(&disks[0], overlay, Some(&laid_out), &places::draft(&undo)).unwrap();
            let own = entry(&disks[0], &overlays.paths[0], Some(undo), Some(laid_out), None).unwrap();
            let work = Work::Conversion { target: "kvm".to_owned() };
            // The progress of an earlier commit, which would be mistaken for this one's.
            fs::write(own.progress(), "\"done\"").unwrap();
            let journal = Journal::new(disks[0].path.clone(), work, vec![own]);
            if killed > Killed::BeforeItBegan {
                journal.write().unwrap();
            }
            come_to(killed, &journal, &disks[0], Some(overlay));
            overlays.has_begun = true; // so that the files stay
            drop((overlays, disks));
            recover(&case);
            let told = format!("{place} {format:?} {killed:?}");
            match killed {
                Killed::BeforeItBegan => assert!(case.content() == case.before, "{told}"),
                _ => case.undo_and_check(&told),
            }
        }
    }
}

#[test]
fn a_killed_undo_of_a_laid_out_disk_is_finished() {
    for (place, format, head_bytes) in cases() {
        for killed in ALL {
            let case = Case::new(place, format, head_bytes);
            let disks = case.disks();
            let overlays = case.overlays(&disks);
            let commit = Commit { overlay_dir: None, target: "kvm", undo: UndoFile::Keep, observer: &Silent };
            commit.commit(&disks, overlays, &mut Timings::default()).unwrap();
            drop(disks); // its lock, too
            let disks = case.disks();
            let undo = places::undo(&disks[0].path, None).unwrap();
            let laid_out = LaidOut { head: None, room: case.room };
            let own = entry(&disks[0], &undo, None, Some(laid_out), None).unwrap();
            let journal = Journal::new(disks[0].path.clone(), Work::Undo, vec![own]);
            if killed > Killed::BeforeItBegan {
                journal.write().unwrap();
            }
            let image = disks::overlay::open(None, &undo).unwrap();
            come_to(killed, &journal, &disks[0], Some(&image));
            drop(disks);
            recover(&case);
            let told = format!("{place} {format:?} {killed:?}");
            match killed {
                Killed::BeforeItBegan => case.undo_and_check(&told),
                _ => assert!(case.content() == case.before, "{told}"),
            }
            let only = case.spec.path.file_name().unwrap().to_str().unwrap();
            assert_eq!(testing::names(case.dir.path()), [only], "{told}");
        }
    }
}

/// Does of a commit that has begun as much as was done when it was killed.
fn come_to(killed: Killed, journal: &Journal, disk: &Disk, overlay: Option<&crate::disks::Image>) {
    let own = &journal.disks[0];
    let part = commit::Part { disk, overlay: overlay.cloned() };
    if killed >= Killed::WithRoom {
        commit::change_room(journal, own, &part, crate::Stage::Commit, &Silent).unwrap();
    }
    if killed >= Killed::Folded {
        let target = disk.open_for_writing().unwrap();
        commit::fold_pieces(own, &part, &target).unwrap();
        target.flush().unwrap();
    }
    if killed >= Killed::WithoutOverlay {
        if journal.work == Work::Undo {
            fs::remove_file(places::record(&own.overlay)).unwrap();
        } else {
            // So far only when the undo files have their names.
            let target: PathBuf = own.undo.clone().unwrap();
            commit::keep_undo_files(journal, &[disk.open_for_writing().unwrap()]).unwrap();
            assert!(target.exists());
        }
        fs::remove_file(&own.overlay).unwrap();
    }
}
