//! `kernel`: a distribution's kernel with its modules, for the second runner of the appliance: that of the machine's own
//! Debian, unpacked and not installed. Tests use it; who runs guestconv has one in `/boot`.
//!
//! ```text
//! vmlinuz    the image
//! modules/   its modules, with depmod's indexes
//! ```

use crate::debian::{self, PrivateApt};
use crate::{cache, run, setup};
use anyhow::{Context, Result};
use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Changes when this file makes something else of the same release.
const RECIPE: &[u8] = b"1";

/// The task: prints the image's path.
pub(crate) fn task(_: &[String]) -> Result<()> {
    println!("{}", image()?.display());
    Ok(())
}

/// Returns the image, fetched if need be; its modules are beside it.
pub(crate) fn image() -> Result<PathBuf> {
    setup::ensure(&[setup::SECOND_RUNNER])?;
    let codename = debian::codename()?;
    let inputs = [RECIPE, codename.as_bytes(), ARCH.as_bytes()];
    let entry = cache::entry("second-kernel", &inputs, |directory| fetch(directory, &codename))?;
    Ok(entry.join("vmlinuz"))
}

fn fetch(directory: &Path, codename: &str) -> Result<()> {
    let work = directory.join("work");
    let apt = PrivateApt::with_suites(&work.join("apt"), &[codename])?;
    let kind = if ARCH == "aarch64" { "arm64" } else { "amd64" };
    // The package of that name is empty, and needs that of the newest version.
    let package = apt.needed_by(&format!("linux-image-{kind}"))?;
    let release = package.strip_prefix("linux-image-").context("the package is named after the kernel")?;
    let version = apt.versions(&package)?.into_iter().next();
    let version = version.with_context(|| format!("the mirror has no version of {package}"))?;
    eprintln!("fetching {package} {version}");
    let file = apt.download(&package, &version)?;
    let tree = work.join("tree");
    run::run(Command::new("dpkg-deb").arg("--extract").arg(&file).arg(&tree))?;
    run::run(Command::new("/sbin/depmod").arg("--basedir").arg(&tree).arg(release))?;
    let image = tree.join("boot").join(format!("vmlinuz-{release}"));
    let places = ["lib/modules", "usr/lib/modules"].map(|place| tree.join(place).join(release));
    let modules = places.into_iter().find(|place| place.is_dir()).context("the package has no modules")?;
    for (from, to) in [(image, "vmlinuz"), (modules, "modules")] {
        fs::rename(&from, directory.join(to)).with_context(|| format!("cannot move {}", from.display()))?;
    }
    fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))
}
