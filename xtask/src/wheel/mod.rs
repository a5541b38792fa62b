//! `wheel`: the Python package with all that it needs but cffi, `target/dist/guestconv-0.1.0-py3-none-….whl`.
//!
//! ```text
//! guestconv/*.py, py.typed, guestconv.h
//! guestconv/lib/libguestconv.so.0        the library, under its soname
//! guestconv/libexec/guestconv/           the appliance, which the library finds from its own place
//! guestconv-0.1.0.dist-info/             METADATA, WHEEL, RECORD, licenses
//! ```
//!
//! There is nothing to compile for Python, so that a wheel is these files in an archive: Python's own zipfile packs them
//! (`pack.py`). A build front end would fetch a backend from a package index at every build, and ask to be told the tag
//! all the same.

mod needs;

use crate::dist::{self, files_of, installed, name_of, removed};
use crate::{checkout, run, setup};
use anyhow::{Context, Result};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const VERSION: &str = env!("CARGO_PKG_VERSION");
const PACK: &str = include_str!("pack.py");

/// The task: makes the tree and the wheel and prints the wheel.
pub(crate) fn task(_: &[String]) -> Result<()> {
    println!("{}", wheel(&dist::tree()?)?.display());
    Ok(())
}

/// Returns the wheel, made from what is in the tree and put there.
pub(crate) fn wheel(tree: &Path) -> Result<PathBuf> {
    setup::ensure(&[setup::PYTHON])?;
    eprintln!("packing the wheel");
    let stage = checkout().join("target/wheel");
    removed(&stage)?;
    let tag = format!("py3-none-{}", platform(&package(tree, &stage.join("guestconv"))?)?);
    about(&stage.join(format!("guestconv-{VERSION}.dist-info")), tree, &tag)?;
    let wheel = tree.join(format!("guestconv-{VERSION}-{tag}.whl"));
    pack(&stage, &wheel)?;
    Ok(wheel)
}

/// Puts what is to be imported where it belongs, and returns the binaries in it.
fn package(tree: &Path, package: &Path) -> Result<Vec<PathBuf>> {
    for file in files_of(&checkout().join("python/guestconv"))? {
        installed(&file, &package.join(name_of(&file)?))?;
    }
    let library = package.join("lib").join(dist::SONAME);
    installed(&tree.join("lib").join(dist::SONAME), &library)?;
    let appliance = package.join("libexec/guestconv");
    for file in files_of(&tree.join("libexec/guestconv"))? {
        installed(&file, &appliance.join(name_of(&file)?))?;
    }
    // For some architectures there is no kernel.
    let kernel = Some(appliance.join("kernel")).filter(|kernel| kernel.exists());
    Ok([library, appliance.join("agent")].into_iter().chain(kernel).collect())
}

/// Returns the tag of the machines that the binaries run on.
fn platform(binaries: &[PathBuf]) -> Result<String> {
    let minor = |binary: &PathBuf| {
        let said = run::output(Command::new("objdump").arg("-p").arg(binary))?;
        needs::glibc(&said).with_context(|| format!("no wheel may carry {}", binary.display()))
    };
    let minors = binaries.iter().map(minor).collect::<Result<Vec<_>>>()?;
    let minor = minors.into_iter().flatten().max().context("the library needs no glibc, which cannot be")?;
    Ok(format!("manylinux_2_{minor}_{}", env::consts::ARCH))
}

/// Writes what installers read.
fn about(directory: &Path, tree: &Path, tag: &str) -> Result<()> {
    let root = checkout();
    installed(&root.join("COPYING.LIB"), &directory.join("licenses/COPYING.LIB"))?;
    installed(&tree.join("libexec/guestconv/COPYING"), &directory.join("licenses/COPYING.kernel"))?;
    let readme = fs::read_to_string(root.join("python/README.md")).context("cannot read python/README.md")?;
    for (name, text) in [("METADATA", metadata(&readme)), ("WHEEL", description_of_wheel(tag))] {
        fs::write(directory.join(name), text).with_context(|| format!("cannot write {name}"))?;
    }
    Ok(())
}

fn metadata(readme: &str) -> String {
    format!(
        "Metadata-Version: 2.4\nName: guestconv\nVersion: {VERSION}\n\
         Summary: Makes a guest boot on another hypervisor\n\
         License-Expression: LGPL-2.1-or-later AND GPL-2.0-only\n\
         License-File: COPYING.LIB\nLicense-File: COPYING.kernel\n\
         Classifier: Operating System :: POSIX :: Linux\n\
         Classifier: Programming Language :: Python :: 3\n\
         Classifier: Typing :: Typed\n\
         Requires-Python: >=3.9\nRequires-Dist: cffi>=1.15\n\
         Description-Content-Type: text/markdown\n\n{readme}"
    )
}

fn description_of_wheel(tag: &str) -> String {
    format!("Wheel-Version: 1.0\nGenerator: guestconv xtask {VERSION}\nRoot-Is-Purelib: false\nTag: {tag}\n")
}

fn pack(stage: &Path, wheel: &Path) -> Result<()> {
    run::run(Command::new("python3").args(["-c", PACK]).arg(stage).arg(wheel))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// Prints names, modes and the record of a wheel, as Python reads it.
    const READ: &str = "import sys, zipfile\n\
                        archive = zipfile.ZipFile(sys.argv[1])\n\
                        for entry in archive.infolist():\n    \
                            print(entry.filename, oct(entry.external_attr >> 16), entry.compress_type)\n\
                        print(archive.read('a-1.dist-info/RECORD').decode(), end='')\n";

    #[test]
    fn a_wheel_is_its_files_with_their_hashes_and_always_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let stage = directory.path().join("stage");
        for (name, text, mode) in
            [("a/__init__.py", "", 0o600), ("a/b/run", "x", 0o700), ("a-1.dist-info/WHEEL", "y", 0o644)]
        {
            let file = stage.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        }
        let wheels = ["one.whl", "other.whl"].map(|name| directory.path().join(name));
        wheels.iter().for_each(|wheel| pack(&stage, wheel).unwrap());
        assert_eq!(fs::read(&wheels[0]).unwrap(), fs::read(&wheels[1]).unwrap());
        let read = run::output(Command::new("python3").args(["-c", READ]).arg(&wheels[0])).unwrap();
        assert_eq!(
            read,
            "a/__init__.py 0o100644 8\n\
             a/b/run 0o100755 8\n\
             a-1.dist-info/WHEEL 0o100644 8\n\
             a-1.dist-info/RECORD 0o100644 8\n\
             a/__init__.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n\
             a/b/run,sha256=LXEWQrcmsEQBYnyp-6wy9chTD7GQPMTbAiWHF5IaSIE,1\n\
             a-1.dist-info/WHEEL,sha256=ofzkNjhU_4iM_0uOeHXWAMJoI5BBKoz3mzfQsRFIsPo,1\n\
             a-1.dist-info/RECORD,,"
        );
    }
}
