//! Release files of the time before os-release, and the minor versions that os-release leaves out (Debian, CentOS).

use super::known::{self, Known};
use crate::path::guest_path;
use crate::tree::{GuestTree, ReadError};

/// Files with a line such as `Red Hat Enterprise Linux Server release 6.5 (Santiago)`. Rebuilds have their own file beside
/// `redhat-release`, with the same text.
const NAMED: [&str; 7] = [
    "/etc/centos-release",
    "/etc/oracle-release",
    "/etc/redhat-release",
    "/etc/system-release",
    "/etc/SuSE-release",
    "/etc/slackware-version",
    "/etc/gentoo-release",
];

/// What release files say.
pub(super) struct Release {
    pub(super) known: Option<&'static Known>,
    pub(super) product: String,
    pub(super) version: Option<String>,
}

/// Returns what the release files say; `None` if there are none.
///
/// # Errors
/// [`ReadError`] if a file that is there cannot be read.
pub(super) fn facts(tree: &dyn GuestTree) -> Result<Option<Release>, ReadError> {
    let mut unnamed = None;
    for file in NAMED {
        let Some(text) = text(tree, file)? else { continue };
        let product = text.lines().next().unwrap_or("").trim().to_owned();
        let release = Release { known: known::by_name(&product), version: version(&text), product };
        if release.known.is_some() {
            return Ok(Some(release));
        }
        unnamed = unnamed.or(Some(release).filter(|release| !release.product.is_empty()));
    }
    if unnamed.is_some() {
        return Ok(unnamed);
    }
    for row in known::all() {
        for file in &row.files {
            let Some(text) = text(tree, file)? else { continue };
            let number = text.trim();
            let name = row.names.first().unwrap_or(&row.id);
            let product = format!("{name} {number}").trim().to_owned();
            return Ok(Some(Release { known: Some(row), product, version: version(&text) }));
        }
    }
    Ok(None)
}

/// Returns the minor version that a release file says for this major version; `None` if none says it.
///
/// # Errors
/// [`ReadError`] if a file that is there cannot be read.
pub(super) fn minor(tree: &dyn GuestTree, major: u32) -> Result<Option<u32>, ReadError> {
    for file in ["/etc/debian_version"].into_iter().chain(NAMED) {
        let found = text(tree, file)?.and_then(|text| version(&text)).map(|text| super::numbers(&text));
        if let Some((Some(same), Some(minor))) = found
            && same == major
        {
            return Ok(Some(minor));
        }
    }
    Ok(None)
}

fn text(tree: &dyn GuestTree, file: &str) -> Result<Option<String>, ReadError> {
    let path = guest_path("/").join(file);
    Ok(tree.read(&path, 64 << 10)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// Returns the version in the text of a release file: SUSE's `VERSION` and `PATCHLEVEL`, what follows `release`, Red Hat 4's
/// `Update 8`, or the first word that begins with a digit.
fn version(text: &str) -> Option<String> {
    let line = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='));
        value.map(|value| value.trim().to_owned())
    };
    match (line("VERSION"), line("PATCHLEVEL")) {
        (Some(version), Some(patch)) => return Some(format!("{version}.{patch}")),
        (Some(version), None) => return Some(version),
        _ => {}
    }
    let first = text.lines().next()?;
    let after = first.split_once(" release ").map_or(first, |(_, after)| after);
    let number = after.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let update = first.split_once("Update ").map(|(_, rest)| rest.trim_end_matches(')').to_owned());
    Some(match update {
        Some(update) if !number.contains('.') => format!("{number}.{update}"),
        _ => number.to_owned(),
    })
}
