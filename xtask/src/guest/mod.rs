//! `cargo xtask make-guest NAME`: a real, bootable guest from Debian's packages, described by `guests/NAME.toml`.
//!
//! Two stages, both cached by the hash of what goes in: the root tree as a tar ([`tree`]), then the disks, laid out and
//! filled inside a User Mode Linux ([`disk`]). Nothing of a guest is mounted on the host.

mod description;
mod disk;
mod emulation;
mod tree;
pub(crate) mod uml;

use crate::cache;
use anyhow::{Context as _, Result, bail};
use description::Description;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Builds the guests that are named, or all, and prints their images.
pub(crate) fn task(names: &[String]) -> Result<()> {
    let names = if names.is_empty() { all()? } else { names.to_vec() };
    for name in names {
        make(&name)?.iter().for_each(|image| println!("{}", image.display()));
    }
    Ok(())
}

/// Returns the names of all guests that are described.
pub(crate) fn all() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(descriptions())? {
        let path = entry?.path();
        let is_description = path.extension().is_some_and(|extension| extension == "toml");
        names.extend(
            path.file_stem().filter(|_| is_description).map(|name| name.to_string_lossy().into_owned()),
        );
    }
    names.sort();
    Ok(names)
}

/// Returns the raw images of a guest's disks, building them if the cache has none: `guests/NAME/disk.raw` in the cache, and
/// beside it `disk-2.raw` and on.
pub(crate) fn make(name: &str) -> Result<Vec<PathBuf>> {
    let description = described(name)?;
    let tar = match &description.tree_of {
        Some(other) => tree::make(&described(other)?)?,
        None => tree::make(&description)?,
    };
    let entry = disk::make(&description, &tar)?;
    let link = cache::root()?.join("guests").join(name);
    fs::create_dir_all(link.parent().expect("a link in a folder"))?;
    if fs::read_link(&link).ok().as_deref() != Some(&entry) {
        let _absent = fs::remove_file(&link);
        symlink(&entry, &link)?;
    }
    Ok(disk::images(&description, &link))
}

/// Returns the description of that name.
fn described(name: &str) -> Result<Description> {
    let path = descriptions().join(format!("{name}.toml"));
    let text = fs::read_to_string(&path)
        .with_context(|| format!("no guest {name:?}: cannot read {}", path.display()))?;
    let description: Description = toml::from_str(&text).with_context(|| path.display().to_string())?;
    let Description { suite, packages, excluded, files, tree, .. } = &description;
    let own = [suite.is_empty(), packages.is_empty(), excluded.is_empty(), files.is_empty(), tree.is_empty()];
    if own.contains(&false) == description.tree_of.is_some() {
        bail!("{}: it has either tree_of or a root tree of its own", path.display());
    }
    Ok(description)
}

/// Returns the images of a guest that was built; none if it was not.
pub(crate) fn built(name: &str) -> Result<Vec<PathBuf>> {
    let place = cache::root()?.join("guests").join(name);
    Ok(disk::names().map(|image| place.join(image)).take_while(|image| image.is_file()).collect())
}

fn descriptions() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../guests")
}
