//! Tells the crate the hash of its own sources, `GUESTCONV_CORE_SOURCES`: library and agent are both made of them, and the
//! types that go between the two are in them.
//!
//! The hash is that of the names and contents of all files in `src` and `data`, in the order of their names, so that it is
//! the same wherever the sources are. It tells accidents, not attacks: 64-bit FNV-1a needs no dependency
//! (<http://www.isthe.com/chongo/tech/comp/fnv/>).
#![allow(clippy::print_stdout, reason = "a build script talks to cargo by its standard output")]
#![allow(
    clippy::disallowed_methods,
    reason = "the fence is for what the crate does, not for how it is built"
)]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

fn main() -> io::Result<()> {
    // Cargo starts a build script in the directory of its package.
    let directories = ["data", "src"];
    let mut files = Vec::new();
    for directory in directories {
        println!("cargo::rerun-if-changed={directory}");
        add_files(Path::new(directory), &mut files)?;
    }
    files.sort();
    let mut hash = OFFSET_BASIS;
    for file in files {
        let name = file.as_os_str().as_encoded_bytes().to_vec();
        for bytes in [name, fs::read(&file)?] {
            // With their lengths, so that no part of one counts for the other.
            hash = hashed(hash, format!("{} ", bytes.len()).as_bytes());
            hash = hashed(hash, &bytes);
        }
    }
    println!("cargo::rustc-env=GUESTCONV_CORE_SOURCES={hash:016x}");
    Ok(())
}

fn add_files(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            add_files(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn hashed(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}
