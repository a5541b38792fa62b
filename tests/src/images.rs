//! Disk images as files: copies that keep holes, and comparisons; qcow2 by QEMU's own program, which is not ours.

use rustix::fs::{SeekFrom, seek};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

/// Returns whether two files hold the same.
///
/// # Panics
/// If one cannot be read.
pub fn are_identical(one: &Path, other: &Path) -> bool {
    let (one, other) = (File::open(one).unwrap(), File::open(other).unwrap());
    let length = one.metadata().unwrap().len();
    if other.metadata().unwrap().len() != length {
        return false;
    }
    let next_data = |file: &File, at| seek(file, SeekFrom::Data(at)).ok();
    let (mut left, mut right) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let mut at = 0;
    // Where both have a hole, both have zeroes.
    while let Some(start) = next_data(&one, at).into_iter().chain(next_data(&other, at)).min() {
        let count = usize::try_from((length - start).min(1 << 20)).unwrap();
        let (left, right) = (left.get_mut(..count).unwrap(), right.get_mut(..count).unwrap());
        one.read_exact_at(left, start).unwrap();
        other.read_exact_at(right, start).unwrap();
        if left != right {
            return false;
        }
        at = start + u64::try_from(count).unwrap();
    }
    true
}

/// Copies a file and leaves its holes out.
///
/// # Panics
/// If it cannot be copied.
pub fn copy_sparse(from: &Path, to: &Path) {
    let (source, copy) = (File::open(from).unwrap(), File::create(to).unwrap());
    let length = source.metadata().unwrap().len();
    copy.set_len(length).unwrap();
    let mut at = 0;
    let mut buffer = vec![0; 1 << 20];
    while let Ok(start) = seek(&source, SeekFrom::Data(at)) {
        let end = seek(&source, SeekFrom::Hole(start)).unwrap_or(length);
        at = start;
        while at < end {
            let wanted = usize::try_from((end - at).min(1 << 20)).unwrap();
            let chunk = buffer.get_mut(..wanted).unwrap();
            source.read_exact_at(chunk, at).unwrap();
            copy.write_all_at(chunk, at).unwrap();
            at += u64::try_from(wanted).unwrap();
        }
    }
}

/// Writes a raw disk as qcow2 of the usual shape.
///
/// # Panics
/// If QEMU's program does not.
pub fn make_qcow2(raw: &Path, image: &Path) {
    let shape = ["convert", "-f", "raw", "-O", "qcow2", "-o", "cluster_size=64k"];
    qemu_img(&shape, &[raw, image]);
}

/// Returns whether the guest sees the same on two images in qcow2, and disks of the same size.
///
/// # Panics
/// If one is not sound.
pub fn are_same_qcow2(one: &Path, other: &Path) -> bool {
    assert_sound_qcow2(one);
    let size = |image: &Path| {
        let told = qemu_img(&["info", "--output=json", "-f", "qcow2"], &[image]);
        let document: serde_json::Value = serde_json::from_slice(&told).unwrap();
        document.get("virtual-size").unwrap().as_u64().unwrap()
    };
    let compare = ["compare", "-f", "qcow2", "-F", "qcow2"];
    let compared = Command::new("qemu-img").args(compare).args([one, other]).output().unwrap();
    assert!(compared.status.code() < Some(2), "{}", String::from_utf8_lossy(&compared.stderr));
    compared.status.success() && size(one) == size(other)
}

/// Asserts that all of an image in qcow2 is used as its counts say.
///
/// # Panics
/// If it is not.
pub fn assert_sound_qcow2(image: &Path) {
    qemu_img(&["check", "-f", "qcow2"], &[image]);
}

pub(crate) fn qemu_img(arguments: &[&str], images: &[&Path]) -> Vec<u8> {
    qemu_img_says(arguments, images, &[0]).unwrap()
}

/// Returns what QEMU's program prints, or why it does not end with one of these statuses.
pub(crate) fn qemu_img_says(arguments: &[&str], images: &[&Path], good: &[i32]) -> Result<Vec<u8>, String> {
    let output = Command::new("qemu-img").args(arguments).args(images).output().unwrap();
    if output.status.code().is_some_and(|status| good.contains(&status)) {
        return Ok(output.stdout);
    }
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    Err(format!("qemu-img {arguments:?} {images:?}: {}", said.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparse_copy_is_the_same_and_a_changed_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let (one, other) = (directory.path().join("one"), directory.path().join("other"));
        let file = File::create(&one).unwrap();
        file.set_len(5 << 20).unwrap();
        file.write_all_at(b"data", 3 << 20).unwrap();
        copy_sparse(&one, &other);
        assert!(are_identical(&one, &other));
        File::options().write(true).open(&other).unwrap().write_all_at(b"x", (5 << 20) - 1).unwrap();
        assert!(!are_identical(&one, &other));
    }
}
