//! The distributions that have a row in `data/distros`: how release files name them, and libosinfo's short ids.
//! A distribution without a row is converted all the same; only its libosinfo id stays unknown.

use serde::Deserialize;
use std::sync::LazyLock;

/// A distribution.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// `ID` of its os-release, lower case.
    pub id: String,
    /// How its release files, or `NAME` of its os-release, begin.
    #[serde(default)]
    pub names: Vec<String>,
    /// Release files that only this distribution and those based on it have.
    #[serde(default)]
    pub files: Vec<String>,
    /// The distribution that it is made from, whose values it takes where it has none.
    #[serde(default)]
    pub base: Option<String>,
    /// libosinfo's short ids, first match first; absent: those of `base`, since it has the same versions.
    #[serde(default)]
    osinfo: Option<Vec<Osinfo>>,
}

/// One short id of libosinfo and when it holds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Osinfo {
    /// With `{major}`, `{minor}` and `{version}` to be filled in.
    id: String,
    /// Smallest major version.
    #[serde(default)]
    major_from: Option<u32>,
    /// Smallest minor version.
    #[serde(default)]
    minor_from: Option<u32>,
    /// What the distribution's name must contain.
    #[serde(default)]
    name: Option<String>,
}

/// What decides about libosinfo's id.
pub(super) struct Version<'a> {
    pub(super) name: &'a str,
    pub(super) text: Option<&'a str>,
    pub(super) major: Option<u32>,
    pub(super) minor: Option<u32>,
}

macro_rules! rows {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../data/distros/", $name, ".toml")))),*]
    };
}

const FILES: &[(&str, &str)] = rows!(
    "almalinux",
    "alpine",
    "altlinux",
    "amzn",
    "arch",
    "centos",
    "circle",
    "cloudlinux",
    "debian",
    "eurolinux",
    "fedora",
    "gentoo",
    "kali",
    "linuxmint",
    "mageia",
    "miraclelinux",
    "nixos",
    "ol",
    "openeuler",
    "opensuse",
    "opensuse-leap",
    "opensuse-tumbleweed",
    "photon",
    "raspbian",
    "rhel",
    "rocky",
    "scientific",
    "slackware",
    "sled",
    "sles",
    "ubuntu",
);

static ROWS: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let parse = |(name, text): &(&str, &str)| match toml::from_str(text) {
        Ok(row) => row,
        Err(error) => panic!("data file distros/{name}: {error}"),
    };
    FILES.iter().map(parse).collect()
});

/// Returns every distribution that has a row.
pub fn all() -> &'static [Known] {
    &ROWS
}

/// Returns the distribution of that id; `None` if it has no row.
pub fn by_id(id: &str) -> Option<&'static Known> {
    all().iter().find(|row| row.id == id)
}

/// Returns the distribution whose release files begin like `line`: the longest name that fits.
pub(super) fn by_name(line: &str) -> Option<&'static Known> {
    let fit = |row: &Known| row.names.iter().filter(|name| line.starts_with(*name)).map(String::len).max();
    all().iter().filter_map(|row| Some((fit(row)?, row))).max_by_key(|(len, _)| *len).map(|(_, row)| row)
}

impl Known {
    /// Returns whether this is made from `id`, at any distance.
    pub fn is_based_on(&self, id: &str) -> bool {
        self.base.as_deref() == Some(id) || self.parent().is_some_and(|parent| parent.is_based_on(id))
    }

    /// Returns libosinfo's short id of a version.
    pub(super) fn osinfo(&self, version: &Version<'_>) -> Option<String> {
        match &self.osinfo {
            Some(rules) => rules.iter().find_map(|rule| rule.filled(version)),
            None => self.parent()?.osinfo(version),
        }
    }

    fn parent(&self) -> Option<&'static Self> {
        self.base.as_deref().and_then(by_id)
    }
}

impl Osinfo {
    fn filled(&self, version: &Version<'_>) -> Option<String> {
        let at_least = |has: Option<u32>, least: Option<u32>| least.is_none_or(|least| has >= Some(least));
        let fits = at_least(version.major, self.major_from)
            && at_least(version.minor, self.minor_from)
            && self.name.as_deref().is_none_or(|name| version.name.contains(name));
        let mut id = fits.then(|| self.id.clone())?;
        for (place, value) in [
            ("{major}", version.major.map(|number| number.to_string())),
            ("{minor}", version.minor.map(|number| number.to_string())),
            ("{version}", version.text.map(str::to_owned)),
        ] {
            if id.contains(place) {
                id = id.replace(place, &value?);
            }
        }
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_parses_and_every_base_is_a_row() {
        for (row, (name, _)) in all().iter().zip(FILES) {
            assert_eq!(row.id, *name);
            assert!(row.base.is_none() || row.parent().is_some(), "{name} is based on nothing known");
            assert!(!row.is_based_on(&row.id), "{name} is based on itself");
            assert!(
                row.osinfo.is_some() || row.base.is_some(),
                "{name} has neither libosinfo ids nor a base"
            );
        }
        let mut ids: Vec<_> = all().iter().map(|row| &row.id).collect();
        ids.dedup();
        assert_eq!(ids.len(), FILES.len());
    }
}
