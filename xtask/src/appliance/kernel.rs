//! The appliance's kernel: a Linux built as an ordinary program (User Mode Linux) from Debian's packaged source.
//!
//! `appliance/kernel.version` pins the package and its version. A mirror keeps a version for some weeks only: when it is
//! gone, the newest 7.x is taken, with a notice.

use super::options;
use crate::debian::PrivateApt;
use crate::{cache, checkout, run};
use anyhow::{Context, Result, bail};
use guestconv_core::protocol::room;
use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

/// Where newer kernels than a release's are.
const SUITES: [&str; 2] = ["trixie-backports", "sid"];
/// The names of the packages that will do when the pinned one is gone.
const NEWEST: &str = "^linux-source-7\\.[0-9]+$";
/// Changes when this file builds another kernel from the same inputs.
const RECIPE: &[u8] = b"2";
/// The initramfs that the kernel is linked with, as its configuration names it: room for the agent.
const ROOM: &str = "room.cpio";

/// A package of the kernel's source.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    package: String,
    version: String,
}

/// Returns the cache's entry with `kernel`, `kernel.config`, `RELEASE`, `SOURCE` and `COPYING`, built if need be.
pub(crate) fn entry() -> Result<PathBuf> {
    let read = |name: &str| {
        let path = checkout().join("appliance").join(name);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let (config, optional, pinned) = (read("kernel.config")?, read("optional.txt")?, read("kernel.version")?);
    let inputs = [RECIPE, config.as_bytes(), optional.as_bytes(), pinned.as_bytes()];
    let pinned = pinned_in(&pinned)?;
    let entry = cache::entry("kernel", &inputs, |directory| build(directory, &config, &optional, &pinned))?;
    let notices = fs::read_to_string(entry.join("NOTICES")).context("cannot read the kernel's NOTICES")?;
    notices.lines().for_each(|notice| eprintln!("appliance: {notice}"));
    Ok(entry)
}

fn build(directory: &Path, config: &str, optional: &str, pinned: &Source) -> Result<()> {
    let mut notices = String::new();
    let work = directory.join("work");
    eprintln!("fetching the kernel's source ({} {})", pinned.package, pinned.version);
    let apt = PrivateApt::with_suites(&work.join("apt"), &SUITES)?;
    let source = available(&apt, pinned)?;
    if source != *pinned {
        notices.push_str(&format!(
            "{} {} is no longer on the mirror; the kernel is from {} {}\n",
            pinned.package, pinned.version, source.package, source.version
        ));
    }
    let tree = unpacked(&apt.download(&source.package, &source.version)?, &source, &work)?;

    fs::write(tree.join(ROOM), room::empty()).context("cannot write the room for the agent")?;
    let asked = directory.join("kernel.config");
    fs::write(&asked, config).with_context(|| format!("cannot write {}", asked.display()))?;
    run::run(make(&tree).arg("allnoconfig").arg(format!("KCONFIG_ALLCONFIG={}", asked.display())))?;
    let taken = fs::read_to_string(tree.join(".config")).context("cannot read the kernel's .config")?;
    let not_taken = options::not_taken(config, optional, &taken);
    if !not_taken.needed.is_empty() {
        bail!("{} {} did not take {}", source.package, source.version, not_taken.needed.join(", "));
    }
    for option in not_taken.optional {
        notices.push_str(&format!("the kernel did not take {option}\n"));
    }

    eprintln!("building the kernel; that takes some minutes");
    let jobs = thread::available_parallelism().map_or(1, |count| count.get());
    run::run(make(&tree).arg(format!("-j{jobs}")).arg("linux"))?;
    run::run(Command::new("strip").arg("-o").arg(directory.join("kernel")).arg(tree.join("linux")))?;
    let release = run::output(make(&tree).arg("kernelrelease"))?;
    for (name, text) in [
        ("RELEASE", format!("{release}\n")),
        ("NOTICES", notices),
        ("SOURCE", how_it_was_built(&source, &release)),
        ("kernel.config", taken),
    ] {
        fs::write(directory.join(name), text).with_context(|| format!("cannot write the kernel's {name}"))?;
    }
    fs::copy(tree.join("LICENSES/preferred/GPL-2.0"), directory.join("COPYING"))
        .context("cannot copy the licence")?;
    fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))
}

