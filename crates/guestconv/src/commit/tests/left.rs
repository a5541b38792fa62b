//! What a conversion that failed or was killed leaves beside the disks: nothing, after the next open at the latest.

use super::*;
use crate::commit::{self, own};

#[test]
fn files_of_a_killed_conversion_go_and_all_others_stay() {
    let ours = [
        ("overlay", &b"QFI\xfb and more"[..]),
        ("overlay", b""), // killed before its header was written
        ("overlay", &[0; 512]),
        ("overlay-head", b"any"),
        ("undo-draft", b"QFI\xfb"),
        ("undo-draft", b""),
        ("undo.json-draft", b"{"),
        ("commit-draft", b"{"),
        ("commit-progress", b"{}"),
        ("commit-progress-draft", b""),
        ("trial", b""),
    ];
    let others =
        [("overlay", &b"notes of mine"[..]), ("undo", b"QFI\xfb"), ("undo.json", b"{}"), ("other", b"")];
    for (is_ours, end, bytes) in ours
        .map(|(end, bytes)| (true, end, bytes))
        .into_iter()
        .chain(others.map(|(end, bytes)| (false, end, bytes)))
    {
        let dir = tempfile::tempdir().unwrap();
        let spec = make(dir.path(), "a", Format::Raw);
        let name = format!("a.img.guestconv-{end}");
        fs::write(dir.path().join(&name), bytes).unwrap();
        let mut disks = disks::open(&[spec]).unwrap();
        commit::recover(&mut disks, None, &Silent, &mut Timings::default()).unwrap();
        let mut expected = vec!["a.img".to_owned()];
        expected.extend((!is_ours).then_some(name));
        assert_eq!(testing::names(dir.path()), expected, "{end} {bytes:?}");
    }
}

#[test]
fn a_commit_whose_journals_cannot_all_be_written_has_not_begun() {
    let dir = tempfile::tempdir().unwrap();
    let specs = [make(dir.path(), "a", Format::Raw), make(dir.path(), "b", Format::Raw)];
    let names = testing::names(dir.path());
    let in_the_way = dir.path().join("a.img.guestconv-commit-draft"); // the first disk's journal is the last
    fs::create_dir(&in_the_way).unwrap();
    let mut disks = disks::open(&specs).unwrap();
    assert_eq!(code(commit(&mut disks, &[0, 1], UndoFile::Keep)), "journal-failed");
    fs::remove_dir(in_the_way).unwrap();
    assert_eq!(testing::names(dir.path()), names, "nothing is left, the other disk's journal neither");
    assert!(specs.iter().all(|spec| content(spec) == testing::noise(SIZE_BYTES)));
}

#[test]
fn a_document_that_cannot_be_written_leaves_no_draft() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("document");
    fs::create_dir_all(place.join("in-the-way")).unwrap();
    own::write(&place, &"text").unwrap_err();
    assert_eq!(testing::names(dir.path()), ["document"]);
}
