//! Names of files in a guest. They never meet names of host files: [`GuestPath`] and [`std::path::Path`]
//! do not convert into each other, so a guest's link cannot become a path on the host by accident.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An absolute, normalised path inside one root: it starts with `/`, has no empty, `.` or `..` parts and no NUL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct GuestPath(String);

/// Why a text is not a [`GuestPath`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an absolute path of a guest")]
pub struct InvalidPath(pub String);

impl GuestPath {
    /// Returns the path with `.`, `..` and empty parts resolved by text; `..` at the top stays at the top, as in a root.
    ///
    /// # Errors
    /// [`InvalidPath`] if the text is not absolute or holds a NUL.
    pub fn new(text: &str) -> Result<Self, InvalidPath> {
        if !text.starts_with('/') || text.contains('\0') {
            return Err(InvalidPath(text.to_owned()));
        }
        let mut parts: Vec<&str> = Vec::new();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        Ok(Self(format!("/{}", parts.join("/"))))
    }

    /// Returns the path as text, always absolute.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the last part; empty for the root.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or("")
    }

    /// Returns the directory that holds this; the root is its own.
    pub fn parent(&self) -> Self {
        match self.0.rsplit_once('/') {
            Some(("", _)) | None => Self("/".to_owned()),
            Some((dir, _)) => Self(dir.to_owned()),
        }
    }

    /// Returns `name` below this; an absolute `name` is taken below this too.
    pub fn join(&self, name: &str) -> Self {
        Self::new(&format!("{}/{}", self.0, name.replace('\0', ""))).expect("starts with / and has no NUL")
    }

    /// Returns the path where a link of this name that says `target` leads.
    pub fn link_target(&self, target: &str) -> Self {
        if target.starts_with('/') { Self::root().join(target) } else { self.parent().join(target) }
    }

    /// Returns the top of the root, `/`.
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// Returns whether this is `dir` or below it.
    pub fn is_below(&self, dir: &Self) -> bool {
        dir.0 == "/"
            || self.0 == dir.0
            || self.0.strip_prefix(&dir.0).is_some_and(|rest| rest.starts_with('/'))
    }
}

impl TryFrom<String> for GuestPath {
    type Error = InvalidPath;
    fn try_from(text: String) -> Result<Self, InvalidPath> {
        Self::new(&text)
    }
}

impl From<GuestPath> for String {
    fn from(path: GuestPath) -> Self {
        path.0
    }
}

impl fmt::Display for GuestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the guest path of a text that is known at compile time.
///
/// # Panics
/// If the text is not absolute: a fault of the program.
pub fn guest_path(text: &'static str) -> GuestPath {
    GuestPath::new(text).expect("a literal path is absolute")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_normalised_and_stays_inside() {
        for (text, path) in [
            ("/", Some("/")),
            ("/etc//fstab", Some("/etc/fstab")),
            ("/../../etc/./x/..", Some("/etc")),
            ("etc", None),
            ("/a\0b", None),
        ] {
            assert_eq!(GuestPath::new(text).ok().as_ref().map(GuestPath::as_str), path, "{text:?}");
        }
        assert_eq!(guest_path("/usr/sbin/init").link_target("../lib/systemd").as_str(), "/usr/lib/systemd");
        assert_eq!(guest_path("/a").link_target("/b").as_str(), "/b");
        assert!(guest_path("/boot/x").is_below(&guest_path("/boot")));
        assert!(!guest_path("/bootx").is_below(&guest_path("/boot")));
    }
}