/// Returns the pinned source, or the newest that will do if it is gone.
fn available(apt: &PrivateApt, pinned: &Source) -> Result<Source> {
    if apt.versions(&pinned.package)?.contains(&pinned.version) {
        return Ok(pinned.clone());
    }
    let mut names = apt.names(NEWEST)?;
    names.sort_by(|one, other| by_numbers(one, other));
    let package =
        names.pop().context("the mirror has no source of a Linux 7; see appliance/kernel.version")?;
    // apt lists the highest version first.
    let version = apt.versions(&package)?.into_iter().next();
    let version = version.with_context(|| format!("the mirror has no version of {package}"))?;
    Ok(Source { package, version })
}

/// Unpacks the source and returns its top directory.
fn unpacked(package: &Path, source: &Source, work: &Path) -> Result<PathBuf> {
    let member = format!("./usr/src/{}.tar.xz", source.package);
    let mut outer =
        Command::new("dpkg-deb").arg("--fsys-tarfile").arg(package).stdout(Stdio::piped()).spawn()?;
    let from = outer.stdout.take().context("dpkg-deb has no output")?;
    let mut inner = Command::new("tar").args(["-xO", &member]).stdin(from).stdout(Stdio::piped()).spawn()?;
    let from = inner.stdout.take().context("tar has no output")?;
    let unpacking = Command::new("tar").arg("-xJ").current_dir(work).stdin(from).status()?;
    let tree = work.join(&source.package);
    if !(outer.wait()?.success() && inner.wait()?.success() && unpacking.success() && tree.is_dir()) {
        bail!("cannot unpack {member} of {}", package.display());
    }
    Ok(tree)
}

fn make(tree: &Path) -> Command {
    let mut command = Command::new("make");
    command.current_dir(tree).args(["-s", "ARCH=um"]).stdin(Stdio::null());
    // The same inputs make the same bytes.
    command.env("KBUILD_BUILD_USER", "guestconv").env("KBUILD_BUILD_HOST", "guestconv");
    command.env("KBUILD_BUILD_TIMESTAMP", "1970-01-01 00:00:00 UTC");
    // Of cargo's own or a caller's make, which are not for this tree.
    command.env_remove("MAKEFLAGS").env_remove("MFLAGS").env_remove("CARGO_MAKEFLAGS");
    command
}

fn how_it_was_built(source: &Source, release: &str) -> String {
    let Source { package, version } = source;
    let (mark, empty) = (room::MARK.trim_end_matches('\n'), room::ROOM_BYTES - room::MARK.len());
    format!(
        "kernel is Linux {release}, licensed under GPL-2.0 (COPYING). It is a program of its own.\n\
         Its complete source is the Debian package {package}, version {version}, unchanged\n\
         (any mirror of Debian while it is current, the snapshot archive of Debian after that).\n\
         It was built in the unpacked source by:\n\n    \
         (head -c {empty} /dev/zero; echo '{mark}') > {ROOM}\n    \
         cp kernel.config .config\n    make ARCH=um olddefconfig\n    make ARCH=um linux\n    strip linux\n\n\
         {ROOM} is where the agent is then put, as the initramfs; nothing is linked with it.\n"
    )
}

fn pinned_in(text: &str) -> Result<Source> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [package, version] = fields.as_slice() else {
        bail!("appliance/kernel.version is not PACKAGE VERSION, but {text:?}");
    };
    Ok(Source { package: (*package).to_owned(), version: (*version).to_owned() })
}

/// Compares names by the numbers in them: 7.10 is after 7.9.
fn by_numbers(one: &str, other: &str) -> Ordering {
    let numbers = |name: &str| -> Vec<u32> {
        name.split(|letter: char| !letter.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
    };
    numbers(one).cmp(&numbers(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pin_is_a_package_and_a_version() {
        let source = Source { package: "linux-source-7.3".to_owned(), version: "7.3.4-1".to_owned() };
        assert_eq!(pinned_in("linux-source-7.3 7.3.4-1\n").unwrap(), source);
        assert_eq!(
            pinned_in("7.3.4-1\n").unwrap_err().to_string(),
            "appliance/kernel.version is not PACKAGE VERSION, but \"7.3.4-1\\n\""
        );
        pinned_in(include_str!("../../../appliance/kernel.version")).unwrap();
    }

    #[test]
    fn the_newest_is_told_by_numbers() {
        let mut names = ["linux-source-7.10", "linux-source-7.9", "linux-source-7.2"];
        names.sort_by(|one, other| by_numbers(one, other));
        assert_eq!(names, ["linux-source-7.2", "linux-source-7.9", "linux-source-7.10"]);
    }
}
