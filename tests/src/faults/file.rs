//! The files of a conversion by what they are for: `NAME.guestconv-KIND` beside the disk NAME.

use std::fmt;
use std::path::Path;

/// What a file in the directory of the disks is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Class {
    Directory,
    Disk,
    Overlay,
    Head,
    UndoDraft,
    Undo,
    RecordDraft,
    Record,
    JournalDraft,
    Journal,
    ProgressDraft,
    Progress,
    Trial,
}

/// The ends of names, with what they say.
const ENDS: [(&str, Class, &str); 11] = [
    (".guestconv-overlay", Class::Overlay, "overlay"),
    (".guestconv-overlay-head", Class::Head, "head"),
    (".guestconv-undo-draft", Class::UndoDraft, "undo-draft"),
    (".guestconv-undo", Class::Undo, "undo"),
    (".guestconv-undo.json-draft", Class::RecordDraft, "record-draft"),
    (".guestconv-undo.json", Class::Record, "record"),
    (".guestconv-commit-draft", Class::JournalDraft, "journal-draft"),
    (".guestconv-commit", Class::Journal, "journal"),
    (".guestconv-commit-progress-draft", Class::ProgressDraft, "progress-draft"),
    (".guestconv-commit-progress", Class::Progress, "progress"),
    (".guestconv-trial", Class::Trial, "trial"),
];

impl Class {
    /// Returns what a file of `directory` is; `None` if it is elsewhere.
    ///
    /// # Panics
    /// If it is one of guestconv that is not known here.
    pub(super) fn of(path: &Path, directory: &Path) -> Option<Self> {
        if path == directory {
            return Some(Self::Directory);
        }
        if path.parent() != Some(directory) {
            return None;
        }
        let name = path.file_name()?.to_str()?;
        let known = ENDS.iter().find(|(end, ..)| name.ends_with(end));
        assert!(known.is_some() || !name.contains(".guestconv-"), "a file that is not known here: {name}");
        Some(known.map_or(Self::Disk, |(_, class, _)| *class))
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = ENDS.iter().find(|(_, class, _)| class == self).map(|(.., name)| *name);
        f.write_str(known.unwrap_or(if *self == Self::Disk { "disk" } else { "directory" }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_name() {
        let directory = Path::new("/a");
        for (path, expected) in [
            ("/a", Some("directory")),
            ("/a/disk.raw", Some("disk")),
            ("/a/disk.raw.guestconv-undo", Some("undo")),
            ("/a/disk.raw.guestconv-undo.json-draft", Some("record-draft")),
            ("/a/disk.raw.guestconv-overlay-head", Some("head")),
            ("/a/b/disk.raw", None),
            ("/b", None),
        ] {
            let class = Class::of(Path::new(path), directory).map(|class| class.to_string());
            assert_eq!(class.as_deref(), expected, "{path}");
        }
    }
}
