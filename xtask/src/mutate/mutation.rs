//! One mutation of a disk set: what is changed follows from a number, and is the same on every machine.

use anyhow::{Context, Result};
use rustix::fs::{SeekFrom, seek};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// Where most formats tell what they are and where the rest is, in bytes from the start.
const HEAD_BYTES: u64 = 160 << 10;
/// Values that break arithmetic, in 32 bits.
const EXTREMES: [u32; 8] = [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX, u32::MAX - 1, 0xffff, 0x0100_0000];

/// Numbers that look random and follow from a seed.
pub(super) struct Numbers(u64);

impl Numbers {
    /// Returns the numbers of a seed.
    pub(super) fn of(name: &str, number: u64) -> Self {
        let start = name.bytes().fold(number ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(start)
    }

    /// Returns the next, as SplitMix64 makes it.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or_default()
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        std::iter::repeat_with(|| self.next().to_le_bytes()).flatten().take(count).collect()
    }
}

/// Changes the disks as the numbers say; returns in words what was done.
pub(super) fn mutate(disks: &[PathBuf], numbers: &mut Numbers) -> Result<String> {
    let which = usize::try_from(numbers.below(disks.len() as u64))?;
    let path = disks.get(which).context("no disk")?;
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let size_bytes = file.metadata()?.len();
    let times = 1 + numbers.below(10);
    let mut done = Vec::new();
    for _ in 0..times {
        let at = place(&file, size_bytes, numbers)?;
        done.push(change(&file, at, size_bytes, numbers)?);
    }
    Ok(format!("disk {}: {}", which + 1, done.join(", ")))
}

fn change(file: &File, at: u64, size_bytes: u64, numbers: &mut Numbers) -> Result<String> {
    let room = usize::try_from(size_bytes - at)?;
    let kind = numbers.below(16);
    let (name, bytes) = match kind {
        0..5 => ("an extreme number", extreme(numbers)),
        5..8 => ("noise", numbers.bytes(8)),
        8..10 => ("much noise", numbers.bytes(512)),
        10 | 11 => ("zeroes", vec![0; 4096]),
        12 | 13 => {
            let mut byte = [0];
            file.read_exact_at(&mut byte, at)?;
            let bit = 1u8 << numbers.below(8);
            ("one bit", byte.map(|byte| byte ^ bit).to_vec())
        }
        14 => {
            let from = place(file, size_bytes, numbers)?;
            let mut bytes = vec![0; usize::try_from((size_bytes - from).min(4096))?];
            file.read_exact_at(&mut bytes, from)?;
            ("what is elsewhere", bytes)
        }
        _ => {
            file.set_len(at)?;
            file.set_len(size_bytes)?;
            return Ok(format!("nothing from {at:#x}"));
        }
    };
    let bytes = bytes.get(..room.min(bytes.len())).unwrap_or_default();
    file.write_all_at(bytes, at)?;
    Ok(format!("{name} at {at:#x}"))
}

fn extreme(numbers: &mut Numbers) -> Vec<u8> {
    let which = usize::try_from(numbers.below(EXTREMES.len() as u64)).unwrap_or_default();
    let value = EXTREMES.get(which).copied().unwrap_or_default();
    let is_big_endian = numbers.below(2) == 0;
    let bytes = if is_big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let width = if numbers.below(2) == 0 { 4 } else { 2 };
    bytes.into_iter().take(width).collect()
}

/// Returns a place where there is something: half of them near the start, aligned as numbers are.
fn place(file: &File, size_bytes: u64, numbers: &mut Numbers) -> Result<u64> {
    let end = if numbers.below(2) == 0 { HEAD_BYTES.min(size_bytes) } else { size_bytes };
    let wished = numbers.below(end) & !1;
    // What is a hole means nothing to anybody.
    let data = seek(file, SeekFrom::Data(wished)).ok().filter(|start| *start < end);
    let start = match data {
        Some(start) => start,
        None => seek(file, SeekFrom::Data(0)).unwrap_or_default(),
    };
    if start <= wished {
        return Ok(wished);
    }
    let hole = seek(file, SeekFrom::Hole(start)).unwrap_or(size_bytes);
    Ok(start + (numbers.below((hole - start).min(64 << 10)) & !1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutation_follows_from_its_number() {
        let directory = tempfile::tempdir().unwrap();
        let mutated = |number| {
            let path = directory.path().join("disk");
            std::fs::write(&path, vec![7; 300 << 10]).unwrap();
            let said = mutate(std::slice::from_ref(&path), &mut Numbers::of("ext4", number)).unwrap();
            (said, std::fs::read(&path).unwrap())
        };
        let first: Vec<_> = (0..50).map(mutated).collect();
        assert_eq!(first, (0..50).map(mutated).collect::<Vec<_>>());
        assert!(first.iter().all(|(_, bytes)| bytes.len() == 300 << 10));
        let changed = first.iter().filter(|(_, bytes)| bytes.iter().any(|byte| *byte != 7)).count();
        assert!(changed > 45, "{changed} of 50 changed anything");
    }
}
