//! How far a run is, by what it did to its files so far.

use super::call::{Kind, Operation};
use super::file::Class;
use std::fmt;

/// Where in a conversion, an undo or a recovery an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Stage {
    /// Overlays are made and written.
    Apply,
    /// Overlays are synced.
    Overlays,
    /// Originals are saved.
    Originals,
    /// Journals are written.
    Journal,
    /// Room is made and overlays are folded.
    Fold,
    /// Undo files get their names and records.
    Keep,
    /// Overlays and journals go.
    End,
}

impl Stage {
    pub(super) const ALL: [Self; 7] =
        [Self::Apply, Self::Overlays, Self::Originals, Self::Journal, Self::Fold, Self::Keep, Self::End];

    /// Returns the stage that an operation is in, if it comes after one of this stage.
    pub(super) fn after(self, operation: &Operation) -> Self {
        let (kind, class) = (operation.kind, operation.class);
        let at_least = match (kind, class) {
            (Kind::Sync, Class::Overlay | Class::Head) => Self::Overlays,
            (Kind::Create, Class::UndoDraft) => Self::Originals,
            (Kind::Create, Class::JournalDraft) | (Kind::Unlink, Class::Progress) => Self::Journal,
            (Kind::Write | Kind::Allocate | Kind::Truncate | Kind::Sync, Class::Disk)
            | (Kind::Create, Class::ProgressDraft) => Self::Fold,
            (Kind::Rename, Class::UndoDraft) => Self::Keep,
            (Kind::Unlink, Class::Overlay | Class::Record) => Self::End,
            _ => self,
        };
        self.max(at_least)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Apply => "apply",
            Self::Overlays => "overlays",
            Self::Originals => "originals",
            Self::Journal => "journal",
            Self::Fold => "fold",
            Self::Keep => "keep",
            Self::End => "end",
        })
    }
}

/// An operation of a run that can be found again in another one: runs differ in how much they write while they apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Point {
    pub(super) stage: Stage,
    /// Which one of its stage, from 0.
    pub(super) number: usize,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.stage, self.number)
    }
}

/// Numbers the operations of a run.
#[derive(Default)]
pub(super) struct Points {
    last: Option<Point>,
}

impl Points {
    /// Returns the stage of the last operation.
    pub(super) fn stage(&self) -> Stage {
        self.last.map_or(Stage::Apply, |last| last.stage)
    }

    /// Returns the point that the next operation is.
    pub(super) fn next(&mut self, operation: &Operation) -> Point {
        let point = match self.last {
            None => Point { stage: Stage::Apply.after(operation), number: 0 },
            Some(last) => {
                let stage = last.stage.after(operation);
                Point { stage, number: if stage == last.stage { last.number + 1 } else { 0 } }
            }
        };
        self.last = Some(point);
        point
    }
}
