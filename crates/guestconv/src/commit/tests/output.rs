//! New images: the content of the overlays, sparse, all or none; the source is as it was.

use super::laid_out::Case;
use super::*;
use crate::commit::Output;
use crate::disks::ImageFormat;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::PathBuf;

fn written(disks: &[Disk], outputs: &[PathBuf], format: Option<ImageFormat>) -> Result<()> {
    let output = Output::new(disks, outputs)?;
    let overlays = Overlays::for_output(disks, &output)?;
    (0..disks.len()).for_each(|index| write_overlay(&disks[index], &overlays, index));
    output.write(disks, &overlays, format, &Silent)
}

#[test]
fn a_new_image_has_the_result_and_the_source_is_as_it_was() {
    for (from, to) in [
        (Format::Raw, None),
        (Format::Raw, Some(ImageFormat::Qcow2)),
        (Format::Qcow2, None),
        (Format::Qcow2, Some(ImageFormat::Raw)),
    ] {
        let (dir, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let specs = [make(dir.path(), "a", from), make(dir.path(), "b", from)];
        let (names, before) =
            (testing::names(dir.path()), specs.each_ref().map(|s| fs::read(&s.path).unwrap()));
        // As on a medium that cannot be written.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o555)).unwrap();
        let outputs = ["x", "y"].map(|name| there.path().join(name));
        let disks = disks::open(&specs).unwrap();
        written(&disks, &outputs, to).unwrap();
        assert_eq!(testing::names(there.path()), ["x", "y"], "{from:?} {to:?}");
        for path in &outputs {
            let format = match to.unwrap_or(disks[0].format) {
                ImageFormat::Raw => Format::Raw,
                ImageFormat::Qcow2 => Format::Qcow2,
            };
            assert!(content(&DiskSpec { format, ..DiskSpec::new(path) }) == model(), "{from:?} {to:?}");
        }
        assert_eq!(testing::names(dir.path()), names);
        assert!(specs.each_ref().map(|spec| fs::read(&spec.path).unwrap()) == before);
        assert_eq!(code(written(&disks, &outputs, to)), "output-exists");
        assert_eq!(code(written(&disks, &outputs[..1], to)), "output-count");
        let twice = [there.path().join("z"), there.path().join("z")];
        assert_eq!(code(written(&disks, &twice, to)), "output-exists");
        let nowhere = [there.path().join("none/x"), there.path().join("none/y")];
        assert_eq!(code(written(&disks, &nowhere, to)), "image-failed");
        assert_eq!(testing::names(there.path()), ["x", "y"], "nothing is left of what was refused");
    }
}

#[test]
fn what_a_killed_conversion_left_is_written_over_and_what_lives_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let spec = make(dir.path(), "a", Format::Raw);
    let disks = disks::open(&[spec]).unwrap();
    let output = dir.path().join("x");
    fs::write(dir.path().join("x.guestconv-draft"), testing::noise(9 << 20)).unwrap();
    fs::write(dir.path().join("x.guestconv-overlay"), "left").unwrap();
    fs::write(dir.path().join("x.guestconv-overlay-head"), "left").unwrap();
    let alive = Output::new(&disks, std::slice::from_ref(&output)).unwrap();
    assert_eq!(code(Output::new(&disks, std::slice::from_ref(&output))), "output-in-use");
    assert!(dir.path().join("x.guestconv-draft").exists());
    let overlays = Overlays::for_output(&disks, &alive).unwrap();
    write_overlay(&disks[0], &overlays, 0);
    alive.write(&disks, &overlays, None, &Silent).unwrap();
    drop(overlays);
    assert!(fs::read(&output).unwrap() == model());
    assert_eq!(testing::names(dir.path()), ["a.img", "x"]);
}

#[test]
fn holes_are_kept_and_a_part_of_a_sector_is_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    let file = fs::File::create(&path).unwrap();
    file.set_len((1 << 30) + 100).unwrap();
    file.write_all_at(&[7; 4096], 512 << 20).unwrap();
    file.write_all_at(&[8; 50], (1 << 30) + 50).unwrap();
    let disks = disks::open(&[DiskSpec { format: Format::Raw, ..DiskSpec::new(&path) }]).unwrap();
    let output = [dir.path().join("x")];
    let new = Output::new(&disks, &output).unwrap();
    let overlays = Overlays::for_output(&disks, &new).unwrap();
    new.write(&disks, &overlays, None, &Silent).unwrap();
    assert!(fs::read(&output[0]).unwrap() == fs::read(&path).unwrap());
    assert!(fs::metadata(&output[0]).unwrap().blocks() <= 512);
}

#[test]
fn a_laid_out_disk_goes_into_a_new_image() {
    for to in [ImageFormat::Raw, ImageFormat::Qcow2] {
        let case = Case::new("/tmp", Format::Raw, 1 << 20);
        let disks = case.disks();
        let overlays = case.overlays(&disks);
        let path = case.dir.path().join("x");
        let output = Output::new(&disks, std::slice::from_ref(&path)).unwrap();
        output.write(&disks, &overlays, Some(to), &Silent).unwrap();
        drop(overlays);
        let disk = disks::open(&[DiskSpec::new(&path)]).unwrap().remove(0);
        let mut content = vec![0; disk.base.size() as usize];
        disk.base.read(&mut content, 0).unwrap();
        assert_eq!(disk.format, to);
        assert!(content == case.after, "{to:?}");
        assert!(case.content() == case.before);
        assert_eq!(testing::names(case.dir.path()), ["a.img", "x"]);
    }
}
