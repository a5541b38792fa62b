//! `os-release`, os-release(5), and its elder `lsb-release`: shell variables that say which distribution a root is.

use super::shell_vars;

/// What `os-release` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OsRelease {
    /// `ID`, lower case.
    pub id: Option<String>,
    /// `ID_LIKE`, from the nearest relative to the farthest.
    pub id_like: Vec<String>,
    /// `NAME`.
    pub name: Option<String>,
    /// `VERSION_ID`.
    pub version_id: Option<String>,
    /// `PRETTY_NAME`.
    pub pretty_name: Option<String>,
}

impl OsRelease {
    /// Reads the text of `os-release`; empty values count as absent.
    pub fn parse(text: &str) -> Self {
        Self {
            id: text_of(text, "ID").map(|id| id.to_lowercase()),
            id_like: text_of(text, "ID_LIKE")
                .map(|like| like.split_whitespace().map(str::to_lowercase).collect())
                .unwrap_or_default(),
            name: text_of(text, "NAME"),
            version_id: text_of(text, "VERSION_ID"),
            pretty_name: text_of(text, "PRETTY_NAME"),
        }
    }

    /// Reads the text of `lsb-release`, whose names differ.
    pub fn parse_lsb(text: &str) -> Self {
        Self {
            id: text_of(text, "DISTRIB_ID").map(|id| id.to_lowercase()),
            id_like: Vec::new(),
            name: text_of(text, "DISTRIB_ID"),
            version_id: text_of(text, "DISTRIB_RELEASE"),
            pretty_name: text_of(text, "DISTRIB_DESCRIPTION"),
        }
    }
}

fn text_of(text: &str, name: &str) -> Option<String> {
    shell_vars::value(text, name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_dialects_are_read() {
        let some = |text: &str| Some(text.to_owned());
        let text = "NAME=\"CentOS Linux\"\nVERSION=\"7 (Core)\"\nID=\"centos\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"7\"\nPRETTY_NAME=''\n";
        assert_eq!(
            OsRelease::parse(text),
            OsRelease {
                id: some("centos"),
                id_like: vec!["rhel".into(), "fedora".into()],
                name: some("CentOS Linux"),
                version_id: some("7"),
                pretty_name: None,
            }
        );
        let text =
            "DISTRIB_ID=LinuxMint\nDISTRIB_RELEASE=17.3\nDISTRIB_DESCRIPTION=\"Linux Mint 17.3 Rosa\"\n";
        assert_eq!(
            OsRelease::parse_lsb(text),
            OsRelease {
                id: some("linuxmint"),
                id_like: vec![],
                name: some("LinuxMint"),
                version_id: some("17.3"),
                pretty_name: some("Linux Mint 17.3 Rosa"),
            }
        );
        assert_eq!(OsRelease::parse(""), OsRelease::default());
    }
}
