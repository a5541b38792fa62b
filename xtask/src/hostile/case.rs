//! A case as data: what it is called, what it tries, how it is built, what must come of it.

use super::shop::Shop;
use anyhow::Result;
use std::path::PathBuf;

/// One hostile guest, image or document.
pub(super) struct Case {
    /// Its name: `KIND-WHAT`.
    pub(super) name: &'static str,
    /// What it tries, in a few words.
    pub(super) tries: &'static str,
    /// Builds it.
    pub(super) make: fn(&Shop) -> Result<Subject>,
    /// What must come of it.
    pub(super) expect: Expect,
}

/// What a case gives to the commands.
pub(super) struct Subject {
    /// The disks, in their order.
    pub(super) disks: Vec<PathBuf>,
    /// Further arguments of every command.
    pub(super) arguments: Vec<String>,
    /// Further arguments of the commands that take a wish: all but `undo`.
    pub(super) wishes: Vec<String>,
    /// The caller's description, for the commands that take one; else the one that `inspect --xml` wrote.
    pub(super) description: Option<PathBuf>,
}

impl Subject {
    /// Returns a guest of raw disks, as a careful caller says it.
    pub(super) fn raw(disks: impl IntoIterator<Item = PathBuf>) -> Self {
        Self {
            disks: disks.into_iter().collect(),
            arguments: vec!["--format".into(), "raw".into()],
            wishes: Vec::new(),
            description: None,
        }
    }

    /// Returns a guest whose image tells its format itself, which is what a careless caller does.
    pub(super) fn probed(disk: PathBuf) -> Self {
        Self { disks: vec![disk], arguments: Vec::new(), wishes: Vec::new(), description: None }
    }

    /// Adds arguments.
    pub(super) fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }
}

/// What must come of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expect {
    /// How `inspect` ends: `done`, or an error's code.
    pub(super) inspect: &'static str,
    /// How `convert` ends: `done`, or an error's code.
    pub(super) convert: &'static str,
    /// How `convert --output` ends.
    pub(super) copied: &'static str,
    /// Codes of findings that must be there, of inspection and plan together.
    pub(super) findings: &'static [&'static str],
}

/// The guest is converted as if nothing was, with these findings.
pub(super) const fn converts(findings: &'static [&'static str]) -> Expect {
    Expect { inspect: "done", convert: "done", copied: "done", findings }
}

/// The guest is looked at, with these findings, and not converted, with that code.
pub(super) const fn refused(convert: &'static str, findings: &'static [&'static str]) -> Expect {
    Expect { inspect: "done", convert, copied: convert, findings }
}

/// Nothing is done at all, with that code.
pub(super) const fn fails(code: &'static str) -> Expect {
    Expect { inspect: code, convert: code, copied: code, findings: &[] }
}
