//! guestconv makes a guest boot on another hypervisor: it looks at the disks, says what it would do, does it on overlays,
//! looks again, and commits. [`Guest`] is the handle; its documents are plain values of [`core`].
//!
//! It needs neither root nor KVM: a guest's disks are reached by an appliance, a Linux kernel that runs as an ordinary
//! process. It prints nothing: progress goes to an [`Observer`], errors are [`Error`]s with stable codes.

mod appliance;
mod boot_image;
mod commit;
mod confine;
mod disks;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod guest;
mod host;
mod keys;
mod observe;
pub mod prove;
#[cfg(test)]
mod testing;

pub use appliance::{APPLIANCE_VARIABLE, KERNEL_VARIABLE, MODULES_VARIABLE, RUNNER_VARIABLE, RunnerKind};
pub use commit::{Finished, Recovery, UndoFile, UndoOptions};
pub use confine::Confinement;
pub use disks::{DiskFormat, DiskSpec, Format, ImageFormat};
pub use error::{Error, ErrorKind, Result};
pub use guest::{ConvertOptions, DiskHashes, Guest, OpenedDisk, Options, target};
/// The documents, and what is decided.
pub use guestconv_core as core;
pub use keys::{Key, KeySecret, KeySelector};
pub use observe::{Cancel, Event, Observer, Silent, Stage, Timing, Timings, Traffic};
