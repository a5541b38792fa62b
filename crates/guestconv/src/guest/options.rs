//! How a guest is worked on and converted, and what its disks are once opened.

use crate::appliance::RunnerKind;
use crate::commit::UndoFile;
use crate::confine::Confinement;
use crate::disks::{DiskFormat, ImageFormat};
use crate::keys::Key;
use crate::observe::{Cancel, Observer, Silent};
use crate::prove::Accelerator;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How a guest is worked on.
#[derive(Clone)]
pub struct Options {
    /// The appliance's directory; `None`: `GUESTCONV_APPLIANCE`, or beside the program or library.
    pub appliance: Option<PathBuf>,
    /// What runs the appliance; `None`: what `GUESTCONV_RUNNER` names, or else the first that can, and a finding if that is
    /// QEMU.
    pub runner: Option<RunnerKind>,
    /// The image of the kernel that runs the appliance under QEMU; `None`: `GUESTCONV_KERNEL`, or beside the appliance, or one
    /// of the host's.
    pub kernel: Option<PathBuf>,
    /// What runs the processor of the appliance under QEMU.
    pub accelerator: Accelerator,
    /// Where overlays are while a conversion runs; `None`: beside each disk.
    pub overlay_dir: Option<PathBuf>,
    /// The directory of the GRUB 2 that a disk without boot loader is given: what has its `i386-pc` and `x86_64-efi`, as
    /// `/usr/lib/grub` has them; `None`: where the host's packages put them.
    pub grub_dir: Option<PathBuf>,
    /// What opens encrypted devices.
    pub keys: Vec<Key>,
    /// How long one run of the appliance may take.
    pub time_limit: Duration,
    /// How the appliance, and what else meets the guest, is confined.
    pub confinement: Confinement,
    /// Is told what happens.
    pub observer: Arc<dyn Observer>,
    /// Stops the work.
    pub cancel: Cancel,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            appliance: None,
            runner: None,
            kernel: None,
            accelerator: Accelerator::Probe,
            overlay_dir: None,
            grub_dir: None,
            keys: Vec::new(),
            time_limit: Duration::from_secs(300),
            confinement: Confinement::default(),
            observer: Arc::new(Silent),
            cancel: Cancel::default(),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("appliance", &self.appliance)
            .field("runner", &self.runner)
            .field("kernel", &self.kernel)
            .field("accelerator", &self.accelerator)
            .field("overlay_dir", &self.overlay_dir)
            .field("grub_dir", &self.grub_dir)
            .field("keys", &self.keys)
            .field("time_limit", &self.time_limit)
            .field("confinement", &self.confinement)
            .finish_non_exhaustive()
    }
}

/// How a plan is carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConvertOptions {
    /// Whether the conversion can be undone.
    pub undo: UndoFile,
    /// New images to write, one for each disk in order; then the disks themselves are never written. Empty: the disks are
    /// converted in place.
    pub output: Vec<PathBuf>,
    /// The format of the new images; `None`: that of each disk, and qcow2 for formats that are only read.
    pub output_format: Option<ImageFormat>,
    /// Whether the record of the conversion has the hashes of the disks.
    pub disk_hashes: DiskHashes,
}

/// Whether whole disks are hashed, before and after a conversion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiskHashes {
    /// They are not: it would take longer than the conversion.
    #[default]
    Leave,
    /// They are, as the guest sees them.
    Make,
}

/// A disk of an opened guest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenedDisk {
    /// Its short name in the documents.
    pub name: String,
    /// Where it is, absolute, with links resolved; on a server of NBD, its address.
    pub path: PathBuf,
    /// Its format.
    pub format: DiskFormat,
    /// Its size in bytes, as the guest sees it.
    pub size_bytes: u64,
}
