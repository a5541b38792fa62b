//! How progress, log lines and times leave the library: it never prints. The caller hands in an [`Observer`] and may
//! stop the work with a [`Cancel`].

use crate::error::{Error, ErrorKind, Result};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// An interrupted commit is finished.
    Recover,
    /// The guest is looked at.
    Inspect,
    /// The plan is carried out on the overlays.
    Apply,
    /// The overlays are looked at again.
    Verify,
    /// The overlays are folded into the disks.
    Commit,
    /// What a conversion changed is put back.
    Undo,
    /// The guest is booted.
    Prove,
}

impl Stage {
    /// Returns its name: `inspect`, `apply` …
    pub fn name(self) -> &'static str {
        match self {
            Self::Recover => "recover",
            Self::Inspect => "inspect",
            Self::Apply => "apply",
            Self::Verify => "verify",
            Self::Commit => "commit",
            Self::Undo => "undo",
            Self::Prove => "prove",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A stage began.
    Started(Stage),
    /// A stage went on.
    Progress {
        /// Which.
        stage: Stage,
        /// How much is done, in units of its own.
        done: u64,
        /// How much there is.
        total: u64,
    },
    /// A stage ended well.
    Finished(Stage, Duration),
    /// A line for the log: what the appliance's kernel said, what was cleaned up.
    Log(&'a str),
}

/// Is told what happens. Called from the thread that called the library.
pub trait Observer: Send + Sync {
    /// Takes note of an event; returns quickly.
    fn event(&self, event: &Event<'_>);
}

impl<F: Fn(&Event<'_>) + Send + Sync> Observer for F {
    fn event(&self, event: &Event<'_>) {
        self(event);
    }
}

/// An [`Observer`] that takes no note.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _event: &Event<'_>) {}
}

/// Stops the work of a guest from another thread or a signal handler. Clones stop the same work.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks the work to stop. It stops within a tenth of a second and leaves the disks as they were; a commit that has
    /// begun is finished first.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Returns whether somebody asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Fails if somebody asked to stop.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "cancelled", "cancelled; nothing was changed"));
        }
        Ok(())
    }
}

/// Where the time went, in the order in which it went, and how much was read and written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timings {
    /// One entry per part of a stage.
    pub parts: Vec<Timing>,
    /// What was read from and written to each disk, in the caller's order.
    pub disks: Vec<Traffic>,
}

/// How long one part of a stage took.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timing {
    /// The stage.
    pub stage: Stage,
    /// The part: `start` (of the appliance's process until the agent runs), what the agent says of its own parts
    /// (`mount`, `initramfs` …), `stop`; `boot loader`, what GRUB's images take beyond that; or, for a commit, `overlays`, `originals`, `journal`, `fold`, `sync`.
    pub part: String,
    /// How long.
    pub duration: Duration,
}

/// What went to and from one disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Bytes that the appliance read.
    pub read_bytes: u64,
    /// Bytes that the appliance wrote into overlays.
    pub written_bytes: u64,
    /// Requests of the appliance.
    pub requests: u64,
    /// Bytes that the commit wrote into the disk.
    pub committed_bytes: u64,
}

impl Timings {
    /// Returns the time of a stage, all its parts together.
    pub fn stage(&self, stage: Stage) -> Duration {
        self.parts.iter().filter(|timing| timing.stage == stage).map(|timing| timing.duration).sum()
    }

    pub(crate) fn add(&mut self, stage: Stage, part: &str, duration: Duration) {
        self.parts.push(Timing { stage, part: part.to_owned(), duration });
    }
}
